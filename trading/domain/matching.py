"""Matching of our orders against a recorded or simulated market, without moving it (rules §4).

`taken` is the ledger of one snapshot: shares we took, by level price; the entry at price 0 is what we took of the
volume traded since the snapshot before. The functions here add to it, so that orders never share the same shares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from trading.domain.types import ZERO, Level, Quote, Side


@dataclass(frozen=True, slots=True)
class Execution:
    """One match: price in yuan, quantity in shares."""

    price: Decimal
    quantity: int


@dataclass(frozen=True, slots=True)
class Resting:
    """An order that waits: `ahead` shares stood before it at its price when it entered; `remaining` shares to go."""

    side: Side
    price: Decimal
    remaining: int
    ahead: int = 0


def walk_book(
    side: Side, limit: Decimal, quantity: int, levels: tuple[Level, ...], taken: dict[Decimal, int]
) -> tuple[Execution, ...]:
    """Match on arrival: the displayed opposite levels up to the limit, at the levels' prices, less what we took already."""
    executions = []
    remaining = quantity
    for level in levels:
        if remaining <= 0 or not _within(side, limit, level.price):
            break
        share = min(remaining, level.quantity - taken.get(level.price, 0))
        if share > 0:
            taken[level.price] = taken.get(level.price, 0) + share
            remaining -= share
            executions.append(Execution(level.price, share))
    return tuple(executions)


def match_resting(
    order: Resting, before: Quote | None, quote: Quote, taken: dict[Decimal, int]
) -> tuple[Resting, tuple[Execution, ...]]:
    """Match a waiting order against a new quote.

    Fills at our limit when the opposite best crosses it, up to the displayed quantity; at a touched price only from
    volume traded since `before`, after the quantity that stood ahead at entry.
    """
    opposite = quote.asks if order.side is Side.BUY else quote.bids
    if opposite and _within(order.side, order.price, opposite[0].price):
        # Whoever stood ahead of us at our price is gone once the other side shows up at it.
        met = walk_book(order.side, order.price, order.remaining, opposite, taken)
        return _filled(replace(order, ahead=0), sum(one.quantity for one in met))
    if before is None or quote.last <= 0 or not _within(order.side, order.price, quote.last):
        return order, ()
    traded = max(0, quote.volume - before.volume)
    # A trade beyond our price had to pass everybody who stood ahead of us.
    ahead = order.ahead if quote.last == order.price else 0
    share = min(order.remaining, traded - ahead - taken.get(ZERO, 0))
    order = replace(order, ahead=max(0, ahead - traded))
    if share <= 0:
        return order, ()
    taken[ZERO] = taken.get(ZERO, 0) + share
    return _filled(order, share)


def match_auction(order: Resting, price: Decimal, volume: int) -> tuple[Execution, ...]:
    """Match in a call auction: at the uncrossing price, up to the auction's volume, when the limit allows it."""
    share = min(order.remaining, volume)
    if share <= 0 or price <= 0 or not _within(order.side, order.price, price):
        return ()
    return (Execution(price, share),)


def shares_ahead(side: Side, price: Decimal, quote: Quote | None) -> int:
    """Return the shares displayed on our own side at our price: the queue an entering order stands behind."""
    if quote is None:
        return 0
    own = quote.bids if side is Side.BUY else quote.asks
    return sum(level.quantity for level in own if level.price == price)


def _within(side: Side, limit: Decimal, price: Decimal) -> bool:
    return price <= limit if side is Side.BUY else price >= limit


def _filled(order: Resting, quantity: int) -> tuple[Resting, tuple[Execution, ...]]:
    if quantity <= 0:
        return order, ()
    return replace(order, remaining=order.remaining - quantity), (
        Execution(order.price, quantity),
    )
