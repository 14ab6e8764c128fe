"""The one way an order changes state: a conditional UPDATE that names the state it leaves, plus an event row."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef

from trading.domain.orders import OrderState, can_move
from trading.faults import crash_point
from trading.models import GatewayLease, Order, OrderEvent
from trading.services.gateway_lease import unexpired


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
    lease = GatewayLease.objects.filter(account_id=OuterRef("account_id"), epoch=epoch)
    if lease_must_last:
        lease = lease.filter(unexpired())
    rows = Order.objects.filter(Exists(lease), pk=order.pk, state=old.value).update(
        state=new.value, **fields
    )
    if not rows:
        return False
    crash_point("moves.updated")
    for name, value in {**fields, "state": new.value}.items():
        setattr(order, name, value)
    if old is not new:
        OrderEvent.objects.create(
            order=order,
            at=now,
            old_state=old.value,
            new_state=new.value,
            epoch=epoch,
            detail=detail or {},
        )
    return True
