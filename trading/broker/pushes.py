"""Whether the terminal still tells by itself: a subscription can be lost while queries go on answering.

What queries show and nobody told is the canary of the push path: a fill, or an order that is new. Nothing depends on
it, for fills are booked from queries too; but whoever looks should know that they come late.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from trading.domain.reports import BrokerOrder, BrokerTrade, Event, Snapshot
from trading.domain.types import Symbol

#: What a query has shown may be pushed so much later (real time): what is queued comes in a burst.
PATIENCE = timedelta(seconds=10)

_Key = tuple[Symbol, int, str | None]  # None: the order itself, else the number of its fill


class PushWatch:
    """Compares what one connection is told with what its queries show. `dead`: what they show is not told any more."""

    def __init__(self, patience: timedelta = PATIENCE) -> None:
        self._patience = patience
        self.dead = False
        self.connected()

    def connected(self) -> None:
        """Begin anew: what the first query of a connection shows happened before it."""
        self._known: set[_Key] | None = None
        self._untold: dict[_Key, datetime] = {}

    def look(self, events: Sequence[Event], now: datetime) -> None:
        """Note what came, in the order of its arrival."""
        for event in events:
            report = event.report
            if isinstance(report, BrokerTrade | BrokerOrder):
                self._told(_key(report))
            elif isinstance(report, Snapshot) and report.trades is not None:
                self._shown([*report.trades, *(report.orders or ())], now)
        if any(now - since > self._patience for since in self._untold.values()):
            self.dead, self._untold = True, {}

    def _told(self, key: _Key) -> None:
        self.dead = False
        self._untold.pop(key, None)
        if self._known is not None:
            self._known.add(key)

    def _shown(self, rows: Iterable[BrokerTrade | BrokerOrder], now: datetime) -> None:
        shown = {_key(row) for row in rows}
        if self._known is not None:
            self._untold.update((key, now) for key in shown - self._known)
        self._known = shown | (self._known or set())


def _key(row: BrokerTrade | BrokerOrder) -> _Key:
    return row.symbol, row.broker_order_id, getattr(row, "traded_id", None)
