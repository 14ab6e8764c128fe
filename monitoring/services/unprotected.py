"""Which holdings no stop-loss protects right now, and why: for whoever asks outside the console."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from trading.domain.calendar import MarketPhase, TradingCalendar, phase_at
from trading.domain.protection import Protection
from trading.domain.types import AccountMode, GatewayStatus, Symbol
from trading.models import Account, TradingConfig
from trading.ports import QuoteReader
from trading.services import config
from trading.services.clock import environment_of, market_at, read_clocks
from trading.services.protection import gateway_alive, gateway_heard_at, protection_reports
from trading.services.quote_sources import refused_since
from trading.services.tick import settings_and_problem
from trading.services.view import TickView

#: A holding that waits for the exchange, or whose sale is on its way, lacks nothing a person could give it.
IN_ORDER = frozenset(
    {
        *(Protection.PROTECTED, Protection.MARKET_CLOSED, Protection.T1),
        *(Protection.ORDER_WORKING, Protection.AT_LIMIT_DOWN),
    }
)


@dataclass(frozen=True, slots=True)
class Holdings:
    """How many holdings an account has, those without protection by their reason, and whether its exchange is open."""

    count: int
    without: Mapping[Protection, Sequence[Symbol]]
    is_open: bool


def holdings_of(
    account: Account, real: datetime, quotes: QuoteReader, calendar: TradingCalendar
) -> Holdings:
    """Look at every holding of an account at a real time. Raises GatewayUnavailable when no quotes can be read."""
    clock = read_clocks().get(environment_of(AccountMode(account.mode)))
    now = market_at(clock, real)
    phase = phase_at(calendar, now)
    settings, _ = settings_and_problem(account.pk)
    # Without valid settings nobody decides: the defaults only let the view be built.
    known = settings or config.settings_of(TradingConfig())
    view = TickView(account.pk, known, now, phase, quotes, calendar)
    status = GatewayStatus(account.gateway_status)
    alive = gateway_alive(status, gateway_heard_at(account, clock), real)
    reports = protection_reports(view, alive, refused_since(view.rows))
    without: dict[Protection, list[Symbol]] = defaultdict(list)
    for symbol, report in reports.items():
        if report.status not in IN_ORDER:
            without[report.status].append(symbol)
    return Holdings(len(reports), dict(without), phase is not MarketPhase.CLOSED)
