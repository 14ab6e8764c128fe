"""Between rows and the values of reconciliation: our orders as it sees them, the terminal's reports as rows keep them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from trading.domain.binding import LocalOrder
from trading.domain.instruments import tick_size
from trading.domain.orders import OrderState
from trading.domain.reconcile import NewFill
from trading.domain.reports import BrokerOrder, BrokerState, Event
from trading.domain.types import CHINA, ZERO, Side, Symbol, Text
from trading.models import Event as Entry
from trading.models import Order
from trading.models.prepared import Prepared
from trading.selectors import instrument_of

#: The journal's word for an order somebody made elsewhere; its detail is the broker's row.
EXTERNAL_ORDER = "EXTERNAL_ORDER"
_CLOSE = time(15)


def local_order(order: Order) -> LocalOrder:
    """Return an order as reconciliation sees it; only one that is sought by its likeness needs its price step."""
    state = OrderState(order.state)
    sought = state is OrderState.UNKNOWN
    tick = tick_size(instrument_of(Symbol(order.symbol)), order.trade_date) if sought else ZERO
    return LocalOrder(
        id=order.pk,
        client_order_id=order.client_order_id,
        symbol=Symbol(order.symbol),
        side=Side(order.side),
        quantity=order.quantity,
        price=order.price,
        state=state,
        filled=order.filled_quantity,
        broker_order_id=order.broker_order_id,
        seq=order.seq,
        submitted_at=order.submitted_at,
        epoch=order.epoch,
        connection=order.connection,
        sent_at=order.claimed_at,
        tick=tick,
        weak=order.weakly_bound,
        known_before=_known_before(order) if sought else frozenset(),
    )


def _known_before(order: Order) -> frozenset[int]:
    if order.journal_mark is None or order.claimed_at is None:
        return frozenset()
    yesterday = order.claimed_at - timedelta(days=1)
    told = _STRANGERS_BEFORE(order.account_id, order.symbol, yesterday, order.journal_mark)
    return frozenset(detail["order"]["broker_order_id"] for detail in told)


_STRANGERS_BEFORE = Prepared(
    lambda account, symbol, since, mark: Entry.objects.filter(
        account_id=account, code=EXTERNAL_ORDER, symbol=symbol, at__gt=since, pk__lte=mark
    ).values_list("detail", flat=True)
)


def order_of_fill(fill: NewFill, rows: Sequence[Order]) -> Order | None:
    """Return the fill's order: by the broker's number, else by the remark it carries."""
    trade = fill.trade
    same = [row for row in rows if row.symbol == trade.symbol]
    by_number = [row for row in same if row.broker_order_id == trade.broker_order_id]
    by_remark = [row for row in same if trade.remark and row.client_order_id == trade.remark]
    return next(iter(by_number or by_remark), None)


def lives(order: Order, report: BrokerOrder) -> Text | None:
    """Say when an order that the client refused without a row has one all the same, and is not refused there."""
    without_row = order.state == OrderState.REJECTED and order.broker_order_id is None
    if not without_row or report.state is BrokerState.REJECTED:
        return None
    return Text(
        f"The client refused order {order.client_order_id} of {report.symbol}, but the broker shows it as "
        f"{report.state.value} ({report.broker_order_id}). Check it at the terminal before trading this symbol.",
        f"客户端拒绝了 {report.symbol} 的委托 {order.client_order_id}，券商却显示为 {report.state.value}"
        f"（{report.broker_order_id}）。请先在客户端核对，再交易该标的。",
    )


def first_told(order: Order, report: BrokerOrder, now: datetime) -> dict[str, Any]:
    """Return the fields of an order that this report is the first to tell."""
    fields: dict[str, Any] = {}
    if order.broker_order_id is None:
        fields["broker_order_id"] = report.broker_order_id
    if report.sysid and not order.sysid:
        fields["sysid"] = report.sysid
    if order.submitted_at is None:
        fields["submitted_at"] = now
    if report.message and report.message != order.message:
        fields["message"] = report.message
    return fields


def broker_event(account_id: int, event: Event) -> dict[str, Any]:
    """Return the columns of a `BrokerEvent`."""
    return {
        "account_id": account_id,
        "epoch": event.epoch,
        "kind": type(event.report).__name__,
        "payload": plain(event.report),
        "received_at": event.received_at,
    }


def plain(report: Any) -> dict[str, Any]:
    """Return a report as JSON-able values; amounts as text, so that no float ever holds them."""
    return {name: _json(value) for name, value in dataclasses.asdict(report).items()}


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value


def ended_with_the_day(order: Order, now: datetime) -> bool:
    """Whether a cancel that we did not ask for is the exchange's own, after the close."""
    return order.cancel_tries == 0 and now.astimezone(CHINA).time() >= _CLOSE
