"""Pages over one or several tables in the order of time, newest first.

A page costs the same however far back it is: each table is asked for the rows behind a place, never for a count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

#: Rows of a page.
PAGE = 30

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: So many digits are a time before the year 2287, a number of a table, and a row.
_WRITTEN = re.compile(r"(\d{1,16})-(\d)-(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the time of its last row, the number of its table, and the row."""

    at: datetime
    rank: int
    pk: int

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // _MICROSECOND}-{self.rank}-{self.pk}"


def place_of(text: str) -> Place | None:
    """Read what `str(place)` wrote; None when it is nothing of the kind."""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        return None
    micros, rank, pk = (int(part) for part in written.groups())
    return Place(_EPOCH + micros * _MICROSECOND, rank, pk)


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of one table, and the name of the field that holds their time."""

    rows: QuerySet[Any]
    field: str


@dataclass(frozen=True, slots=True)
class Slice:
    """One page: (number of the table, row), newest first. `older`: where the next page begins, None = this is the last."""

    rows: tuple[tuple[int, Any], ...]
    older: Place | None


def page_of(sources: Sequence[Source], after: Place | None, size: int = PAGE) -> Slice:
    """Return the `size` newest rows behind a place; one query a table. Of rows of one time the earlier table is newer."""
    found: list[tuple[Place, Any]] = []
    for rank, source in enumerate(sources):
        rows = source.rows.filter(_behind(after, rank, source.field)).order_by(
            f"-{source.field}", "-pk"
        )
        found += [
            (Place(getattr(row, source.field), rank, row.pk), row) for row in rows[: size + 1]
        ]
    found.sort(key=lambda one: (one[0].at, -one[0].rank, one[0].pk), reverse=True)
    older = found[size - 1][0] if len(found) > size else None
    return Slice(tuple((place.rank, row) for place, row in found[:size]), older)


def _behind(after: Place | None, rank: int, field: str) -> Q:
    if after is None:
        return Q()
    if rank > after.rank:
        return Q(**{f"{field}__lte": after.at})
    earlier = Q(**{f"{field}__lt": after.at})
    if rank == after.rank:
        earlier |= Q(**{field: after.at}, pk__lt=after.pk)
    return earlier
