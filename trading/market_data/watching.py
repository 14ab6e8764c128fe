"""What the pump remembers of each source and symbol, so that their health can be told: counts, bounded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from trading.domain.source_health import Condition, Observation
from trading.domain.types import Quote, Text

#: The last five minutes, a slot each.
MINUTES = 5
_MICROSECOND = timedelta(microseconds=1)


#: Where a count lies in a slot; the first place is the minute itself. Of calls, and of the quotes of a symbol.
CALLS, FAILED = 1, 2
ACCEPTED, REFUSED, NEWER, LATENCY = 1, 2, 3, 4
#: An average of fewer says nothing: the first one after a reconnect may be old.
FEW = 3


class Tally:
    """Counts of the last five minutes: five slots, used again and again."""

    __slots__ = ("_slots",)

    def __init__(self, counts: int) -> None:
        self._slots = [[-1, *[0] * counts] for _ in range(MINUTES)]

    def slot(self, minute: int) -> list[int]:
        """Return the slot to count in."""
        slot = self._slots[minute % MINUTES]
        if slot[0] != minute:
            slot[:] = [minute, *[0] * (len(slot) - 1)]
        return slot

    def sums(self, minute: int) -> Sequence[int]:
        """Return each count over the minutes up to this one; in the places named above."""
        total = [0] * len(self._slots[0])
        for slot in self._slots:
            if minute - MINUTES < slot[0] <= minute:
                for place, count in enumerate(slot):
                    total[place] += count
        return total


class SourceWatch:
    """One source: how its calls went. Calls count while quotes are expected, whatever else happens is idleness."""

    def __init__(self) -> None:
        self.calls = Tally(2)
        self.failed_in_a_row = 0
        self.well_since: datetime | None = None
        self.delivered_at: datetime | None = None

    def called(self, minute: int, now: datetime, *, failed: bool) -> None:
        slot = self.calls.slot(minute)
        slot[CALLS] += 1
        if failed:
            slot[FAILED] += 1
            self.failed_in_a_row += 1
            self.well_since = None
        else:
            self.failed_in_a_row = 0
            if self.well_since is None:
                self.well_since = now


class SymbolWatch:
    """One symbol of one source. What comes while nothing is expected is kept, but says nothing of its health."""

    __slots__ = (
        *("arrived_at", "changed", "last", "quotes", "refused_in_a_row", "refused_since"),
        *("refused_why", "steady_since", "total"),
    )

    def __init__(self) -> None:
        self.last: Quote | None = None
        self.arrived_at: datetime | None = None
        self.quotes = Tally(4)
        self.total = self.refused_in_a_row = 0
        self.refused_since: datetime | None = None
        self.refused_why: Text | None = None
        self.steady_since: datetime | None = None
        self.changed = True

    def accepted(self, quote: Quote, minute: int, now: datetime, *, expected: bool) -> None:
        if expected:
            slot = self.quotes.slot(minute)
            slot[ACCEPTED] += 1
            if (
                self.last is not None and quote.time > self.last.time
            ):  # not the same one, told again
                slot[NEWER] += 1
                slot[LATENCY] += (now - quote.time) // _MICROSECOND
        self.last, self.arrived_at, self.changed = quote, now, True
        self.total += 1
        self.refused_in_a_row, self.refused_since = 0, None

    def refused(self, why: Text, minute: int, now: datetime, *, expected: bool) -> None:
        self.changed = True
        if not expected:
            return
        self.quotes.slot(minute)[REFUSED] += 1
        self.refused_in_a_row += 1
        self.refused_since = self.refused_since or now
        self.refused_why = why

    def stays(self, condition: Condition, now: datetime) -> None:
        """Note the condition just before an accepted quote: only who was good already goes on being steady."""
        if condition is not Condition.GOOD or self.steady_since is None:
            self.steady_since = now


def observe(
    source: SourceWatch,
    symbol: SymbolWatch | None,
    minute: int,
    now: datetime,
    expected_since: datetime | None,
    heartbeat: timedelta,
) -> Observation:
    """Return what is known of one source and one symbol at `now`; `symbol` None: it never said anything of it.

    `expected_since`: when trading began, None while nothing is expected. `heartbeat` in market time.
    """
    calls = source.calls.sums(minute)
    last = None if symbol is None else symbol.last
    if expected_since is None or (last is not None and last.suspended):
        return Observation(False, calls[CALLS], calls[FAILED], source.failed_in_a_row)
    quotes = [0] * 5 if symbol is None else symbol.quotes.sums(minute)
    newer = quotes[NEWER]
    return Observation(
        expected=True,
        calls=calls[CALLS],
        failed=calls[FAILED],
        failed_in_a_row=source.failed_in_a_row,
        accepted=quotes[ACCEPTED],
        refused=quotes[REFUSED],
        refused_in_a_row=0 if symbol is None else symbol.refused_in_a_row,
        latency=timedelta(microseconds=quotes[LATENCY] // newer) if newer >= FEW else None,
        age=_since(None if last is None else last.time, expected_since, now),
        silent=_since(source.delivered_at, expected_since, now),
        fresh_for=timedelta(seconds=90 if last is None else last.fresh_for),
        heartbeat=heartbeat,
    )


def _since(at: datetime | None, began: datetime, now: datetime) -> timedelta:
    return max(now - (began if at is None else max(at, began)), timedelta(0))
