"""The quote store in memory: what replays, tests and simulations run on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from trading.domain.freshness import clock_was_ahead
from trading.domain.types import Quote, Symbol
from trading.ports import Arrival, Fed, QuoteReader, QuoteWriter

#: Accepted quotes kept per symbol; what lies further back was folded long ago.
KEPT = 64

_STEP = timedelta(microseconds=1)


@dataclass(slots=True)
class _Feed:
    heartbeat: int
    fed_at: datetime


@dataclass(slots=True)
class _Tape:
    """The last quotes of one symbol, oldest first, and who delivered the newest."""

    feed: str = ""
    stamped: datetime | None = (
        None  # the newest quote's own time, before equal times were told apart
    )
    arrivals: deque[Arrival] = field(default_factory=lambda: deque(maxlen=KEPT))


class MemoryQuoteStore(QuoteReader, QuoteWriter):
    """Keeps the last 64 quotes of every symbol. Equal times of a symbol are told apart by a microsecond."""

    def __init__(self) -> None:
        self._feeds: dict[str, _Feed] = {}
        self._tapes: dict[Symbol, _Tape] = {}
        self._batch: datetime | None = None  # when the newest batch arrived; strictly rising

    def put(self, feed: str, quotes: Iterable[Quote], heartbeat: int, now: datetime) -> None:
        """Store accepted quotes in their order of arrival; one older than its symbol's newest is left out.

        A newest one that lies in the future was stamped by a clock that was ahead, and holds nothing back.

        `now` is when the feed delivered them, `heartbeat` its seconds. No quotes: the feed stays as silent as it was.
        """
        batch = list(quotes)
        if not batch:
            return
        at = now if self._batch is None or now > self._batch else self._batch + _STEP
        self._batch = at
        for quote in batch:
            tape = self._tapes.setdefault(quote.symbol, _Tape())
            newest = tape.arrivals[-1].quote.time if tape.arrivals else None
            if tape.stamped is not None and clock_was_ahead(tape.stamped, quote.time, now):
                tape.stamped = newest = None
            if tape.stamped is not None and quote.time < tape.stamped:
                continue
            tape.feed, tape.stamped = feed, quote.time
            if newest is not None and quote.time <= newest:
                quote = replace(quote, time=newest + _STEP)
            tape.arrivals.append(Arrival(at, quote, feed))
        self._feeds[feed] = _Feed(heartbeat, now)

    def since(self, after: Mapping[Symbol, datetime]) -> Mapping[Symbol, Sequence[Arrival]]:
        """Return per symbol what arrived after its time, oldest first; absent = nothing new."""
        found: dict[Symbol, Sequence[Arrival]] = {}
        for symbol, moment in after.items():
            tape = self._tapes.get(symbol)
            if tape is not None and tape.arrivals and tape.arrivals[-1].at > moment:
                found[symbol] = tuple(arrival for arrival in tape.arrivals if arrival.at > moment)
        return found

    def latest(self, symbols: Iterable[Symbol]) -> Mapping[Symbol, Quote]:
        """Return the newest quote of each symbol that has one."""
        tapes = {symbol: self._tapes.get(symbol) for symbol in symbols}
        return {
            symbol: tape.arrivals[-1].quote
            for symbol, tape in tapes.items()
            if tape is not None and tape.arrivals
        }

    def fed(self, symbol: Symbol) -> Fed:
        """Return the feed that delivered this symbol; `Fed()` before any quote."""
        tape = self._tapes.get(symbol)
        feed = None if tape is None else self._feeds.get(tape.feed)
        return (
            Fed() if tape is None or feed is None else Fed(feed.fed_at, feed.heartbeat, tape.feed)
        )
