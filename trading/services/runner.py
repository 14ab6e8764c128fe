"""Running the ticks: who is due, under which lease, at which market time. Used by worker tasks and by the gateway.

A tick that fails is logged and left: the next one is the retry (docs/adr/0002).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from trading.domain.calendar import MarketPhase, TradingCalendar, books_closed, phase_at
from trading.domain.pace import Pace
from trading.domain.types import AccountMode, Symbol
from trading.faults import crash_point
from trading.models import Account
from trading.ports import QuoteReader
from trading.services import leases
from trading.services.calendar import load_calendar
from trading.services.clock import Clock, environment_of, market_at, read_clocks
from trading.services.failures import tell_tick_failed
from trading.services.orders_tick import orders_tick
from trading.services.pace import pace_of
from trading.services.quotes import capture
from trading.services.sync import sync_tick
from trading.services.tick import Nudge, strategy_tick

log = logging.getLogger(__name__)

Run = Callable[[int, datetime, QuoteReader, TradingCalendar, Nudge], object]


@dataclass(frozen=True, slots=True)
class TickSpec:
    """A tick: its period while market time is real time, what it does for one account, and when it is of any use."""

    name: str
    period: timedelta
    run: Run
    useful: Callable[[MarketPhase, datetime], bool]
    #: Symbols whose newest quotes it needs besides those of the account.
    also: Callable[[], Iterable[Symbol]] = frozenset


def in_session(phase: MarketPhase, now: datetime) -> bool:
    """Whether the exchange is open, or its books have just closed: for ticks that also look after what ended."""
    return phase is not MarketPhase.CLOSED or books_closed(now)


SYNC = TickSpec(
    "sync",
    timedelta(seconds=10),
    lambda account, now, quotes, calendar, nudge: sync_tick(account, now, quotes, calendar),
    in_session,
)
STRATEGY = TickSpec(
    "strategy", timedelta(seconds=5), strategy_tick, lambda phase, now: phase.continuous
)
ORDERS = TickSpec("orders", timedelta(seconds=2), orders_tick, in_session)
TICKS = {spec.name: spec for spec in (SYNC, STRATEGY, ORDERS)}


def plugged_in() -> list[TickSpec]:
    """Return the ticks of other apps (`settings.MINIQMT_TICKS`). Raises ImportError when a path is wrong."""
    return [import_string(path) for path in settings.MINIQMT_TICKS]


@dataclass(frozen=True, slots=True)
class Due:
    """An account a tick may be due for: its market time `now`, the clock that tells it later, and its pace."""

    account_id: int
    name: str
    now: datetime
    clock: Clock | None
    pace: Pace

    def market(self, real: datetime) -> datetime:
        return market_at(self.clock, real)


def market_times(real: datetime, only: int | None = None) -> Sequence[Due]:
    """Return the enabled accounts with their market time at a real time; two queries."""
    clocks = read_clocks()
    accounts = Account.objects.filter(enabled=True).order_by("pk")
    if only is not None:
        accounts = accounts.filter(pk=only)
    rows = accounts.values_list("pk", "name", "mode")
    found = []
    for pk, name, mode in rows:
        clock = clocks.get(environment_of(AccountMode(mode)))
        found.append(Due(pk, name, market_at(clock, real), clock, pace_of(AccountMode(mode))))
    return found


def run_tick(
    spec: TickSpec,
    quotes: QuoteReader,
    nudge: Nudge,
    clock: Callable[[], datetime],
    only: int | None = None,
) -> int:
    """Run a tick for every account (or `only` one) that it is due for and useful to; returns how many ran.

    `clock` gives real time. An account whose tick fails does not keep the others from theirs.
    """
    ran = 0
    calendar: TradingCalendar | None = None
    for due in market_times(clock(), only):
        calendar = calendar or load_calendar()
        if not spec.useful(phase_at(calendar, due.now), due.now):
            continue
        try:
            ran += _run(spec, due, quotes, calendar, nudge, clock)
        except Exception as problem:
            # One account's trouble must not stop the protection of the others; the next tick tries again.
            log.exception("tick %s of account %s failed", spec.name, due.name)
            tell_tick_failed(due.account_id, spec.name, problem, due.now)
    return ran


def _run(
    spec: TickSpec,
    due: Due,
    quotes: QuoteReader,
    calendar: TradingCalendar,
    nudge: Nudge,
    clock: Callable[[], datetime],
) -> bool:
    """Run one tick of one account: its claim, its writes and its end are one transaction, one commit.

    A tick that fails therefore gives its claim back, and the next one may run at once.
    """
    lease, period = lease_name(spec, due.account_id), due.pace.period(spec.period)
    if not leases.is_due(lease, period, clock()):
        return False
    captured = capture(due.account_id, quotes, spec.also())
    with transaction.atomic():
        if not leases.claim(lease, period, clock()):
            return False
        crash_point("runner.claimed")
        # Asked again: in a fast market a quote that has just been captured would lie in the future.
        spec.run(due.account_id, due.market(clock()), captured, calendar, nudge)
        crash_point("runner.ran")
    return True


def lease_name(spec: TickSpec, account_id: int) -> str:
    """Return the name of an account's tick lease."""
    return f"{spec.name}:{account_id}"
