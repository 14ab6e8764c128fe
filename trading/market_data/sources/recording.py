"""A recorded source as the replay sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from trading.domain.types import Quote, Symbol, Text


@dataclass(frozen=True, slots=True)
class Recording:
    """Recorded quotes of one source, checked as a whole before the first one is given out.

    `name`: base name of the source. `sha256`: of the file; of a directory over the sorted sums of its files.
    `heartbeat`: seconds without any quote after which this source counts as silent (bars: one bar).
    """

    name: str
    sha256: str
    sessions: tuple[date, ...]
    symbols: tuple[Symbol, ...]
    warnings: tuple[Text, ...]
    heartbeat: int
    _quotes: tuple[Quote, ...] = field(repr=False)

    def __len__(self) -> int:
        """Return the number of quotes."""
        return len(self._quotes)

    def quotes(self) -> Iterator[Quote]:
        """Return every quote, ordered by time and, at equal times, as the source has them."""
        return iter(self._quotes)
