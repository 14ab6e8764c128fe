"""The life of an order: its states, every legal move, and what a report or a fill moves it to (design, rules §4).

Reports arrive late, doubled and out of order. A state therefore only moves forward, and a terminal one changes only
when a late fill corrects it. Fills are booked first; a terminal report counts when its traded quantity equals them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from enum import StrEnum
from types import MappingProxyType

from trading.domain.pace import Pace
from trading.domain.reports import BrokerOrder, BrokerState
from trading.domain.types import ZERO, Side, SignalKind, Symbol, Text

_CENT = Decimal("0.01")
_REAL = Pace()


class OrderState(StrEnum):
    """Where an order is. CANCEL_REQUESTED: *we* asked; somebody else's cancel shows when it has happened."""

    APPROVED = "approved"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    PARTIALLY_CANCELLED = "partially_cancelled"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    ABSENT = "absent"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """Whether the order has ended and its reservation is free."""
        return self in _TERMINAL

    @property
    def working(self) -> bool:
        """Whether it still promises cash or shares; UNKNOWN does."""
        return self not in _TERMINAL

    @property
    def known(self) -> bool:
        """Whether it can be said where the order is; everything but UNKNOWN."""
        return self is not OrderState.UNKNOWN

    @property
    def at_broker(self) -> bool:
        """Whether the broker is known to have it, so that it can be cancelled."""
        return self in _AT_BROKER


_S = OrderState
_TERMINAL = frozenset(
    {_S.FILLED, _S.CANCELLED, _S.PARTIALLY_CANCELLED, _S.REJECTED, _S.ABSENT, _S.EXPIRED}
)
_AT_BROKER = frozenset({_S.SUBMITTED, _S.PARTIALLY_FILLED, _S.CANCEL_REQUESTED})
_BROKER_ENDS = frozenset({_S.FILLED, _S.CANCELLED, _S.PARTIALLY_CANCELLED, _S.REJECTED})
_ANY_BROKER_STATE = _BROKER_ENDS | {_S.SUBMITTED, _S.PARTIALLY_FILLED}

#: Every legal move. A terminal state absorbs, except that a late fill corrects a cancel.
MOVES: Mapping[OrderState, frozenset[OrderState]] = MappingProxyType(
    {
        # A broker report about an order our books call unsent means the last commit was lost: sending would double it.
        _S.APPROVED: _ANY_BROKER_STATE | {_S.SUBMITTING, _S.EXPIRED},
        # EXPIRED from here: the check after the claim held it back, so it certainly was not sent.
        _S.SUBMITTING: _ANY_BROKER_STATE | {_S.UNKNOWN, _S.EXPIRED},
        _S.UNKNOWN: _ANY_BROKER_STATE | {_S.ABSENT},
        # UNKNOWN from here: nothing but the answer to the submit ever told of it, and clean lists do not show it.
        _S.SUBMITTED: _BROKER_ENDS | {_S.PARTIALLY_FILLED, _S.CANCEL_REQUESTED, _S.UNKNOWN},
        _S.PARTIALLY_FILLED: frozenset({_S.FILLED, _S.CANCEL_REQUESTED, _S.PARTIALLY_CANCELLED}),
        _S.CANCEL_REQUESTED: _BROKER_ENDS | {_S.UNKNOWN},
        _S.CANCELLED: frozenset({_S.PARTIALLY_CANCELLED, _S.FILLED}),
        _S.PARTIALLY_CANCELLED: frozenset({_S.FILLED}),
        _S.FILLED: frozenset(),
        _S.REJECTED: frozenset(),
        _S.ABSENT: frozenset(),
        _S.EXPIRED: frozenset(),
    }
)


@dataclass(frozen=True, slots=True)
class WorkingRef:
    """What other decisions need to know of an order of ours. `cash`: yuan reserved for the whole order, 0 for a sell."""

    client_order_id: str
    symbol: Symbol
    side: Side
    kind: SignalKind
    state: OrderState
    quantity: int
    filled: int = 0
    price: Decimal = ZERO
    cash: Decimal = ZERO

    @property
    def open_quantity(self) -> int:
        """Shares it still promises; 0 once it has ended. UNKNOWN keeps its promise."""
        return remaining(self.quantity, self.filled) if self.state.working else 0

    @property
    def open_cash(self) -> Decimal:
        """Yuan it still reserves, rounded up to the cent; 0 once it has ended."""
        if self.open_quantity == 0:
            return ZERO
        return (self.cash * self.open_quantity / self.quantity).quantize(_CENT, ROUND_UP)


def can_move(old: OrderState, new: OrderState) -> bool:
    """Whether `old` → `new` is a legal move."""
    return new in MOVES[old]


def remaining(quantity: int, filled: int) -> int:
    """Return the unfilled shares, never below 0."""
    return max(quantity - filled, 0)


def state_after_fill(state: OrderState, quantity: int, filled: int) -> OrderState:
    """Return the state once `filled` shares are booked in all (the sum of our fills, not the last one).

    A late fill corrects CANCELLED and PARTIALLY_CANCELLED; REJECTED, ABSENT and EXPIRED stay (see `contradiction`).
    """
    if filled <= 0:
        return state
    if filled >= quantity:
        return _moved(state, OrderState.FILLED)
    if state is OrderState.CANCELLED:
        return OrderState.PARTIALLY_CANCELLED
    return _moved(state, OrderState.PARTIALLY_FILLED)


def state_after_report(
    state: OrderState, quantity: int, filled: int, report: BrokerOrder
) -> OrderState:
    """Return the state after a report of the broker; a stale or regressive report changes nothing.

    `filled` is the sum of the fills booked, so the caller books fills first. Any report is evidence that the order
    exists. A terminal report is taken only when its traded quantity equals `filled` (rules §4); until the missing
    fills are booked, or a fresher report comes, the order goes on working. A refused cancel leaves CANCEL_REQUESTED:
    the cancel is tried again (`timeouts.due_action`).
    """
    state = state_after_fill(state, quantity, filled)
    if state.terminal:
        return state
    working = OrderState.PARTIALLY_FILLED if filled > 0 else OrderState.SUBMITTED
    return _moved(state, _ended(filled, report) or working)


def state_at_day_end(state: OrderState, filled: int) -> OrderState:
    """Return the state after 15:35: what rested is cancelled (reason DAY_END), what was not sent has expired.

    SUBMITTING and UNKNOWN stay: the end of a day proves nothing about them.
    """
    if state is OrderState.APPROVED:
        return OrderState.EXPIRED
    if not state.at_broker:
        return state
    return OrderState.PARTIALLY_CANCELLED if filled > 0 else OrderState.CANCELLED


def contradiction(state: OrderState, report: BrokerOrder) -> Text | None:
    """Say when the broker shows an order that our books ended as never having existed; invariant I2 is broken then."""
    gone = state in (OrderState.ABSENT, OrderState.EXPIRED)
    revived = state is OrderState.REJECTED and (
        report.traded_quantity > 0 or report.state is BrokerState.FILLED
    )
    if not gone and not revived:
        return None
    return Text(
        f"The broker shows order {report.broker_order_id} of {report.symbol} as {report.state.value}, "
        f"our books ended it as {state.value}. Check it at the terminal before trading this symbol.",
        f"券商显示 {report.symbol} 的委托 {report.broker_order_id} 状态为 {report.state.value}，"
        f"而本系统已记为 {state.value}。请先在客户端核对，再交易该标的。",
    )


def expires_at_outbox(kind: SignalKind, approved_at: datetime, pace: Pace = _REAL) -> datetime:
    """Return until when an APPROVED order may wait to be sent: 15 real s for exits, 5 for others (design)."""
    return approved_at + pace.market(timedelta(seconds=15 if kind.protective else 5))


def _ended(filled: int, report: BrokerOrder) -> OrderState | None:
    """Return the end a report proves, None when it proves none.

    FILLED comes from our fills alone: a terminal that says "filled" before its traded quantity has caught up would
    otherwise free, and sell again, shares that are sold.
    """
    if report.traded_quantity != filled:
        return None
    if report.state is BrokerState.REJECTED and filled == 0:
        return OrderState.REJECTED
    if report.state in (BrokerState.CANCELLED, BrokerState.PARTIALLY_CANCELLED):
        return OrderState.PARTIALLY_CANCELLED if filled > 0 else OrderState.CANCELLED
    return None


def _moved(state: OrderState, new: OrderState) -> OrderState:
    return new if can_move(state, new) else state
