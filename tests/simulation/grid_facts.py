"""The rows of grid sessions, and their books made again from trading's fills alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from grid.models import GridLot, GridSession, GridTrade
from trading.models import Fill, Order, Signal


@dataclass(slots=True)
class Part:
    """What is left of a buy, or of a sale out of the base holding."""

    quantity: int
    amount: Decimal
    fees: Decimal = Decimal(0)
    closed: int = 0  # how often a part of it was closed


@dataclass(slots=True)
class Books:
    """A session's books as its fills make them, and the most its open lots ever cost."""

    lots: dict[int, Part] = field(default_factory=dict)
    unmatched: dict[int, Part] = field(default_factory=dict)
    highest: Decimal = Decimal(0)
    #: What each sale that closed lots alone has realised, by the key of its fill.
    realised: dict[int, Decimal] = field(default_factory=dict)

    def book(self, number: int, fill: Fill, named: list[int]) -> None:
        buys = fill.side == "buy"
        ours, theirs = (self.lots, self.unmatched) if buys else (self.unmatched, self.lots)
        left, spent = fill.quantity, Decimal(0)
        fees = fill.commission + fill.stamp_duty + fill.transfer_fee
        for key in [*named, *(key for key in reversed(theirs) if key not in named)]:
            part, cost = _close(theirs, key, left)
            left, spent = left - part, spent + cost
        if left:
            one = ours.setdefault(number, Part(0, Decimal(0)))
            one.quantity += left
            one.amount += fill.price * left
            one.fees += fees * left / fill.quantity
        elif not buys:
            self.realised[fill.pk] = fill.price * fill.quantity - spent - fees
        cost = sum((lot.amount for lot in self.lots.values()), Decimal(0))
        self.highest = max(self.highest, cost)


def _close(lots: dict[int, Part], key: int, most: int) -> tuple[int, Decimal]:
    """Close at most so many shares of a lot; return how many, and what they had cost with fees."""
    one = lots.get(key)
    if one is None or not most:
        return 0, Decimal(0)
    part = min(one.quantity, most)
    amount, fees = one.amount * part / one.quantity, one.fees * part / one.quantity
    one.amount -= amount
    one.fees -= fees
    one.quantity -= part
    one.closed += 1
    if not one.quantity:
        del lots[key]
    return part, amount + fees


class GridFacts:
    """The rows of all sessions, and their books made again."""

    def __init__(self) -> None:
        self.sessions = list(GridSession.objects.order_by("pk"))
        self.fills: dict[int, list[Fill]] = defaultdict(list)
        self.books: dict[int, Books] = defaultdict(Books)
        self.lots: dict[int, list[GridLot]] = defaultdict(list)
        self.trades: dict[int, list[GridTrade]] = defaultdict(list)
        if not self.sessions:
            return
        by_source = {row.source: row for row in self.sessions}
        signals = {row.pk: row for row in Signal.objects.filter(source__startswith="grid:")}
        orders = {row.pk: row for row in Order.objects.filter(source__startswith="grid:")}
        for fill in Fill.objects.filter(order_id__in=list(orders)).order_by("pk"):
            order = orders[fill.order_id]
            session = by_source[order.source]
            detail: dict[str, Any] = signals[order.signal_id].detail if order.signal_id else {}
            named = [number for number, _ in detail.get("lots", ())]
            self.fills[session.pk].append(fill)
            self.books[session.pk].book(order.root_id or order.pk, fill, named)
        for lot in GridLot.objects.order_by("pk"):
            self.lots[lot.session_id].append(lot)
        for trade in GridTrade.objects.order_by("pk"):
            self.trades[trade.session_id].append(trade)
