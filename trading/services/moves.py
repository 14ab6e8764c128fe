"""The one way an order changes state: a conditional UPDATE that names the state it leaves, plus an event row."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from trading.domain.orders import OrderState, can_move
from trading.faults import crash_point
from trading.models import GatewayLease, Order, OrderEvent
from trading.models.prepared import PreparedInsert, PreparedUpdate
from trading.services.gateway_lease import unexpired


def _of_epoch(order: Any, state: Any, epoch: Any, *still: Q) -> QuerySet[Order]:
    lease = GatewayLease.objects.filter(*still, account_id=OuterRef("account_id"), epoch=epoch)
    return Order.objects.filter(Exists(lease), pk=order, state=state)


#: Appends rows of `OrderEvent`.
tell_move = PreparedInsert(OrderEvent)
_MOVE = PreparedUpdate(lambda order, state, epoch: _of_epoch(order, state, epoch))
_MOVE_WHILE_LEASED = PreparedUpdate(
    lambda order, state, epoch: _of_epoch(order, state, epoch, unexpired())
)


def move(
    order: Order,
    new: OrderState,
    epoch: int,
    now: datetime,
    /,
    *,
    detail: dict[str, Any] | None = None,
    lease_must_last: bool = False,
    **fields: Any,
) -> bool:
    """Move `order` from the state it was read in; True when this caller did it.

    Nothing happens, and False is returned, when another caller moved it first, when the lease has a newer epoch, or
    when the move is not legal; with `lease_must_last` also when it has run out. `fields` are written in the same UPDATE.
    """
    old = OrderState(order.state)
    if old is not new and not can_move(old, new):
        return False
    if new.terminal and not old.terminal and "ended_at" not in fields:
        fields["ended_at"] = now
    update = _MOVE_WHILE_LEASED if lease_must_last else _MOVE
    if not update(order.pk, old.value, epoch, state=new.value, **fields):
        return False
    crash_point("moves.updated")
    for name, value in {**fields, "state": new.value}.items():
        setattr(order, name, value)
    if old is not new:
        tell_move(
            {
                "order_id": order.pk,
                "at": now,
                "old_state": old.value,
                "new_state": new.value,
                "epoch": epoch,
                "detail": detail or {},
            }
        )
    return True
