"""The look at each account before the open: gathers facts, keeps the newest verdict, tells when it changes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from pathlib import Path

from django.db import transaction

from monitoring import premarket
from monitoring.models import PremarketCheck
from trading.domain.calendar import TradingCalendar
from trading.domain.orders import OrderState
from trading.domain.source_health import may_trade
from trading.domain.types import (
    CHINA,
    AccountMode,
    GatewayStatus,
    Quote,
    Symbol,
    Text,
    TradingState,
)
from trading.errors import GatewayUnavailable
from trading.models import Account, DayBooks, EventLevel, Order, Position
from trading.ports import QuoteReader
from trading.selectors import open_positions, position_value_of, symbols_of_interest
from trading.services.calendar import disputed_days, load_calendar
from trading.services.clock import Clock, environment_of, market_at, read_clocks
from trading.services.config import Settings
from trading.services.events import journal
from trading.services.pricing import limits_by_rule
from trading.services.protection import gateway_alive, gateway_heard_at
from trading.services.tick import settings_and_problem

#: When it looks, and from when a quote of today is due (the opening auction, and a minute to get here).
FROM, UNTIL, QUOTES_DUE = time(9, 0), time(9, 30), time(9, 16)


def check_before_the_open(real: datetime, quotes: QuoteReader, home: Path) -> int:
    """Look at every enabled account whose session is about to begin; returns how many verdicts are new or changed."""
    calendar, clocks = load_calendar(), read_clocks()
    told = 0
    for account in Account.objects.filter(enabled=True).order_by("pk"):
        if account.mode == AccountMode.DEMO and account.snapshot_at is None:
            continue  # its first day begins ten seconds before the open
        clock = clocks.get(environment_of(AccountMode(account.mode)))
        now = market_at(clock, real)
        today = now.date()
        if not FROM <= now.time() < UNTIL:
            continue
        closed = calendar.knows(today) and not calendar.is_session(today)
        if closed and today not in disputed_days(today):
            continue
        told += _keep(account, now, look(account, real, quotes, home, calendar, clock))
    return told


def look(
    account: Account,
    real: datetime,
    quotes: QuoteReader,
    home: Path,
    calendar: TradingCalendar,
    clock: Clock | None,
) -> list[premarket.Item]:
    """Return every item of an account as it is now; writes nothing."""
    now = market_at(clock, real)
    return premarket.examine(_facts(account, real, now, quotes, home, calendar, clock))


def _keep(account: Account, now: datetime, items: list[premarket.Item]) -> bool:
    """Write the newest verdict of the session; True when it is the first, or another one."""
    ready = premarket.may_begin(items)
    with transaction.atomic():
        before = PremarketCheck.objects.select_for_update().filter(account=account, on=now.date())
        known = before.values_list("ready", flat=True).first()
        values = {"ready": ready, "items": premarket.plain(items), "looked_at": now}
        PremarketCheck.objects.update_or_create(account=account, on=now.date(), defaults=values)
        if known is ready:
            return False
        en, zh = premarket.in_words(items)
        if ready:
            text = Text(f"Ready for the open: {en}.", f"可以开盘：{zh}。")
            journal(account.pk, EventLevel.INFO, "PREMARKET_READY", text, now)
        else:
            text = Text(f"Not ready for the open: {en}.", f"尚不能开盘：{zh}。")
            journal(account.pk, EventLevel.ALARM, "PREMARKET_NOT_READY", text, now)
    return True


def _facts(
    account: Account,
    real: datetime,
    now: datetime,
    quotes: QuoteReader,
    home: Path,
    calendar: TradingCalendar,
    clock: Clock | None,
) -> premarket.Facts:
    today, status = now.date(), GatewayStatus(account.gateway_status)
    settings, problem = settings_and_problem(account.pk)
    rows = open_positions(account.pk)
    wanted = sorted(symbols_of_interest(account.pk))
    allows = settings is not None and settings.allow_mootdx_trading
    latest = _latest(quotes, wanted, allows)
    limits_of = limits_by_rule(calendar)
    newest = max((quote.time for quote in latest.values()), default=now)
    reason = account.gateway_reason
    return premarket.Facts(
        on=today,
        is_session=calendar.is_session(today) if calendar.knows(today) else None,
        known_until=calendar.known_until,
        disputed=today in disputed_days(today),
        gateway=status,
        gateway_alive=gateway_alive(status, gateway_heard_at(account, clock), real),
        gateway_reason=Text(reason.get("en", ""), reason.get("zh", "")),
        snapshot_age=None if account.snapshot_at is None else now - account.snapshot_at,
        cash=account.cash,
        holdings=len(rows),
        differing=[row.symbol for row in rows if row.stale_since is not None],
        unverified=[row.symbol for row in rows if row.ex_rights_unverified],
        without_cost=[row.symbol for row in rows if _has_no_cost(row)],
        without_limits=[
            symbol
            for symbol in wanted
            if symbol not in latest or limits_of(latest[symbol], now) is None
        ],
        without_quote=[
            symbol
            for symbol in wanted
            if symbol not in latest or latest[symbol].time.astimezone(CHINA).date() != today
        ],
        quotes_due=now.time() >= QUOTES_DUE,
        ahead=max(newest - now, timedelta(0)),
        config_problem=problem,
        switched_off=[] if settings is None else _switched_off(settings),
        trading_state=TradingState(account.trading_state),
        unknown_orders=Order.objects.filter(account=account, state=OrderState.UNKNOWN).count(),
        books=_books(account, now),
        free_bytes=shutil.disk_usage(home).free,
    )


def _latest(
    quotes: QuoteReader, wanted: list[Symbol], allows_fallback: bool
) -> Mapping[Symbol, Quote]:
    """Quotes that cannot be read, or that this account may not trade on, are none: the items say so."""
    try:
        feeds, latest = quotes.feeds(wanted), quotes.latest(wanted)
    except GatewayUnavailable:
        return {}
    return {
        symbol: quote
        for symbol, quote in latest.items()
        if may_trade(feeds[symbol].source, allows_fallback)
    }


def _has_no_cost(row: Position) -> bool:
    return row.exit_enabled and position_value_of(row).cost_for_decision is None


def _switched_off(settings: Settings) -> list[Text]:
    risk, exits = settings.risk, settings.exits
    switches = (
        (risk.auto_trading_enabled, Text("automatic trading", "自动交易")),
        (exits.stop_loss_enabled, Text("stop-loss", "止损")),
        (risk.sell_enabled, Text("selling", "允许卖出")),
    )
    return [name for on, name in switches if not on]


def _books(account: Account, now: datetime) -> str | None:
    books = DayBooks.objects.filter(account=account, on__lt=now.date()).order_by("-on")
    return books.values_list("state", flat=True).first()
