"""What a recorded order of a shadow came to at the twin, beside what the market's own prices say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from trading.domain.types import ZERO, Side, Text

_CENT = Decimal("0.01")


class Tape(StrEnum):
    """How the twin and the market agree about one order."""

    FILLED = "filled"  # both: filled, and the price was reached
    RESTED = "rested"  # both: not filled, and the price was not reached
    TOO_GOOD = "too_good"  # the twin filled what the market did not reach: the rehearsal flatters
    MISSED = "missed"  # the price was reached and the twin did not fill: the queue was long
    UNKNOWN = "unknown"  # no price of the market is kept from that time


WORDS = {
    Tape.FILLED: Text("filled; the market reached the price", "已成交；市场到达该价"),
    Tape.RESTED: Text("not filled; the market did not reach it", "未成交；市场未到该价"),
    Tape.TOO_GOOD: Text(
        "filled by the twin, though the market did not reach the price",
        "模拟端成交，但市场未到该价",
    ),
    Tape.MISSED: Text(
        "not filled by the twin, though the market reached the price",
        "模拟端未成交，但市场到过该价",
    ),
    Tape.UNKNOWN: Text("no market price is kept from that time", "没有保存该时段的市场价格"),
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One order of a shadow: its limit (yuan), and what the twin filled of it, shares and yuan."""

    side: Side
    price: Decimal
    filled: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Compared:
    """`reached_at`, `reached`: the first price of the market (yuan) that reached the limit. `difference`: yuan the twin
    brought more than that price would have, negative when less; None where one of them is missing."""

    tape: Tape
    reached_at: datetime | None = None
    reached: Decimal | None = None
    difference: Decimal | None = None


def compare(order: Recorded, prices: Sequence[tuple[datetime, Decimal]]) -> Compared:
    """Compare an order with the market's prices while it worked, oldest first."""
    if not prices:
        return Compared(Tape.UNKNOWN)
    found = next(((at, price) for at, price in prices if _reaches(order, price)), None)
    if found is None:
        return Compared(Tape.TOO_GOOD if order.filled else Tape.RESTED)
    at, price = found
    if not order.filled:
        return Compared(Tape.MISSED, at, price)
    better = order.amount - order.filled * price
    difference = better if order.side is Side.SELL else -better
    return Compared(Tape.FILLED, at, price, difference.quantize(_CENT, ROUND_HALF_UP))


def _reaches(order: Recorded, price: Decimal) -> bool:
    if price <= ZERO:
        return False
    return price <= order.price if order.side is Side.BUY else price >= order.price
