"""I21-I25, of grid sessions: their books are their fills, their money and shares are nobody else's.

Nothing here calls the code it checks: lots, cost and profit are made again from trading's fills.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from tests.simulation.facts import Facts
from trading.models import Fill, Order

#: Closing part of a lot rounds to 1/10000 yuan each time.
_ROUNDING = Decimal("0.0001")
#: Parts of lots and of their fees add up these roundings.
_CENT = Decimal("0.01")


def i21_lots_are_fills(facts: Facts) -> Iterator[str]:
    """Each fill of a session's orders is in its books once, and its open lots are what the fills left."""
    for row in facts.grids.sessions:
        fills, name = facts.grids.fills[row.pk], f"{row.symbol} #{row.pk}"
        known = Counter(trade.fill_id for trade in facts.grids.trades[row.pk])
        if known != Counter(fill.pk for fill in fills):
            yield f"I21 grid {name} has {known.total()} fills in its books, {len(fills)} were booked"
        books = facts.grids.books[row.pk]
        for unmatched, expected in ((False, books.lots), (True, books.unmatched)):
            rows = [one for one in facts.grids.lots[row.pk] if one.unmatched is unmatched]
            found = {one.number: one.quantity for one in rows}
            wanted = {number: one.quantity for number, one in expected.items()}
            what = "sales out of the base" if unmatched else "lots"
            if found != wanted:
                yield f"I21 grid {name} shows the {what} {found}, its fills give {wanted}"


def i22_grid_money(facts: Facts) -> Iterator[str]:
    """Totals are sums of fills; realised profit, fees and the cost of what is open explain the cash to the cent."""
    for row in facts.grids.sessions:
        fills, name = facts.grids.fills[row.pk], f"{row.symbol} #{row.pk}"
        sums = {"buy": Decimal(0), "sell": Decimal(0)}
        counts = {"buy": 0, "sell": 0}
        fees = Decimal(0)
        for fill in fills:
            sums[fill.side] += fill.price * fill.quantity
            counts[fill.side] += fill.quantity
            fees += fill.commission + fill.stamp_duty + fill.transfer_fee
        shown = (
            row.bought_quantity, row.bought_amount, row.sold_quantity, row.sold_amount, row.fees
        )  # fmt: skip
        wanted = (counts["buy"], sums["buy"], counts["sell"], sums["sell"], fees)
        if shown != wanted:
            yield f"I22 grid {name} shows the totals {shown}, its fills give {wanted}"
        lots = [one for one in facts.grids.lots[row.pk] if not one.unmatched]
        sales = [one for one in facts.grids.lots[row.pk] if one.unmatched]
        held = sum((one.amount + one.fees for one in lots), Decimal(0))
        held -= sum((one.amount - one.fees for one in sales), Decimal(0))
        realised = sums["sell"] - sums["buy"] - fees + held
        if row.realised != realised:
            yield f"I22 grid {name} realised {row.realised} yuan, cash and what is open say {realised}"
        books = facts.grids.books[row.pk]
        for one in lots:
            expected = books.lots.get(one.number)
            if expected is not None and abs(one.amount - expected.amount) > _ROUNDING * (
                1 + expected.closed
            ):
                yield f"I22 grid {name}: lot {one.number} cost {one.amount}, its fills {expected.amount}"
        for trade in facts.grids.trades[row.pk]:
            made = books.realised.get(trade.fill_id)
            if made is not None and abs(trade.realised - made) > _CENT:
                yield f"I22 grid {name}: a sale realised {trade.realised} yuan, the lots it was decided for {made}"


def i23_grid_budget(facts: Facts) -> Iterator[str]:
    """A session's open lots never cost more than its budget."""
    for row in facts.grids.sessions:
        highest = facts.grids.books[row.pk].highest
        if highest > row.max_investment:
            yield f"I23 grid {row.symbol} #{row.pk} had {highest} yuan in lots, {row.max_investment} are allowed"


def i24_shares_promised_once(facts: Facts) -> Iterator[str]:
    """When a sale is approved, all that work on its symbol, exits and grids, ask for no more than can be sold."""
    sales: dict[str, list[Order]] = defaultdict(list)
    for order in facts.orders.values():
        if order.side == "sell":
            sales[order.symbol].append(order)
    booked: dict[str, list[Fill]] = defaultdict(list)
    for fill in Fill.objects.order_by("pk"):
        booked[fill.symbol].append(fill)
    for symbol, orders in sales.items():
        for order in orders:
            promised = sum(
                _left(one, booked[symbol], order.approved_at)
                for one in orders
                if one.pk <= order.pk and _works(one, order.approved_at)
            )
            free = _free(facts, symbol, booked[symbol], order.approved_at)
            if promised > free:
                yield f"I24 with {order.client_order_id} {promised} {symbol} were promised, {free} could be sold"


def _works(order: Order, at: datetime) -> bool:
    return order.ended_at is None or order.ended_at > at


def _left(order: Order, fills: list[Fill], at: datetime) -> int:
    """Shares an order still asked for at a moment, as far as anybody had been told."""
    filled = sum(one.quantity for one in fills if one.order_id == order.pk and one.booked_at <= at)
    return max(0, order.quantity - filled)


def _free(facts: Facts, symbol: str, fills: list[Fill], at: datetime) -> int:
    """Shares that could be sold at a moment by our books: yesterday's, and today's where they need not rest."""
    # Of a stranger's fill that was booked in this very second nobody can say whether it was known.
    known = [one for one in fills if one.booked_at < at or (one.booked_at == at and one.order_id)]
    sold = sum(one.quantity for one in known if one.side == "sell")
    bought = sum(one.quantity for one in known if one.side == "buy")
    yesterday = facts.opening_yesterday.get(symbol, 0)
    return yesterday - sold + (0 if facts.is_t1(symbol) else bought)


def i25_a_grid_that_ended_rests(facts: Facts) -> Iterator[str]:
    """A session that is stopped or paused has no order at work, and no order after its end."""
    for row in facts.grids.sessions:
        if row.status not in ("stopped", "paused"):
            continue
        for order in facts.orders.values():
            if order.source != row.source:
                continue
            if order.ended_at is None and not facts.in_doubt(order) and not order.was_unknown:
                yield f"I25 grid {row.symbol} #{row.pk} is {row.status} and {order.client_order_id} is {order.state}"
            if row.stopped_at is not None and order.approved_at > row.stopped_at:
                yield f"I25 grid {row.symbol} #{row.pk} decided {order.client_order_id} after its end"


CHECKS = (
    i21_lots_are_fills,
    i22_grid_money,
    i23_grid_budget,
    i24_shares_promised_once,
    i25_a_grid_that_ended_rests,
)
