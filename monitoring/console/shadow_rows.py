"""The recorded orders of one compared day of a shadow, in words."""

from __future__ import annotations

from dataclasses import dataclass

from monitoring.models import ShadowDay, ShadowOrder
from trading.domain.shadow import WORDS, Tape
from trading.domain.types import Text
from trading.models import Order

#: Orders of a day that a page shows.
MOST = 200


@dataclass(frozen=True, slots=True)
class ShadowRow:
    """One order, what the market says of it, and that in words."""

    order: Order
    row: ShadowOrder
    words: Text


def shadow_rows(day: ShadowDay | None) -> list[ShadowRow]:
    """Return the orders of a compared day, in the order in which they were made."""
    if day is None:
        return []
    rows = ShadowOrder.objects.filter(day=day).select_related("order").order_by("order_id")
    return [ShadowRow(row.order, row, WORDS[Tape(row.tape)]) for row in rows[:MOST]]
