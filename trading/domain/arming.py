"""When a gateway has read its account well enough to trade in it (R1 of order-protocol §4.6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from trading.domain.reports import BrokerOrder, BrokerPosition, BrokerTrade, Snapshot
from trading.domain.types import Side, Symbol

_SIGN = {Side.BUY: 1, Side.SELL: -1}


def confirms(first: Snapshot, second: Snapshot) -> bool:
    """Whether a later reading shows the same account, and nothing moved in it but by fills that it shows too.

    A client that is still loading shows half of an account, and says more at the next reading. Orders that rest at the
    exchange may go on filling all the while: an order may have got further by its new fills, a holding by exactly
    these. Anything else that differs (an order, a holding or a fill that one reading lacks, shares nothing explains) is
    no confirmation. Both must be complete; False where one is not.
    """
    if not (first.complete and second.complete):
        return False
    old, new = _by_number(first.trades or ()), _by_number(second.trades or ())
    if any(new.get(number) != trade for number, trade in old.items()):
        return False
    fills = [trade for number, trade in new.items() if number not in old]
    moved = _moved_orders(first.orders or (), second.orders or (), fills)
    return moved is not None and _explained(first, second, fills, moved)


def _by_number(trades: Sequence[BrokerTrade]) -> dict[tuple[int, Symbol, str], BrokerTrade]:
    return {(one.broker_order_id, one.symbol, one.traded_id): one for one in trades}


def _moved_orders(
    first: Sequence[BrokerOrder], second: Sequence[BrokerOrder], fills: Sequence[BrokerTrade]
) -> set[Symbol] | None:
    """Return the symbols of the orders that changed, None when a change is not explained by the new fills."""
    old = {(one.broker_order_id, one.symbol): one for one in first}
    new = {(one.broker_order_id, one.symbol): one for one in second}
    if old.keys() != new.keys():
        return None
    traded: Counter[tuple[int, Symbol]] = Counter()
    for fill in fills:
        traded[fill.broker_order_id, fill.symbol] += fill.quantity
    if traded.keys() - old.keys():
        return None
    for number, order in new.items():
        before = old[number]
        revived = before.state.terminal and not order.state.terminal
        if revived or order.traded_quantity - before.traded_quantity != traded[number]:
            return None
    return {order.symbol for number, order in new.items() if order != old[number]}


def _explained(
    first: Snapshot, second: Snapshot, fills: Sequence[BrokerTrade], moved: set[Symbol]
) -> bool:
    """Whether every holding differs by the new fills alone; where nothing happened, its whole row is the same."""
    old = {one.symbol: one for one in first.positions or ()}
    new = {one.symbol: one for one in second.positions or ()}
    change: Counter[Symbol] = Counter()
    for fill in fills:
        if fill.side is None:
            return False
        change[fill.symbol] += _SIGN[fill.side] * fill.quantity
    for symbol in old.keys() | new.keys() | change.keys():
        before, after = old.get(symbol), new.get(symbol)
        if symbol not in change and symbol not in moved:
            if before != after:
                return False
        elif _held(after) - _held(before) != change[symbol]:
            return False
    return True


def _held(position: BrokerPosition | None) -> int:
    return position.quantity if position is not None else 0
