"""The proof that an order whose outcome is unknown never existed (order-protocol R4, R5, R6), as pure functions.

Whoever sends an order again because a query did not show it doubles it. Absence therefore needs time, two clean
queries of one connection, and nothing at the broker that speaks for the order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading.domain.binding import EARLIEST, LocalOrder, looks_like
from trading.domain.reports import BrokerOrder, BrokerPosition, BrokerTrade, Snapshot
from trading.domain.types import ZERO, Side, Symbol, Text

#: Before this much time since the submit ended, not to be found means nothing (R4).
YOUNG = timedelta(seconds=60)
#: The same while the broker shows no order at all today, so that no list can prove to be whole (R6).
YOUNG_WITHOUT_LIST = timedelta(seconds=120)
#: The two queries that miss the order are at least this far apart.
APART = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Missed:
    """What is known when a clean query did not show an order.

    `submit_ended_at`: the call was over by then, or its sender was proven dead. `as_of`: of this query, `first`: of
    the first one on this connection that missed the order when that counted; None: none yet. `any_order_known`: whether
    any order, whoever's, is known today. `books_unchanged`: cash and holdings are those of before the submit.
    """

    submit_ended_at: datetime
    as_of: datetime
    first: datetime | None
    any_order_known: bool
    books_unchanged: bool


def swallowed(order: LocalOrder, snapshot: Snapshot) -> bool:
    """Whether a clean snapshot throws doubt on an order that nothing but the answer to its submit told of.

    A client may accept an order and swallow it. Younger than `YOUNG` since the answer it may only be late (R4).
    """
    if order.submitted_at is None or snapshot.as_of - order.submitted_at < YOUNG:
        return False
    return not any(
        one.broker_order_id == order.broker_order_id or one.remark == order.client_order_id
        for one in snapshot.orders or ()
    )


def counts(missed: Missed) -> Text | None:
    """Return why this query does not count yet as one of the two, None when it does."""
    age = missed.as_of - missed.submit_ended_at
    if age < YOUNG:
        return Text(
            f"Only {_seconds(age)} s after the submit: until {_seconds(YOUNG)} s not being shown means nothing.",
            f"距报单结束仅 {_seconds(age)} 秒：{_seconds(YOUNG)} 秒内查不到不说明问题。",
        )
    if missed.any_order_known:
        return None
    if age < YOUNG_WITHOUT_LIST:
        return Text(
            f"The broker shows no order at all today: wait {_seconds(YOUNG_WITHOUT_LIST)} s, not {_seconds(age)}.",
            f"券商今日没有任何委托：需等待 {_seconds(YOUNG_WITHOUT_LIST)} 秒（现为 {_seconds(age)} 秒）。",
        )
    if not missed.books_unchanged:
        return Text(
            "The broker shows no order at all today, and cash or holdings changed since the submit.",
            "券商今日没有任何委托，但报单之后资金或持仓有变化。",
        )
    return None


def proven(missed: Missed) -> Text | None:
    """Return why absence is not proven by this query and the first that counted, None when it is."""
    why = counts(missed)
    if why is not None:
        return why
    if missed.first is None or missed.as_of - missed.first < APART:
        return Text(
            f"A second query at least {_seconds(APART)} s after the first must agree.",
            f"还需要至少相隔 {_seconds(APART)} 秒的第二次查询确认。",
        )
    return None


def speaks_for(
    order: LocalOrder, snapshot: Snapshot, taken: Collection[int], locked: int
) -> Text | None:
    """Return what in a clean snapshot speaks for the order, None when nothing does.

    `taken`: broker ids that belong to other orders of ours. `locked`: shares of the symbol that T+1 keeps.
    """
    orders = snapshot.orders or ()
    alike = [one for one in orders if one.broker_order_id not in taken and looks_like(one, order)]
    if alike:
        return Text(
            f"Order {alike[0].broker_order_id} at the broker looks like it.",
            f"券商委托 {alike[0].broker_order_id} 与它相似。",
        )
    shown = {one.broker_order_id for one in orders}
    traded = [
        one for one in snapshot.trades or () if _may_be_its_fill(one, order, shown | set(taken))
    ]
    if traded:
        return Text(
            f"Fill {traded[0].traded_id} belongs to no order that is shown.",
            f"成交 {traded[0].traded_id} 不属于任何已显示的委托。",
        )
    if order.side is Side.SELL:
        return _shares_held_back(order, snapshot, locked)
    return _cash_held_back(order, snapshot)


def _may_be_its_fill(trade: BrokerTrade, order: LocalOrder, explained: Collection[int]) -> bool:
    return (
        trade.symbol == order.symbol
        and trade.side in (None, order.side)
        and trade.broker_order_id not in explained
        and (order.sent_at is None or trade.time >= order.sent_at + EARLIEST)
    )


def _shares_held_back(order: LocalOrder, snapshot: Snapshot, locked: int) -> Text | None:
    """A working sale takes its shares from what can be sold: every share that is missing there must be explained."""
    position = _position(snapshot.positions or (), order.symbol)
    if position is None:
        return Text(
            f"The broker does not list {order.symbol}: whether shares are frozen cannot be seen.",
            f"券商未列出 {order.symbol}，无法判断股份是否冻结。",
        )
    promised = sum(left for left, _ in _working(snapshot.orders or (), Side.SELL, order.symbol))
    frozen = position.quantity - position.sellable - locked - promised
    if frozen <= 0:
        return None
    return Text(
        f"{frozen} shares of {order.symbol} are frozen and no order that is shown explains it.",
        f"{order.symbol} 有 {frozen} 股被冻结，已显示的委托无法解释。",
    )


def _cash_held_back(order: LocalOrder, snapshot: Snapshot) -> Text | None:
    """A working buy freezes at least its amount; what the buys that are shown freeze is counted without their fees."""
    frozen = snapshot.asset.frozen_cash if snapshot.asset is not None else ZERO
    shown = _working(snapshot.orders or (), Side.BUY)
    unexplained = frozen - sum((left * price for left, price in shown), ZERO)
    if unexplained < order.quantity * order.price:
        return None
    return Text(
        f"{unexplained:,.2f} yuan are frozen and no order that is shown explains it.",
        f"有 {unexplained:,.2f} 元被冻结，已显示的委托无法解释。",
    )


def _working(
    orders: Iterable[BrokerOrder], side: Side, symbol: Symbol | None = None
) -> list[tuple[int, Decimal]]:
    """Return what is left of the working orders of a side, with their prices."""
    return [
        (one.quantity - one.traded_quantity, one.price)
        for one in orders
        if one.side is side and not one.state.terminal and symbol in (None, one.symbol)
    ]


def _position(positions: Iterable[BrokerPosition], symbol: Symbol) -> BrokerPosition | None:
    return next((one for one in positions if one.symbol == symbol), None)


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
