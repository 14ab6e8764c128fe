"""Quotes as fixed-size packed integers: what both durable quote stores keep, and what they share.

A record is one arrival of one symbol: 296 bytes, prices and amounts as integers of 1/10000 yuan (a finer one is
rounded half up; no exchange quotes any), times in microseconds. It keeps five levels a side; deeper ones are cut,
no rule looks at them. Records of a symbol are numbered 1, 2, 3 …; the last 64 lie in slots `number % 64`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple

from trading.domain.freshness import clock_was_ahead
from trading.domain.types import CHINA, BookStatus, Level, Quote, Symbol
from trading.market_data.store import KEPT
from trading.ports import Arrival, Fed

#: Levels kept on each side of the book.
DEPTH = 5

#: number, at, previous at, time, time as stamped, feed, status, fresh_for, volume; eight of money; the book: prices
#: and quantities of the bids, then of the asks.
_HEAD = 9
_BIDS = _HEAD + 8
_ASKS = _BIDS + 2 * DEPTH
_FORM = struct.Struct(f"<{_ASKS + 2 * DEPTH}q")
_STEPS = struct.Struct("<3q")  # the first three: enough to know whether a record is news
_FEED = struct.Struct("<2q")

_EPOCH = datetime(1970, 1, 1, 8, tzinfo=CHINA)
_MICROSECOND = timedelta(microseconds=1)
_ABSENT = -1  # a limit nobody states
_STATUSES = tuple(BookStatus)
_STATUS_NUMBERS = {status: number for number, status in enumerate(_STATUSES)}


class FeedState(NamedTuple):
    """One feed: its heartbeat in seconds and when it last delivered."""

    name: str
    heartbeat: int
    fed_at: datetime


class Steps(NamedTuple):
    """The place of a record among those of its symbol; times in microseconds since 1970."""

    number: int
    at: int
    previous_at: int


class Record(NamedTuple):
    """One packed arrival."""

    symbol: Symbol
    number: int
    at: int
    packed: bytes

    @property
    def slot(self) -> int:
        return slot_of(self.number)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one `put` adds to a store; a store shows all of it or nothing. `feed_number` is the feed's index."""

    feed_number: int
    feed: FeedState
    records: Sequence[Record]


@dataclass(slots=True)
class Kept:
    """What a store holds already, for a writer that starts again."""

    newest: Mapping[Symbol, bytes] = field(default_factory=dict)
    feeds: Mapping[int, FeedState] = field(default_factory=dict)


class _Tape(NamedTuple):
    number: int
    at: int
    time: datetime
    stamped: datetime


class Stamper:
    """Gives arrivals their number and time. There is one writer of quotes, and this is its memory.

    Batches arrive at strictly rising times whatever `now` says; equal times of a symbol are told apart by a
    microsecond; a quote older than its symbol's newest is left out, unless that one lies in the future: a clock was
    ahead and is right again. As MemoryQuoteStore does.
    """

    def __init__(self, kept: Kept) -> None:
        self._feeds = {feed.name: number for number, feed in kept.feeds.items()}
        self._tapes = {symbol: _tape_of(packed) for symbol, packed in kept.newest.items()}
        self._at = max((tape.at for tape in self._tapes.values()), default=0)

    def stamp(
        self, feed: str, quotes: Iterable[Quote], heartbeat: int, now: datetime
    ) -> Batch | None:
        """Return the batch to store, None without quotes."""
        batch = list(quotes)
        if not batch:
            return None
        self._at = max(micros(now), self._at + 1)
        feed_number = self._feeds.setdefault(feed, len(self._feeds))
        records = [
            record
            for quote in batch
            if (record := self._stamped(quote, feed_number, now)) is not None
        ]
        return Batch(feed_number, FeedState(feed, heartbeat, now), records)

    def _stamped(self, quote: Quote, feed_number: int, now: datetime) -> Record | None:
        tape = self._tapes.get(quote.symbol)
        time, number, previous_at = quote.time, 1, 0
        if tape is not None:
            if not clock_was_ahead(tape.stamped, quote.time, now):
                if quote.time < tape.stamped:
                    return None
                time = max(quote.time, tape.time + _MICROSECOND)
            # Two arrivals of one batch share their time.
            number, previous_at = tape.number + 1, tape.at
        self._tapes[quote.symbol] = _Tape(number, self._at, time, quote.time)
        packed = _pack(quote, time, Steps(number, self._at, previous_at), feed_number)
        return Record(quote.symbol, number, self._at, packed)


def _tape_of(packed: bytes) -> _Tape:
    number, at, _, time, stamped = struct.unpack_from("<5q", packed)
    return _Tape(number, at, moment(time), moment(stamped))


def slot_of(number: int) -> int:
    """Return where the record of this number lies; the 64th later one takes its place."""
    return number % KEPT


def steps_of(packed: bytes) -> Steps:
    """Return a record's place without unpacking the rest."""
    return Steps._make(_STEPS.unpack_from(packed))


def feed_number_of(packed: bytes) -> int:
    """Return the number of the feed that delivered a record."""
    return int(struct.unpack_from("<q", packed, 5 * 8)[0])


def pack_feed(feed: FeedState) -> bytes:
    return _FEED.pack(feed.heartbeat, micros(feed.fed_at)) + feed.name.encode()


def unpack_feed(packed: bytes) -> FeedState:
    heartbeat, fed_at = _FEED.unpack_from(packed)
    return FeedState(packed[_FEED.size :].decode(), heartbeat, moment(fed_at))


def fed_by(feed: FeedState | None) -> Fed:
    """Return a feed as readers see it; None: of a symbol that no feed has delivered yet."""
    return Fed() if feed is None else Fed(feed.fed_at, feed.heartbeat, feed.name)


def micros(time: datetime) -> int:
    """Return an aware time as whole microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def moment(number: int) -> datetime:
    """Return microseconds since 1970 as a time in China."""
    return _EPOCH + timedelta(microseconds=number)


def _pack(quote: Quote, time: datetime, steps: Steps, feed_number: int) -> bytes:
    up, down = quote.limit_up, quote.limit_down
    return _FORM.pack(
        *steps,
        micros(time),
        micros(quote.time),
        feed_number,
        _STATUS_NUMBERS[quote.status],
        quote.fresh_for,
        quote.volume,
        _price_units(quote.last),
        _price_units(quote.previous_close),
        _price_units(quote.open),
        _price_units(quote.high),
        _price_units(quote.low),
        _units(quote.amount),
        _ABSENT if up is None else _price_units(up),
        _ABSENT if down is None else _price_units(down),
        *_book(quote.bids),
        *_book(quote.asks),
    )


def _book(levels: Sequence[Level]) -> list[int]:
    kept = levels[:DEPTH]
    empty = [0] * (DEPTH - len(kept))
    prices = [_price_units(level.price) for level in kept]
    return [*prices, *empty, *(level.quantity for level in kept), *empty]


def quote_of(symbol: Symbol, packed: bytes) -> Quote:
    """Return the quote of a record."""
    values = _FORM.unpack(packed)
    time, status, fresh_for, volume = values[3], values[6], values[7], values[8]
    last, previous_close, opened, high, low, amount, up, down = values[_HEAD:_BIDS]
    return Quote(
        symbol,
        moment(time),
        _yuan(last),
        _yuan(previous_close),
        _yuan(opened),
        _yuan(high),
        _yuan(low),
        volume,
        _scaled(amount),
        _levels(values[_BIDS : _BIDS + DEPTH], values[_BIDS + DEPTH : _ASKS]),
        _levels(values[_ASKS : _ASKS + DEPTH], values[_ASKS + DEPTH :]),
        _STATUSES[status],
        None if up == _ABSENT else _yuan(up),
        None if down == _ABSENT else _yuan(down),
        fresh_for,
    )


def _levels(prices: Sequence[int], quantities: Sequence[int]) -> tuple[Level, ...]:
    # Past NamedTuple's own constructor: a tick makes ten of these for each of thousands of symbols.
    pairs = zip(map(_yuan, prices), quantities, strict=True)
    levels = tuple([_new_level(Level, pair) for pair in pairs])
    return levels if prices[-1] else levels[: DEPTH - prices.count(0)]


_new_level = tuple.__new__


def _units(yuan: Decimal) -> int:
    return int(yuan.scaleb(4).to_integral_value(ROUND_HALF_UP))


def _scaled(units: int) -> Decimal:
    return Decimal(units).scaleb(-4)


# Prices repeat from quote to quote, amounts do not.
_price_units = lru_cache(maxsize=65_536)(_units)
_yuan = lru_cache(maxsize=65_536)(_scaled)


#: Reads the records in these slots; None where there is none.
ReadSlots = Callable[[Sequence[tuple[Symbol, int]]], Sequence[bytes | None]]


def arrivals_since(
    after: Mapping[Symbol, datetime],
    newest: Mapping[Symbol, bytes],
    read: ReadSlots,
    feeds: Mapping[int, FeedState],
) -> dict[Symbol, Sequence[Arrival]]:
    """Return per symbol what arrived after its time, oldest first, from the newest records of one moment.

    `newest` must have been read at once: nothing later than it is returned, so whole batches are. The others are
    read backwards, a few at first: an ordinary tick needs one or two of a symbol.
    """
    marks = {symbol: micros(time) for symbol, time in after.items() if symbol in newest}
    chains = {
        symbol: [newest[symbol]]
        for symbol, mark in marks.items()
        if steps_of(newest[symbol]).at > mark
    }
    unread = {symbol for symbol, chain in chains.items() if _has_more(chain, marks[symbol])}
    for nearest, farthest in ((1, 1), (2, 8), (9, KEPT - 1)):
        wanted = [
            (symbol, number)
            for symbol in sorted(unread)
            for number in _before(chains[symbol][0], nearest, farthest)
        ]
        if not wanted:
            break
        found = read([(symbol, slot_of(number)) for symbol, number in wanted])
        for (symbol, number), packed in zip(wanted, found, strict=True):
            # Another number: overwritten since, or from before the store was emptied.
            if symbol in unread and packed is not None and steps_of(packed).number == number:
                chains[symbol].append(packed)
                if not _has_more(chains[symbol], marks[symbol]):
                    unread.discard(symbol)
    names = {number: feed.name for number, feed in feeds.items()}
    return {
        symbol: tuple(
            Arrival(
                moment(steps_of(packed).at),
                quote_of(symbol, packed),
                names.get(feed_number_of(packed), ""),
            )
            for packed in reversed(chain)
            if steps_of(packed).at > marks[symbol]
        )
        for symbol, chain in chains.items()
    }


def _before(packed: bytes, nearest: int, farthest: int) -> range:
    number = steps_of(packed).number
    return range(number - nearest, max(number - farthest - 1, 0), -1)


def _has_more(chain: Sequence[bytes], mark: int) -> bool:
    return steps_of(chain[-1]).previous_at > mark
