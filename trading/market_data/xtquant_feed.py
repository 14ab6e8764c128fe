"""Quotes from the vendor's `xtdata`, or anything that looks like it; the module is passed in, never imported here.

Its floats become `Decimal` at this edge, through the tick; its lots become shares; its milliseconds China time.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any, Protocol

from trading.domain.instruments import Category, Instrument, instrument_for, tick_size
from trading.domain.limits import from_float
from trading.domain.types import CHINA, BookStatus, Level, Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.market_data.status import at_its_time
from trading.ports import Feed

#: `openInt` is the status of a stock; the field called stockStatus is not (vendor's table, seen live).
STATUS: Mapping[int, BookStatus] = {
    0: BookStatus.UNKNOWN,
    10: BookStatus.UNKNOWN,
    11: BookStatus.PRE_OPEN,
    12: BookStatus.AUCTION,
    13: BookStatus.CONTINUOUS,
    14: BookStatus.BREAK,
    15: BookStatus.CLOSED,
    16: BookStatus.HALTED,  # volatility halt
    17: BookStatus.HALTED,  # temporary suspension
    18: BookStatus.AUCTION,  # closing auction
    19: BookStatus.AUCTION,  # intraday auction
    20: BookStatus.HALTED,  # halted to the close
    21: BookStatus.UNKNOWN,  # the terminal could not read the field
    22: BookStatus.AFTER_HOURS,
    23: BookStatus.CLOSED,  # after-hours trading is over
}

SHARES_PER_LOT = 100
BONDS_PER_LOT = 10
#: Funds that trade every few seconds of every session, at both exchanges: while quotes come at all, theirs do.
CANARIES = (Symbol("510300.SH"), Symbol("510050.SH"), Symbol("159915.SZ"))
#: Deliveries kept while nobody polls, and refusals while nobody asks; the oldest go first.
INBOX, UNREAD = 10_000, 10_000


class XtData(Protocol):
    """The two functions of `xtquant.xtdata` this feed needs."""

    def subscribe_whole_quote(self, code_list: list[str], callback: Callable[[Any], None]) -> Any:
        """Push {symbol: tick} for these codes to the callback, from a thread of the vendor's; < 0 = refused."""

    def get_full_tick(self, code_list: list[str]) -> Any:
        """Return {symbol: tick}; codes without a tick are absent."""


class _BadTick(Exception):
    """A field of a tick is missing or no number; the argument names it."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """The present ticks, as the terminal knows them when it is asked."""

    ticks: Any


class XtQuantFeed(Feed):
    """One terminal as a feed. A bad row is refused and counted, it never raises and never touches another row.

    Whole-quote subscriptions only: single ones are limited to about fifty by the vendor, push each symbol by itself,
    and tell nothing more of an A-share than the same snapshot every 3 s.

    Who asks again is told the tick of before, however long the market has not been heard: that is no delivery, or a
    line that is opened anew whenever it is silent would never be silent.

    `refused` counts (symbol, field), under no symbol what was never asked for; `poll` is called from one thread, the
    vendor's callback only appends.
    """

    def __init__(self, xtdata: XtData, name: str = "xtquant", heartbeat: int = 10) -> None:
        self.name, self.heartbeat = name, heartbeat
        self.refused: Counter[tuple[str, str]] = Counter()
        self._unreadable: deque[tuple[Symbol, str]] = deque(maxlen=UNREAD)
        self._xtdata = xtdata
        self._inbox: deque[Any] = deque(maxlen=INBOX)
        self._subscribed: set[Symbol] = set()
        self._told: dict[Symbol, Quote] = {}

    def subscribe(self, symbols: Iterable[Symbol]) -> None:
        """Ask for pushes of the symbols not asked for yet, and for their present ticks. Raises GatewayUnavailable."""
        new = sorted(set(symbols) - self._subscribed)
        if not new:
            return
        codes = [str(symbol) for symbol in new]
        try:
            handle = self._xtdata.subscribe_whole_quote(codes, self._inbox.append)
            ticks = self._xtdata.get_full_tick(codes)
        except Exception as error:  # the vendor raises bare exceptions of any type
            raise GatewayUnavailable(f"{self.name}: {error}") from error
        if isinstance(handle, int) and handle < 0:
            raise GatewayUnavailable(f"{self.name}: subscription refused ({handle})")
        self._subscribed.update(new)
        self._inbox.append(_Asked(ticks))

    def forget_subscriptions(self) -> None:
        """Subscribe anew at the next `subscribe`: the terminal does not replay subscriptions after a reconnect."""
        self._subscribed.clear()

    def poll(self, now: datetime) -> Sequence[Quote]:
        """Return the readable ticks that arrived since the last call, in their order of arrival."""
        quotes: list[Quote] = []
        for _ in range(len(self._inbox)):
            delivery = self._inbox.popleft()
            was_asked = isinstance(delivery, _Asked)
            ticks = delivery.ticks if was_asked else delivery
            if not isinstance(ticks, Mapping):
                self.refused["", "delivery"] += 1
                continue
            for code, tick in ticks.items():
                quote = self._read(code, tick)
                if quote is None or (was_asked and quote == self._told.get(quote.symbol)):
                    continue
                self._told[quote.symbol] = quote
                quotes.append(quote)
        return quotes

    def unreadable(self) -> Sequence[tuple[Symbol, str]]:
        """Return and forget the symbol and field of each tick that could not be read since the last call."""
        found = list(self._unreadable)
        self._unreadable.clear()
        return found

    def _read(self, code: object, tick: object) -> Quote | None:
        if code not in self._subscribed:
            self.refused["", "symbol"] += 1
            return None
        symbol = Symbol(str(code))
        try:
            return read_tick(symbol, tick)
        except _BadTick as error:
            self.refused[symbol, str(error)] += 1
            self._unreadable.append((symbol, str(error)))
            return None


def read_tick(symbol: Symbol, tick: object) -> Quote:
    """Return one tick of the terminal as a quote. Raises _BadTick naming the field that is missing or no number."""
    if not isinstance(tick, Mapping):
        raise _BadTick("tick")
    time = _time(tick)
    instrument, step = _known(symbol, time.date())
    unit = BONDS_PER_LOT if instrument.category is Category.CONVERTIBLE_BOND else SHARES_PER_LOT
    return Quote(
        symbol=symbol,
        time=time,
        last=_price(tick, "lastPrice", step),
        previous_close=_price(tick, "lastClose", step),
        open=_price(tick, "open", step),
        high=_price(tick, "high", step),
        low=_price(tick, "low", step),
        volume=_whole(_field(tick, "volume"), "volume") * unit,
        amount=_exact(_finite(_field(tick, "amount"), "amount"), step),
        bids=_levels(tick, "bidPrice", "bidVol", step, unit),
        asks=_levels(tick, "askPrice", "askVol", step, unit),
        status=at_its_time(
            STATUS.get(_whole(_field(tick, "openInt"), "openInt"), BookStatus.UNKNOWN), time
        ),
    )


@lru_cache(maxsize=8192)
def _known(symbol: Symbol, on: date) -> tuple[Instrument, Decimal]:
    instrument = instrument_for(symbol)
    return instrument, tick_size(instrument, on)


def _field(tick: Mapping[Any, Any], name: str) -> Any:
    value = tick.get(name)
    if value is None:
        raise _BadTick(name)
    return value


def _finite(value: object, name: str) -> int | float:
    if type(value) is int and value >= 0:
        return value
    if not isinstance(value, float) or not isfinite(value) or value < 0:
        raise _BadTick(name)
    return value


def _price(tick: Mapping[Any, Any], name: str, step: Decimal) -> Decimal:
    return _on_tick(_finite(_field(tick, name), name), step)


def _exact(value: int | float, step: Decimal) -> Decimal:
    # float(): a number of another library's prints itself differently
    return from_float(value if isinstance(value, int) else repr(float(value)), step)


#: Prices come again and again; amounts never do.
_on_tick = lru_cache(maxsize=65536)(_exact)


def _whole(value: object, name: str) -> int:
    exact = _finite(value, name)
    return exact if isinstance(exact, int) else int(exact + 0.5)


def _levels(
    tick: Mapping[Any, Any], prices: str, volumes: str, step: Decimal, unit: int
) -> tuple[Level, ...]:
    """Return the levels with a price and a quantity; a sealed side is all zero, an auction's level 2 has no price."""
    price_list, volume_list = _field(tick, prices), _field(tick, volumes)
    if not (isinstance(price_list, Sequence) and isinstance(volume_list, Sequence)):
        raise _BadTick(prices)
    levels = (
        Level(_on_tick(_finite(price, prices), step), _whole(volume, volumes) * unit)
        for price, volume in zip(price_list, volume_list, strict=False)
    )
    return tuple(level for level in levels if level.price and level.quantity)


def _time(tick: Mapping[Any, Any]) -> datetime:
    """Return the tick's time in China from milliseconds, or from the `timetag` the larger terminal sends instead."""
    stamp = tick.get("time")
    try:
        if stamp is None:
            return datetime.strptime(str(tick.get("timetag")), "%Y%m%d %H:%M:%S").replace(
                tzinfo=CHINA
            )
        milliseconds = _whole(stamp, "time")
        return datetime.fromtimestamp(0, CHINA) + timedelta(milliseconds=milliseconds)
    except (ValueError, OverflowError):
        raise _BadTick("time") from None
