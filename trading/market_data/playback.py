"""A recording as a source that is asked again and again for what is new."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from trading.domain.types import Quote, Symbol
from trading.market_data.sources import Recording


class RecordingSource:
    """The quotes of a recording as market time reaches them."""

    def __init__(self, recording: Recording) -> None:
        self._quotes = recording.quotes()
        self._next = next(self._quotes, None)
        self._begun = False

    def quotes(self, until: datetime) -> Sequence[Quote]:
        """Return the quotes up to `until` since the last call, oldest first; at first only the newest of each symbol."""
        due: list[Quote] = []
        while self._next is not None and self._next.time <= until:
            due.append(self._next)
            self._next = next(self._quotes, None)
        if self._begun:
            return due
        self._begun = True
        newest: dict[Symbol, Quote] = {quote.symbol: quote for quote in due}
        return sorted(newest.values(), key=lambda quote: quote.time)
