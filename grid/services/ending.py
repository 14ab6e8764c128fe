"""How sessions pause and end: working orders are withdrawn first, and the end waits until they have ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from grid.domain.rules import paused
from grid.domain.state import SessionStatus
from grid.models import GridSession
from grid.models.sessions import StopPolicy
from grid.selectors import state_columns, state_of
from trading.domain.orders import OrderState
from trading.domain.types import SignalState, Text
from trading.models import Order, Signal
from trading.services.orders import WITHDRAWN, request_cancel

#: In the detail of the signals that sell a stopping session's lots: those are not withdrawn.
CLOSING = "closing"


def pause_session(row: GridSession, text: Text, now: datetime) -> None:
    """Put a session into PAUSED without saving it, and withdraw what is under way."""
    row.status = SessionStatus.PAUSED
    row.status_en, row.status_zh = text
    _put_state(row, state_columns(paused(state_of(row))))
    withdraw(row, now)


def begin_stop(row: GridSession, policy: StopPolicy, code: str, text: Text, now: datetime) -> None:
    """Put a session into STOPPING without saving it, and withdraw what is under way."""
    row.status, row.stop_policy = SessionStatus.STOPPING, policy
    row.stop_code = code or row.stop_code
    row.status_en, row.status_zh = text
    _put_state(row, state_columns(paused(state_of(row))))
    withdraw(row, now)


def withdraw(row: GridSession, now: datetime, orders: Iterable[Order] | None = None) -> None:
    """End the session's pending signals and ask for a cancel of its working orders; asked again, it does no more.

    `orders`: the account's unsettled ones, where the caller has them. Sales that close a stopping session stay.
    """
    closing = row.status == SessionStatus.STOPPING and row.stop_policy == StopPolicy.SELL_LOTS
    signals = Signal.objects.filter(
        account_id=row.account_id, source=row.source, state=SignalState.PENDING
    )
    if closing:
        signals = signals.exclude(detail__has_key=CLOSING)
    signals.update(
        state=SignalState.SUPERSEDED,
        decided_at=now,
        outcome_en="the grid session is no longer active",
        outcome_zh="网格会话已不在运行",
    )
    if orders is None:
        orders = Order.objects.filter(
            account_id=row.account_id, source=row.source, chain_settled=False
        )
    for order in orders:
        if order.source != row.source or not OrderState(order.state).working:
            continue
        if closing and is_closing(order):
            continue
        request_cancel(order, WITHDRAWN, now)


def is_closing(order: Order) -> bool:
    """Whether an order sells the lots of a session that stops."""
    return order.signal is not None and bool(order.signal.detail.get(CLOSING))


def _put_state(row: GridSession, columns: dict[str, Any]) -> None:
    for name, value in columns.items():
        setattr(row, name, value)
