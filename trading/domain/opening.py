"""Whether the first readings of an account may open its books, and what it held before today. Pure.

A client that is still loading shows a part of an account, and nothing is known yet that would contradict it. So a
reading has to agree with itself: holdings with the account's value, with what they were in the morning, fills with
orders. Whoever opens the books on less begins a life that lacks shares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from trading.domain.reconcile import clean
from trading.domain.reports import BrokerPosition, Snapshot
from trading.domain.types import ZERO, Side, Symbol, Text

#: The account's value and that of its holdings are computed a moment apart: they may differ by this part of it.
TOLERANCE = Decimal("0.01")
_SIGN = {Side.BUY: 1, Side.SELL: -1, None: 0}


def opening_problem(snapshot: Snapshot) -> Text | None:
    """Return why a reading may not open the books of an account, None when it agrees with itself."""
    return clean((), snapshot) or _values(snapshot) or _traded(snapshot) or _moved(snapshot)


def held_before_today(snapshot: Snapshot) -> Mapping[Symbol, int]:
    """Return the shares that were held before today's trades, without those that were not."""
    moved = moved_today(snapshot)
    # The number of the night before does not change, whatever the list of fills lacks.
    held = {
        one.symbol: one.yesterday or one.quantity - moved[one.symbol]
        for one in snapshot.positions or ()
    }
    return {symbol: quantity for symbol, quantity in held.items() if quantity > 0}


def moved_today(snapshot: Snapshot) -> Counter[Symbol]:
    """Return the shares that the fills of a reading bought, less those they sold, by symbol."""
    moved: Counter[Symbol] = Counter()
    for trade in snapshot.trades or ():
        moved[trade.symbol] += _SIGN[trade.side] * trade.quantity
    return moved


def _values(snapshot: Snapshot) -> Text | None:
    """Compare the worth of the holdings with the account's; where a row states none there is nothing to compare."""
    assert snapshot.asset is not None
    stated = snapshot.asset.market_value
    values = [one.market_value for one in snapshot.positions or ()]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    found = sum(known, ZERO)
    if abs(found - stated) <= max(stated * TOLERANCE, Decimal(1)):
        return None
    return Text(
        f"the holdings it lists are worth {found:,.2f} yuan, the account says {stated:,.2f}",
        f"所列持仓市值合计 {found:,.2f} 元，账户市值为 {stated:,.2f} 元",
    )


def _traded(snapshot: Snapshot) -> Text | None:
    filled: Counter[tuple[int, Symbol]] = Counter()
    for trade in snapshot.trades or ():
        filled[trade.broker_order_id, trade.symbol] += trade.quantity
    for order in snapshot.orders or ():
        shown = filled.pop((order.broker_order_id, order.symbol), 0)
        if shown != order.traded_quantity:
            return Text(
                f"order {order.broker_order_id} of {order.symbol} traded {order.traded_quantity} shares, "
                f"its fills are {shown}",
                f"委托 {order.broker_order_id}（{order.symbol}）已成交 {order.traded_quantity} 股，成交明细为 {shown} 股",
            )
    if filled:
        number, symbol = next(iter(filled))
        return Text(
            f"a fill of {symbol} belongs to order {number}, which is not listed",
            f"{symbol} 的成交属于未列出的委托 {number}",
        )
    return None


def _moved(snapshot: Snapshot) -> Text | None:
    moved = moved_today(snapshot)
    rows = {one.symbol: one for one in snapshot.positions or ()}
    for symbol in sorted(rows.keys() | moved.keys()):
        row = rows.get(symbol, BrokerPosition(symbol, 0, 0))
        if row.quantity != row.yesterday + moved[symbol]:
            return Text(
                f"{symbol}: {row.yesterday} shares in the morning and today's fills make "
                f"{row.yesterday + moved[symbol]}, it shows {row.quantity}",
                f"{symbol}：昨日 {row.yesterday} 股加今日成交应为 {row.yesterday + moved[symbol]} 股，"
                f"显示为 {row.quantity} 股",
            )
    return None
