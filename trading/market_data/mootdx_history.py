"""Bars, minutes and transactions of the past, from TDX servers. Never in a process that holds a broker session.

Prices are unadjusted, as the exchange made them. The library's own adjustment is never used: it fails on newer pandas,
and can return negative prices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeVar

from trading.domain.daily import DailyBar
from trading.domain.types import CHINA, Side, Symbol
from trading.errors import GatewayUnavailable
from trading.market_data import mootdx_client as client
from trading.market_data.mootdx_client import TdxClient
from trading.market_data.mootdx_codes import not_covered, units
from trading.market_data.mootdx_rows import BadRow, money, number, read_price, whole
from trading.market_data.mootdx_servers import Servers, servers_of_settings

#: More bars of one symbol than anybody needs: 30 years of days, and as many minutes as servers keep.
MOST_BARS = 24_000
MOST_TRANSACTIONS = 40_000
#: The library misreads floats below this one.
MISREAD_BELOW = 128
_SIDES = {0: Side.BUY, 1: Side.SELL}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MinuteBar:
    """`minutes` of a symbol from `start` on; units as in DailyBar. The protocol names the end, we name the start."""

    symbol: Symbol
    start: datetime
    minutes: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class MinutePrice:
    """The last price of the minute that begins at `start`, and the shares traded in it."""

    symbol: Symbol
    start: datetime
    price: Decimal
    volume: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """Time and sales: `at` is exact to the minute. `side`: who took the other's price, None = nobody can tell."""

    symbol: Symbol
    at: datetime
    price: Decimal
    quantity: int
    side: Side | None


def daily_bars(symbol: Symbol, count: int) -> list[DailyBar]:
    """Return the newest `count` daily bars of a symbol, oldest first, from the servers of the settings.

    During a session the last one is that session's so far, which `keep_bars` (services/daily_bars.py) refuses. Fewer
    come when the share is younger. Takes at most about 4 s a request of 800 bars, and 6 s for each server that is
    tried. Raises GatewayUnavailable; ValueError for a symbol that mootdx does not cover.
    """
    with open_history() as history:
        return history.daily_bars(symbol, count)


@contextmanager
def open_history(addresses: Sequence[str] | None = None) -> Iterator[History]:
    """Open the servers of the settings (or these) for several questions, and close them at the end."""
    servers = servers_of_settings(addresses)
    try:
        yield History(servers)
    finally:
        servers.leave()


class History:
    """Questions about the past; each is asked of one more server when the first one fails.

    Every method raises GatewayUnavailable, and ValueError for a symbol that mootdx does not cover.
    """

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def daily_bars(self, symbol: Symbol, count: int) -> list[DailyBar]:
        """Return the newest `count` daily bars, oldest first; the running session's is among them."""
        rows = self._pages(
            symbol,
            count,
            MOST_BARS,
            client.BARS_AT_ONCE,
            lambda server, start, most: server.bars(symbol, client.DAY, start, most),
        )
        bars = self._read(
            rows,
            lambda row: DailyBar(
                symbol, _moment(row).date(), *_prices(row), *_volume(symbol, row)
            ),
        )
        self._in_order([bar.on for bar in bars])
        return bars

    def minute_bars(self, symbol: Symbol, count: int, minutes: int = 1) -> list[MinuteBar]:
        """Return the newest `count` bars of 1 or 5 minutes, oldest first; the running minute's is among them."""
        kind = {1: client.MINUTE, 5: client.FIVE_MINUTES}[minutes]
        rows = self._pages(
            symbol,
            count,
            MOST_BARS,
            client.BARS_AT_ONCE,
            lambda server, start, most: server.bars(symbol, kind, start, most),
        )
        length = timedelta(minutes=minutes)
        bars = self._read(
            rows,
            lambda row: MinuteBar(
                symbol, _moment(row) - length, minutes, *_prices(row), *_volume(symbol, row)
            ),
        )
        self._in_order([bar.start for bar in bars])
        return bars

    def minutes(self, symbol: Symbol, on: date) -> list[MinutePrice]:
        """Return the minutes of a session so far, 240 when it is over; none when nothing was traded that day."""
        _covered(symbol)
        lot = units(symbol)[1]
        rows, factor = self._ask(
            lambda server: (server.minutes(symbol, on), server.factor(symbol))
        )
        starts = iter(_minutes_of(on))
        return self._read(
            rows,
            lambda row: MinutePrice(
                symbol,
                next(starts),
                read_price(symbol, row, "price", factor),
                whole(row, "vol") * lot,
            ),
        )

    def transactions(self, symbol: Symbol, on: date, *, today: bool = False) -> list[Transaction]:
        """Return all transactions of a session, oldest first.

        `today`: `on` is the running session; what is traded while several pages are asked for may come twice.
        """
        _covered(symbol)
        lot = units(symbol)[1]
        asked = None if today else on
        rows = self._pages(
            symbol,
            MOST_TRANSACTIONS,
            MOST_TRANSACTIONS,
            client.TRANSACTIONS_AT_ONCE,
            lambda server, start, most: server.transactions(symbol, asked, start, most),
        )
        return self._read(
            rows,
            lambda row: Transaction(
                symbol,
                datetime.combine(on, time.fromisoformat(row["time"]), CHINA),
                read_price(symbol, row, "price", 0.01),
                whole(row, "vol") * lot,
                _SIDES.get(whole(row, "buyorsell")),
            ),
        )

    def _pages(
        self,
        symbol: Symbol,
        count: int,
        most: int,
        page: int,
        ask: Callable[[TdxClient, int, int], Sequence[Mapping[str, Any]]],
    ) -> list[Mapping[str, Any]]:
        """Ask from the newest page back until there are enough rows, or no more; return them oldest first."""
        _covered(symbol)
        if not 0 < count <= most:
            raise ValueError(f"{count} is not between 1 and {most}")
        rows: list[Mapping[str, Any]] = []
        while len(rows) < count:
            wanted, start = min(page, count - len(rows)), len(rows)
            found = self._page(ask, start, wanted)
            rows = [*found, *rows]
            if len(found) < wanted:
                break
        return rows

    def _page(
        self,
        ask: Callable[[TdxClient, int, int], Sequence[Mapping[str, Any]]],
        start: int,
        count: int,
    ) -> Sequence[Mapping[str, Any]]:
        return self._ask(lambda server: ask(server, start, count))

    def _ask(self, question: Callable[[TdxClient], T]) -> T:
        try:
            return self._once(question)
        except GatewayUnavailable:
            return self._once(question)

    def _once(self, question: Callable[[TdxClient], T]) -> T:
        try:
            answer = question(self._servers.client())
        except GatewayUnavailable as problem:
            self._servers.failed(str(problem))
            raise
        self._servers.succeeded()
        return answer

    def _read(
        self, rows: Sequence[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], T]
    ) -> list[T]:
        """Return all rows as values, or raise: a history with a hole or a wrong row in it is worse than none."""
        try:
            return [read(row) for row in rows]
        except (BadRow, ValueError, KeyError, StopIteration) as problem:
            self._servers.failed(f"an unreadable row: {problem!r}")
            raise GatewayUnavailable(f"mootdx: an unreadable row: {problem!r}") from problem

    def _in_order(self, times: Sequence[date]) -> None:
        """Refuse bars twice or out of order: pages of two servers, or a bar that began between two pages."""
        if any(before >= after for before, after in pairwise(times)):
            raise GatewayUnavailable("mootdx: the bars of two pages do not fit together")


def _covered(symbol: Symbol) -> None:
    why = not_covered(symbol)
    if why is not None:
        raise ValueError(f"{why.en} {why.zh}")


def _moment(row: Mapping[str, Any]) -> datetime:
    return datetime(
        row["year"], row["month"], row["day"], row["hour"], row["minute"], tzinfo=CHINA
    )


def _prices(row: Mapping[str, Any]) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Return open, high, low and close; in bars the protocol writes all prices in thousandths of a yuan."""
    opened, high, low, close = (
        Decimal(round(number(row, name) * 1000)) / 1000
        for name in ("open", "high", "low", "close")
    )
    if not 0 < low <= min(opened, close) <= max(opened, close) <= high:
        raise BadRow("a high that is not the highest, or a low that is not the lowest")
    return opened, high, low, close


def _volume(symbol: Symbol, row: Mapping[str, Any]) -> tuple[int, Decimal]:
    """Return the bar's volume in shares and its amount.

    Servers count some kinds of bars in lots and some in shares; the average price of the bar tells which. Volumes that
    the library misreads are worked out of the amount.
    """
    raw, amount, close = number(row, "vol"), money(row, "amount"), number(row, "close")
    lot = units(symbol)[1]
    if not amount:
        return 0, amount
    if raw < MISREAD_BELOW:
        return round(float(amount) / close / lot) * lot, amount
    shares_each = float(amount) / close / raw
    if not lot**-0.5 <= shares_each < lot**1.5:
        raise BadRow("volume and amount that do not fit the price")
    return round(raw) * (lot if shares_each >= lot**0.5 else 1), amount


def _minutes_of(on: date) -> Iterator[datetime]:
    for start in (time(9, 30), time(13, 0)):
        first = datetime.combine(on, start, CHINA)
        yield from (first + timedelta(minutes=minute) for minute in range(120))
