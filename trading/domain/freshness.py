"""Freshness: the one answer to "may this quote be decided on" (rules §7), used everywhere."""

from __future__ import annotations

from datetime import datetime, timedelta

from trading.domain.pace import Pace
from trading.domain.types import Quote

#: How far a time stamp may lie ahead of our clock before it is refused.
MAX_AHEAD = timedelta(seconds=2)
#: A stamp so far ahead is no difference between two clocks.
CLOCK_AHEAD = timedelta(minutes=1)
_REAL = Pace()


def from_the_future(at: datetime, now: datetime, pace: Pace = _REAL) -> bool:
    """Whether a time stamp lies more than 2 real s ahead of now: clocks of machines may differ by that."""
    return at - now > pace.market(MAX_AHEAD)


def clock_was_ahead(stamped: datetime, time: datetime, now: datetime) -> bool:
    """Whether an earlier quote was `stamped` by a clock that was ahead and is right again, as a new `time` shows.

    Such a stamp must hold nothing back: it lies in the future for a long time.
    """
    return stamped - now > CLOCK_AHEAD and time - now <= CLOCK_AHEAD


def freshness(
    quote: Quote | None,
    fed_at: datetime | None,
    heartbeat: int,
    now: datetime,
    pace: Pace = _REAL,
) -> bool:
    """Whether the quote is fresh at `now` (aware times, rules §7).

    Fresh: the feed delivered any accepted quote in the last `heartbeat` seconds (`fed_at` None = never), and this
    quote is at most `quote.fresh_for` seconds old and not suspended. A time more than 2 s ahead of now is not fresh.
    `pace`: a feed is a machine, so `heartbeat` is real time; the age of a quote is market time.
    """
    if quote is None or fed_at is None or quote.suspended:
        return False
    if from_the_future(fed_at, now, pace) or from_the_future(quote.time, now, pace):
        return False
    alive = now - fed_at <= pace.market(timedelta(seconds=heartbeat))
    return alive and now - quote.time <= timedelta(seconds=quote.fresh_for)
