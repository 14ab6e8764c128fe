"""The curves of the day: what each account was worth, and what its symbols cost, minute by minute of market time.

For people to look at; no decision reads them. One statement a minute for all accounts, one for all symbols.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from monitoring.models import EquityPoint, PricePoint
from trading.domain.calendar import MarketPhase, TradingCalendar, phase_at
from trading.domain.pace import Pace
from trading.domain.types import CHINA, AccountMode, Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.models import Account, Order, Position
from trading.ports import QuoteReader
from trading.selectors import symbols_of_interest
from trading.services.calendar import load_calendar
from trading.services.clock import environment_of, market_at, read_clocks

log = logging.getLogger(__name__)

#: Market hours in which prices move, and the minutes right after the close, which have the closing price.
OPEN = {
    MarketPhase.MORNING,
    MarketPhase.AFTERNOON,
    MarketPhase.CLOSING_AUCTION,
    MarketPhase.POST_CLOSE,
}
#: An account that was read from its terminal longer ago than this, in real time, is not known now.
READ_WITHIN = timedelta(seconds=60)


def record_curves(real: datetime, quotes: QuoteReader) -> tuple[int, int]:
    """Write this minute of every enabled account whose market is open; returns how many points of money and of prices.

    Whatever is not known has no point: an account that was not read lately or holds something without a quote of
    today, and a symbol without one. Recorded twice, a minute keeps its newest value.
    """
    calendar = load_calendar()
    accounts = _open_accounts(real, calendar)
    if not accounts:
        return 0, 0
    held = _held([account.pk for account, _, _ in accounts])
    symbols = _traded(accounts).union(
        *(symbols_of_interest(account.pk) for account, _, _ in accounts)
    )
    try:
        latest = quotes.latest(sorted(symbols))
    except GatewayUnavailable as problem:
        log.warning("quotes cannot be read, so this minute has no points: %s", problem)
        return 0, 0
    equity = [
        EquityPoint(account=account, at=_minute(now), equity=total, recorded_at=real)
        for account, now, patience in accounts
        if (total := account.total_asset) is not None
        and _is_known(account, now, patience, held.get(account.pk, set()), latest)
    ]
    days = {now.date() for _, now, _ in accounts}
    prices = [
        PricePoint(symbol=symbol, at=_minute(quote.time), price=quote.last, recorded_at=real)
        for symbol, quote in latest.items()
        if quote.last > 0 and _on(quote) in days and _trades(calendar, quote.time)
    ]
    EquityPoint.objects.bulk_create(
        equity, update_conflicts=True, unique_fields=["account", "at"],
        update_fields=["equity", "recorded_at"],
    )  # fmt: skip
    PricePoint.objects.bulk_create(
        prices, update_conflicts=True, unique_fields=["symbol", "at"],
        update_fields=["price", "recorded_at"], batch_size=500,
    )  # fmt: skip
    return len(equity), len(prices)


def _open_accounts(
    real: datetime, calendar: TradingCalendar
) -> list[tuple[Account, datetime, timedelta]]:
    """Return the accounts whose market is open, with its time and how old, by it, a picture of theirs may be."""
    clocks, found = read_clocks(), []
    for account in Account.objects.filter(enabled=True).order_by("pk"):
        clock = clocks.get(environment_of(AccountMode(account.mode)))
        now = market_at(clock, real)
        if phase_at(calendar, now) in OPEN:
            pace = Pace(Decimal(1) if clock is None else clock.speed)
            found.append((account, now, pace.market(READ_WITHIN)))
    return found


def _held(accounts: list[int]) -> dict[int, set[Symbol]]:
    rows = Position.objects.filter(account__in=accounts, closed_at=None, quantity__gt=0)
    found: dict[int, set[Symbol]] = {}
    for account_id, symbol in rows.values_list("account_id", "symbol"):
        found.setdefault(account_id, set()).add(Symbol(symbol))
    return found


def _traded(accounts: list[tuple[Account, datetime, timedelta]]) -> set[Symbol]:
    """Return what had an order today: people want to see what a price did after they had sold."""
    rows = Order.objects.filter(
        account__in=[account.pk for account, _, _ in accounts],
        trade_date__in={now.date() for _, now, _ in accounts},
    )
    return set(map(Symbol, rows.values_list("symbol", flat=True).distinct()))


def _is_known(
    account: Account,
    now: datetime,
    patience: timedelta,
    held: set[Symbol],
    latest: Mapping[Symbol, Quote],
) -> bool:
    """Whether the account's total is one of this minute: read lately, with a price of today for all it holds."""
    if account.snapshot_at is None:
        return False
    return now - account.snapshot_at <= patience and all(
        symbol in latest and latest[symbol].last > 0 and _on(latest[symbol]) == now.date()
        for symbol in held
    )


def _trades(calendar: TradingCalendar, at: datetime) -> bool:
    return phase_at(calendar, at) in OPEN


def _on(quote: Quote) -> date:
    return quote.time.astimezone(CHINA).date()


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
