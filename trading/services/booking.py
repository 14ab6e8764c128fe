"""Booking: a fill of the broker becomes one Fill row, and moves its order, its position and its chain with it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Max, Q

from trading.domain import positions
from trading.domain.fees import fill_fees
from trading.domain.orders import OrderState, state_after_fill
from trading.domain.reports import BrokerTrade
from trading.domain.types import CHINA, Side, SignalKind, Symbol, Text
from trading.faults import crash_point
from trading.models import Account, EventLevel, Fill, Order, Position
from trading.models.prepared import Prepared, PreparedUpdate
from trading.selectors import WORKING_STATES, instrument_of, position_value_of
from trading.services.accounts import fee_schedule
from trading.services.events import journal
from trading.services.moves import move
from trading.services.orders import chain_left, request_cancel

#: The source of an order the books had lost and have again.
ADOPTED = "adopted"


def book_fill(
    account: Account, order: Order | None, trade: BrokerTrade, key: str, epoch: int, now: datetime
) -> Fill | None:
    """Book one fill inside the caller's transaction; None when its side is unknown (an alarm says so).

    `order` None: a trade made outside the house; it moves the position all the same.
    """
    if trade.side is None:
        text = Text(
            f"Fill {trade.traded_id} of {trade.symbol} is neither a buy nor a sell; it was not booked. Check the terminal.",
            f"{trade.symbol} 的成交 {trade.traded_id} 买卖方向不明，未入账。请在客户端核对。",
        )
        journal(account.pk, EventLevel.ALARM, "FILL_SIDE_UNKNOWN", text, now, symbol=trade.symbol)
        return None
    if order is not None and order.broker_order_id is None and trade.broker_order_id > 0:
        # It names the order's number: fills of that number that named nobody are the order's too, and share its fees.
        number = trade.broker_order_id
        if move(order, OrderState(order.state), epoch, now, broker_order_id=number):
            adopt_fills(order, epoch, now)
    on = trade.time.astimezone(CHINA).date()
    amount = trade.price * trade.quantity
    before = order.filled_amount if order is not None else _amount_before(account, trade, on)
    fees = fill_fees(
        fee_schedule(account), instrument_of(trade.symbol), trade.side, on, before, amount
    )
    position = _move_position(account, trade, trade.side, now)
    crash_point("booking.position_moved")
    fill: Fill = Fill.objects.create(
        account=account,
        order=order,
        position=position,
        trade_date=on,
        symbol=trade.symbol,
        side=trade.side,
        quantity=trade.quantity,
        price=trade.price,
        amount=amount,
        commission=fees.commission,
        stamp_duty=fees.stamp_duty,
        transfer_fee=fees.transfer_fee,
        broker_order_id=trade.broker_order_id,
        traded_id=trade.traded_id,
        key=key,
        at=trade.time,
        booked_at=now,
    )
    crash_point("booking.fill_stored")
    if order is None:
        text = Text(
            f"{trade.side.value} of {trade.quantity} {trade.symbol} at {trade.price} was made outside this program.",
            f"{trade.symbol} {trade.quantity} 股（{trade.price}）的成交不是本程序所下，已按外部成交入账。",
        )
        journal(account.pk, EventLevel.WARNING, "EXTERNAL_FILL", text, now, symbol=trade.symbol)
    else:
        _move_order(order, fill, epoch, now)
    return fill


def _amount_before(account: Account, trade: BrokerTrade, on: date) -> Decimal:
    """Return what an order made outside the house has traded so far, in yuan: its fees are those of one order."""
    earlier = Fill.objects.filter(
        account=account,
        trade_date=on,
        symbol=trade.symbol,
        broker_order_id=trade.broker_order_id,
    )
    return sum(earlier.values_list("amount", flat=True), Decimal(0))


def settle_chain(order: Order, epoch: int, now: datetime, *, final: bool) -> None:
    """Close an order's chain when it is filled, or (`final`) when nothing will follow it.

    The first take-profit counts as done once its chain is filled, or ended with anything filled (rules §1). So it does
    after a sale the books had lost: which rule wanted it nobody knows any more, and a second one is never made good.
    """
    filled = order.chain_quantity - chain_left(order)
    if not final and filled < order.chain_quantity:
        return
    _SETTLE(order.root_id or order.pk, chain_settled=True)
    order.chain_settled = True
    adopted_sale = order.source == ADOPTED and order.side == Side.SELL
    took_profit = order.kind == SignalKind.FIRST_TAKE_PROFIT or adopted_sale
    if took_profit and filled > 0 and order.position_id is not None:
        row = Position.objects.get(pk=order.position_id)
        write_position(row, positions.with_first_take_profit(position_value_of(row)))


_SETTLE = PreparedUpdate(
    lambda root: Order.objects.filter(
        Q(pk=root) | Q(root_id=root),
        state__in=[state.value for state in OrderState if state.terminal],
    )
)


def write_position(row: Position, value: positions.Position) -> None:
    """Save the state of a life."""
    _WRITE(row.pk, **assign(row, value))


_WRITE = PreparedUpdate(lambda position: Position.objects.filter(pk=position))


def assign(row: Position, value: positions.Position) -> dict[str, Any]:
    """Put the state of a life into its row without saving; return the fields."""
    fields = state_fields(value)
    for name, field in fields.items():
        setattr(row, name, field)
    return fields


def state_fields(value: positions.Position) -> dict[str, Any]:
    """Return the row's fields of a domain position."""
    return {
        "quantity": value.quantity,
        "bought_quantity": value.bought_quantity,
        "bought_amount": value.bought_amount,
        "base_cost": value.base_cost,
        "high_since_entry": value.high_since_entry,
        "first_take_profit_done": value.first_take_profit_done,
        "armed": value.armed,
        "armed_high": value.armed_high,
        "trailing_level": value.trailing_level,
        "seen": value.seen,
    }


def open_life(account: Account, value: positions.Position, now: datetime) -> Position:
    """Insert a new life; only quotes after now count for it."""
    fields = {**state_fields(value), "seen": now}
    return Position.objects.create(
        account=account, symbol=value.symbol, life=value.life, opened_on=value.opened_on, **fields
    )


def next_life(account: Account, symbol: Symbol) -> int:
    """Return the number the next life of this symbol gets."""
    last = Position.objects.filter(account=account, symbol=symbol).aggregate(last=Max("life"))[
        "last"
    ]
    return int(last or 0) + 1


def adopt_fills(order: Order, epoch: int, now: datetime) -> None:
    """Give an order whose number is known now the fills that were booked before anybody could say whose they are."""
    if order.broker_order_id is None:
        return
    early = _EARLY(
        order.account_id, order.trade_date, order.symbol, order.side, order.broker_order_id
    )
    for fill in early:
        # The one change a fill may see: it gets its order, once.
        Fill._base_manager.filter(pk=fill.pk, order__isnull=True).update(order=order)
        _move_order(order, fill, epoch, now)


_EARLY = Prepared(
    lambda account, on, symbol, side, number: Fill.objects.filter(
        account_id=account,
        trade_date=on,
        symbol=symbol,
        side=side,
        broker_order_id=number,
        order__isnull=True,
    ).order_by("pk")
)


def _move_order(order: Order, fill: Fill, epoch: int, now: datetime) -> None:
    filled = order.filled_quantity + fill.quantity
    new = state_after_fill(OrderState(order.state), order.quantity, filled)
    fields: dict[str, Any] = {
        "filled_quantity": filled,
        "filled_amount": order.filled_amount + fill.amount,
    }
    if order.submitted_at is None:
        fields["submitted_at"] = now
    if OrderState(order.state).terminal:
        _reduce_reorder(order, now)
    if not move(order, new, epoch, now, detail={"fill": fill.traded_id}, **fields):
        # The books must not lose a fill because the state could not follow: keep the sum, and say so.
        Order.objects.filter(pk=order.pk).update(**fields)
        for name, value in fields.items():
            setattr(order, name, value)
        text = Text(
            f"A fill of {order.symbol} arrived for order {order.client_order_id}, which had ended as {order.state}.",
            f"{order.symbol} 的委托 {order.client_order_id} 已记为 {order.state}，之后又收到成交。",
        )
        journal(order.account_id, EventLevel.ALARM, "LATE_FILL", text, now, symbol=order.symbol)
    crash_point("booking.order_moved")
    if OrderState(order.state).terminal:
        settle_chain(order, epoch, now, final=False)


def _reduce_reorder(order: Order, now: datetime) -> None:
    """A fill that arrives after its order's end is in the live re-order too: cancel that, and order what is left."""
    chain = Order.objects.filter(root_id=order.root_id or order.pk, pk__gt=order.pk)
    for later in chain.filter(state__in=WORKING_STATES):
        request_cancel(later, "LATE_FILL", now)


_LIFE = Prepared(
    lambda account, symbol: Position.objects.filter(
        account_id=account, symbol=symbol, closed_at__isnull=True
    ).order_by("pk")
)


def _move_position(
    account: Account, trade: BrokerTrade, side: Side, now: datetime
) -> Position | None:
    row = next(iter(_LIFE(account.pk, trade.symbol)), None)
    on = trade.time.astimezone(CHINA).date()
    value = position_value_of(row) if row is not None else None
    life = row.life if row is not None else next_life(account, trade.symbol)
    if side is Side.SELL and (value is None or value.quantity < trade.quantity):
        text = Text(
            f"{trade.quantity} {trade.symbol} were sold, our books held {value.quantity if value else 0}.",
            f"{trade.symbol} 卖出 {trade.quantity} 股，而账本只有 {value.quantity if value else 0} 股。",
        )
        journal(
            account.pk, EventLevel.ALARM, "SOLD_MORE_THAN_HELD", text, now, symbol=trade.symbol
        )
        if value is None or row is None:
            return None
        Position.objects.filter(pk=row.pk).update(quantity=0, closed_at=now)
        return row
    after = positions.apply_fill(value, trade.symbol, side, trade.quantity, trade.price, on, life)
    if row is None:
        return open_life(account, after, now) if after is not None else None
    if after is None:
        Position.objects.filter(pk=row.pk).update(quantity=0, closed_at=now)
        row.quantity, row.closed_at = 0, now
    else:
        write_position(row, after)
    return row
