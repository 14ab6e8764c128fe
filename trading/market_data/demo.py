"""The demo market: invented instruments of every board, moving by a script and a seed. Pure, given seed and time.

Every session plays the same opening, so a demo started on any day at any hour shows the rules at work: within the
first minute one of `demo_holdings` passes its first take-profit and turns, another falls through its stop-loss; a
little later what is left of the first falls to its trailing take-profit. One stock and the fund swing by 2-5 % all
day, for grids. The close of a session depends on seed and session alone, and is the next one's previous close.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random

from trading.domain.calendar import TradingCalendar
from trading.domain.instruments import Instrument, instrument_for, tick_size
from trading.domain.limits import daily_limits
from trading.domain.types import CHINA, BookStatus, Level, Limits, Quote, Symbol

#: When the demo's clock starts on a session, ten seconds before continuous trading.
DEMO_STARTS = time(9, 29, 50)
#: Seconds between two snapshots of a symbol; symbols take turns within them.
EVERY = 3

_MILLION = 1_000_000
#: The close of a session lies within this many millionths of the base price.
_CLOSE_RANGE = 15_000
_SCRIPT_ENDS = 300  # seconds of continuous trading; before, scripted symbols move without noise
_LAST_SECOND = 14_220  # of continuous trading: 14:57
_HALF_DAY, _AFTERNOON = 7_200, 13 * 3600
_DEPTH = 5


class _Mood(StrEnum):
    """How a symbol moves."""

    CALM = "calm"
    SWINGS = "swings"
    TAKES_PROFIT = "takes_profit"
    STOPS = "stops"


#: (second of continuous trading, millionths above the base price); straight lines in between. The first take-profit
#: of the first holding arms at +44,100 and its trailing level is near +9,600; the second holding's stop is at -26,900.
_SCRIPTS: Mapping[_Mood, tuple[tuple[int, int], ...]] = {
    _Mood.TAKES_PROFIT: (
        (20, 52_000), (30, 52_000), (36, 43_000), (100, 43_000), (200, 5_000), (300, 4_000),
    ),
    _Mood.STOPS: ((15, -15_000), (30, -32_000), (45, -38_000), (300, -36_000)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Listing:
    """One invented instrument: base price in yuan; `lots`: size of its orders and volume."""

    symbol: Symbol
    name: str
    base: Decimal
    mood: _Mood = _Mood.CALM
    lots: int = 1


def _listing(
    symbol: str, name: str, base: str, mood: _Mood = _Mood.CALM, lots: int = 1
) -> _Listing:
    return _Listing(Symbol(symbol), f"演示{name}", Decimal(base), mood, lots)


_LISTINGS = (
    _listing("600100.SH", "止盈", "12.00", _Mood.TAKES_PROFIT, 3),
    _listing("000100.SZ", "止损", "25.00", _Mood.STOPS, 2),
    _listing("600200.SH", "网格", "10.00", _Mood.SWINGS, 3),
    _listing("513100.SH", "跨境ETF", "1.500", _Mood.SWINGS, 20),
    _listing("518100.SH", "黄金ETF", "5.600", lots=5),
    _listing("601100.SH", "主板甲", "5.20", lots=5),
    _listing("002100.SZ", "主板乙", "18.60", lots=2),
    _listing("300100.SZ", "创业甲", "38.00"),
    _listing("301100.SZ", "创业乙", "21.50"),
    _listing("688100.SH", "科创", "66.00"),
    _listing("920100.BJ", "北证甲", "18.00"),
    _listing("830100.BJ", "北证乙", "6.75", lots=2),
)


@dataclass(frozen=True, slots=True)
class DemoHolding:
    """A holding the script is written for: shares, and cost in yuan."""

    symbol: Symbol
    quantity: int
    cost: Decimal


def demo_instruments() -> dict[Symbol, Instrument]:
    """Return the invented instruments; every name begins with 演示 (demo)."""
    return {one.symbol: instrument_for(one.symbol, one.name) for one in _LISTINGS}


def demo_holdings() -> tuple[DemoHolding, ...]:
    """Return the holdings that fit the script: take-profit, stop-loss, two for grids, and one that does nothing."""
    return tuple(
        DemoHolding(Symbol(symbol), quantity, Decimal(cost))
        for symbol, quantity, cost in (
            ("600100.SH", 2_000, "11.82"),
            ("000100.SZ", 1_000, "26.30"),
            ("600200.SH", 3_000, "10.00"),
            ("513100.SH", 20_000, "1.500"),
            ("300100.SZ", 500, "37.60"),
        )
    )


class DemoMarket:
    """The demo's quotes. Remembers only where each symbol stands, so that going on costs nothing; going back is allowed."""

    def __init__(self, calendar: TradingCalendar, seed: int = 1) -> None:
        self._calendar, self._seed = calendar, seed
        self._days: tuple[_Day, ...] = ()
        self._on: date | None = None

    def previous_close(self, symbol: Symbol, on: date) -> Decimal:
        """Return what a symbol closed at in the session before `on`, in yuan. Raises KeyError on another symbol."""
        listing = {one.symbol: one for one in _LISTINGS}[symbol]
        return self._close(listing, self._before(on))

    def quotes(self, after: datetime, until: datetime) -> Sequence[Quote]:
        """Return the quotes of the times in (after, until], oldest first."""
        found: list[Quote] = []
        for on in self._calendar.sessions_between(_china(after).date(), _china(until).date()):
            for day in self._walks(on, after):
                found += day.walk(after, until)
        found.sort(key=_by_time)
        return found

    def newest(self, until: datetime) -> Sequence[Quote]:
        """Return the newest quote of each symbol in the session of `until`; none before 09:25 or on a closed day."""
        on = _china(until).date()
        if not self._calendar.is_session(on):
            return []
        found = []
        for day in self._walks(on, until):
            day.skip(until)
            if day.shown is not None:
                found.append(day.quote())
        return sorted(found, key=_by_time)

    def session(self, symbol: Symbol, on: date) -> Iterator[Quote]:
        """Yield one symbol's quotes of continuous trading on a session, whatever was asked before."""
        [(number, listing)] = [one for one in enumerate(_LISTINGS) if one[1].symbol == symbol]
        begins = datetime.combine(on, time(), CHINA)
        walk = self._day(number, listing, on).walk(begins, begins + timedelta(hours=16))
        yield from (quote for quote in walk if quote.status is BookStatus.CONTINUOUS)

    def _walks(self, on: date, after: datetime) -> tuple[_Day, ...]:
        """Return the walks through a session, none further than `after`."""
        if self._on != on or any(day.shown and day.shown > after for day in self._days):
            self._on = on
            self._days = tuple(self._day(n, one, on) for n, one in enumerate(_LISTINGS))
        return self._days

    def _day(self, number: int, listing: _Listing, on: date) -> _Day:
        return _Day(
            listing,
            on,
            number % EVERY,
            self._close(listing, self._before(on)),
            self._close(listing, on),
            Random(f"{self._seed} {listing.symbol} {on}"),
        )

    def _before(self, on: date) -> date:
        return self._calendar.previous_session(on) or on - timedelta(days=1)

    def _close(self, listing: _Listing, on: date) -> Decimal:
        chance = Random(f"{self._seed} {listing.symbol} close {on}").random()
        return _on_tick(listing, int(chance * (2 * _CLOSE_RANGE + 1)) - _CLOSE_RANGE, on)


class DemoSource:
    """The demo market as a source that is asked again and again for what is new."""

    #: After a longer silence (in market time) only the newest quotes count, as at the start.
    GAP = timedelta(hours=1)

    def __init__(self, market: DemoMarket) -> None:
        self._market = market
        self._after: datetime | None = None

    def quotes(self, until: datetime) -> Sequence[Quote]:
        """Return the quotes up to `until` since the last call; at first only the newest of each symbol."""
        after, self._after = self._after, until
        if after is None or until - after > self.GAP:
            return self._market.newest(until)
        return self._market.quotes(after, until) if until > after else ()


class _Day:
    """One symbol on one session, walked forward from its opening auction, snapshot by snapshot."""

    def __init__(
        self,
        listing: _Listing,
        on: date,
        offset: int,
        previous_close: Decimal,
        close: Decimal,
        chance: Random,
    ) -> None:
        self.shown: datetime | None = None  # time of the snapshot the state below is of
        self._listing, self._chance, self._previous_close = listing, chance, previous_close
        instrument = instrument_for(listing.symbol, listing.name)
        self._tick = tick_size(instrument, on)
        self._limits: Limits = daily_limits(instrument, previous_close, on)
        self._path = _path(listing, previous_close, close, chance)
        self._leg = 0
        self._last = self._open = self._high = self._low = previous_close
        self._noise = self._volume = self._bits = 0
        self._amount = Decimal(0)
        self._status = BookStatus.BREAK
        self._midnight = datetime.combine(on, time(), CHINA)
        self._steps = _steps(offset)
        self._next: tuple[datetime, int, BookStatus] | None = None
        self._look_ahead()

    def walk(self, after: datetime, until: datetime) -> Iterator[Quote]:
        """Walk to `until` and return the snapshots later than `after`."""
        while self._next is not None and self._next[0] <= until:
            self._step()
            if self.shown is not None and self.shown > after:
                yield self.quote()

    def skip(self, until: datetime) -> None:
        """Walk to `until` without making quotes."""
        while self._next is not None and self._next[0] <= until:
            self._step()

    def quote(self) -> Quote:
        """Return the snapshot the walk has come to."""
        assert self.shown is not None
        auction = self._status is BookStatus.AUCTION
        bids, asks = self._auction_book() if auction else self._book()
        return Quote(
            symbol=self._listing.symbol,
            time=self.shown,
            last=self._last,
            previous_close=self._previous_close,
            open=self._open,
            high=self._high,
            low=self._low,
            volume=self._volume,
            amount=self._amount,
            bids=bids,
            asks=asks,
            status=self._status,
            limit_up=self._limits.up,
            limit_down=self._limits.down,
        )

    def _look_ahead(self) -> None:
        step = next(self._steps, None)
        if step is None:
            self._next = None
            return
        second, status = step
        self._next = (self._midnight + timedelta(seconds=second), second, status)

    def _step(self) -> None:
        assert self._next is not None
        at, second, status = self._next
        self.shown, self._status = at, status
        self._bits = self._chance.getrandbits(96)
        if status is BookStatus.CONTINUOUS:
            self._trade(self._price(_continuous(second)))
        elif status is BookStatus.CLOSED:
            self._trade(self._path_price(_LAST_SECOND))
        elif self._volume == 0:
            self._trade(self._path_price(0))
            self._open = self._high = self._low = self._last
        self._look_ahead()

    def _trade(self, price: Decimal) -> None:
        quantity = 100 * self._listing.lots * (1 + self._draw(0, 5))
        self._last = price
        self._high, self._low = max(self._high, price), min(self._low, price)
        self._volume += quantity
        self._amount += price * quantity

    def _price(self, second: int) -> Decimal:
        price = self._path_price(second)
        if second >= _SCRIPT_ENDS or self._listing.mood not in _SCRIPTS:
            self._noise = max(-2, min(2, self._noise + self._draw(5, 2) % 3 - 1))
            price += self._noise * self._tick
        up, down = self._limits.up, self._limits.down
        price = price if up is None else min(price, up)
        return price if down is None else max(price, down)

    def _path_price(self, second: int) -> Decimal:
        path = self._path
        while self._leg + 2 < len(path) and path[self._leg + 1][0] <= second:
            self._leg += 1
        (start, low), (end, high) = path[self._leg], path[self._leg + 1]
        steps = low + (high - low) * (second - start) // (end - start)
        return steps * self._tick

    def _book(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Return five levels a side, the last price on one of the two best."""
        best_bid = self._last - (self._tick if self._draw(7, 1) else 0)
        up, down = self._limits.up, self._limits.down
        bids = (Level(best_bid - n * self._tick, self._size(n)) for n in range(_DEPTH))
        asks = (Level(best_bid + (n + 1) * self._tick, self._size(n + 5)) for n in range(_DEPTH))
        return (
            tuple(one for one in bids if one.price > 0 and (down is None or one.price >= down)),
            tuple(one for one in asks if up is None or one.price <= up),
        )

    def _auction_book(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        virtual = (Level(self._path_price(_LAST_SECOND), self._size(0)),)
        return virtual, virtual

    def _size(self, level: int) -> int:
        return 100 * self._listing.lots * (3 + self._draw(16 + 8 * level, 6))

    def _draw(self, first: int, bits: int) -> int:
        """Return `bits` of this snapshot's random bits, from the bit `first` on."""
        return self._bits >> first & (1 << bits) - 1


def _path(
    listing: _Listing, previous_close: Decimal, close: Decimal, chance: Random
) -> tuple[tuple[int, int], ...]:
    """Return the day's corners as (second of continuous trading, price in ticks)."""
    tick = tick_size(instrument_for(listing.symbol), date.max)
    base = listing.base / tick
    corners = list(_SCRIPTS.get(listing.mood, ()))
    every = 150 if listing.mood is _Mood.SWINGS else 600
    for turn, second in enumerate(range(_SCRIPT_ENDS + every, _LAST_SECOND - 60, every)):
        drawn = chance.getrandbits(16)
        if listing.mood is _Mood.SWINGS:
            millionths = (20_000 + drawn % 30_000) * (-1 if turn % 2 else 1)
        else:
            millionths = drawn % 24_001 - 12_000
        corners.append((second, millionths))
    if listing.mood is _Mood.SWINGS:
        corners[:0] = [(100, 25_000), (200, -25_000), (300, 0)]
    in_ticks = [(second, int(base * (_MILLION + ppm) / _MILLION)) for second, ppm in corners]
    return ((0, int(previous_close / tick)), *in_ticks, (_LAST_SECOND, int(close / tick)))


def _on_tick(listing: _Listing, millionths: int, on: date) -> Decimal:
    tick = tick_size(instrument_for(listing.symbol), on)
    return int(listing.base * (_MILLION + millionths) / _MILLION / tick) * tick


def _steps(offset: int) -> Iterator[tuple[int, BookStatus]]:
    """Yield the second of the day and the status of each snapshot of a session."""
    yield 9 * 3600 + 25 * 60 + offset, BookStatus.BREAK
    for second in range(9 * 3600 + 30 * 60, 11 * 3600 + 30 * 60, EVERY):
        yield second + offset, BookStatus.CONTINUOUS
    yield 11 * 3600 + 30 * 60 + offset, BookStatus.BREAK
    for second in range(_AFTERNOON, 14 * 3600 + 57 * 60, EVERY):
        yield second + offset, BookStatus.CONTINUOUS
    for second in range(14 * 3600 + 57 * 60, 15 * 3600, EVERY):
        yield second + offset, BookStatus.AUCTION
    yield 15 * 3600 + offset, BookStatus.CLOSED


def _continuous(second: int) -> int:
    """Return the second of continuous trading at a second of the day."""
    morning = second - (9 * 3600 + 30 * 60)
    return morning if second < _AFTERNOON else _HALF_DAY + second - _AFTERNOON


def _china(at: datetime) -> datetime:
    return at.astimezone(CHINA)


def _by_time(quote: Quote) -> tuple[datetime, Symbol]:
    return quote.time, quote.symbol


def demo_time(calendar: TradingCalendar, start: datetime, elapsed: timedelta) -> datetime:
    """Return the market time `elapsed` after `start` on a clock that skips nights and holidays.

    At 15:36 of a session it goes on at 09:29:50 of the next one; where the calendar ends, time goes on as it is.
    """
    at = _china(start) + elapsed
    while True:
        on = _china(start).date()
        ends = datetime.combine(on, time(15, 36), CHINA)
        following = calendar.next_session(on)
        if at < ends or following is None:
            return at
        begins = datetime.combine(following, DEMO_STARTS, CHINA)
        at = begins + (at - max(ends, _china(start)))
        start = begins
