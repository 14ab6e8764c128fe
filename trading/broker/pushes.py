"""Whether the terminal still tells of fills by itself: a subscription can be lost while queries go on answering.

Nothing depends on it, for fills are booked from queries too; but whoever looks should know that they come late.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from trading.domain.reports import BrokerTrade, Event, Snapshot
from trading.domain.types import Symbol

#: A fill that a query has shown may be pushed so much later (real time): what is queued comes in a burst.
PATIENCE = timedelta(seconds=10)

_Key = tuple[Symbol, int, str]


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
            if isinstance(event.report, BrokerTrade):
                self._told(_key(event.report))
            elif isinstance(event.report, Snapshot) and event.report.trades is not None:
                self._shown(event.report.trades, now)
        if any(now - since > self._patience for since in self._untold.values()):
            self.dead, self._untold = True, {}

    def _told(self, key: _Key) -> None:
        self.dead = False
        self._untold.pop(key, None)
        if self._known is not None:
            self._known.add(key)

    def _shown(self, trades: Sequence[BrokerTrade], now: datetime) -> None:
        shown = {_key(trade) for trade in trades}
        if self._known is not None:
            self._untold.update((key, now) for key in shown - self._known)
        self._known = shown | (self._known or set())


def _key(trade: BrokerTrade) -> _Key:
    return trade.symbol, trade.broker_order_id, trade.traded_id
