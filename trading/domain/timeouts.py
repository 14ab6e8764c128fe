"""When a working order is cancelled, and what follows its end (rules §4). Seconds are of continuous trading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from trading.domain.calendar import MarketPhase
from trading.domain.order_price import PriceMode
from trading.domain.orders import OrderState, remaining
from trading.domain.settings import SettingError, in_range
from trading.domain.types import Purpose, Side, SignalKind, Symbol, Text

PRICE_MODES = tuple(mode.value for mode in PriceMode)

#: After the alarm a cancel is still tried this often: nobody may be there to do it, and the terminal may recover.
CANCEL_AGAIN = timedelta(seconds=60)

_CANCELLED = (OrderState.CANCELLED, OrderState.PARTIALLY_CANCELLED)
_TAKE_PROFITS = (SignalKind.FIRST_TAKE_PROFIT, SignalKind.TRAILING_TAKE_PROFIT)


@dataclass(frozen=True, slots=True)
class OrderRules:
    """The order settings of one revision; timeouts in seconds, `take_profit_order_timeout` None = the sell timeout.

    `price_mode` is the value of a `PriceMode`. Raises SettingError when a value is outside its range.
    """

    price_mode: str = "opponent"
    sell_order_timeout: int = 30
    take_profit_order_timeout: int | None = 300
    grid_order_timeout: int = 90
    buy_order_timeout: int = 60
    reorder_max_attempts: int = 3
    grid_reorder_max_attempts: int = 1
    sell_monitor_enabled: bool = True
    cancel_retry_gap: Decimal = Decimal("2.5")
    cancel_max_tries: int = 3

    def __post_init__(self) -> None:
        if self.price_mode not in PRICE_MODES:
            modes = " / ".join(PRICE_MODES)
            raise SettingError("price_mode", self.price_mode, Text(modes, modes))
        for name, low, high in _RANGES:
            if not (
                name == "take_profit_order_timeout" and self.take_profit_order_timeout is None
            ):
                in_range(name, getattr(self, name), low, high)


#: The counter refuses cancels of one order less than 2 s apart, and answers three refusals with a refusal.
_RANGES = (
    ("sell_order_timeout", Decimal(5), Decimal(3600)),
    ("take_profit_order_timeout", Decimal(5), Decimal(3600)),
    ("grid_order_timeout", Decimal(5), Decimal(3600)),
    ("buy_order_timeout", Decimal(5), Decimal(3600)),
    ("reorder_max_attempts", Decimal(0), Decimal(10)),
    ("grid_reorder_max_attempts", Decimal(0), Decimal(10)),
    ("cancel_retry_gap", Decimal("2.5"), Decimal(60)),
    ("cancel_max_tries", Decimal(1), Decimal(3)),
)


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """An order whose time may run out. `attempt`: 0 for the first order, then the number of the re-order.

    `cancel_tries` and `last_cancel_at` (real time) count the cancels sent. `limit_down`: the day's, None = no limit
    or not known. `continuous_seconds`: of continuous trading since it was submitted.
    """

    client_order_id: str
    symbol: Symbol
    side: Side
    kind: SignalKind
    state: OrderState
    quantity: int
    filled: int
    price: Decimal
    attempt: int = 0
    submitted_at: datetime | None = None
    cancel_tries: int = 0
    last_cancel_at: datetime | None = None
    cancelled_by_person: bool = False
    limit_down: Decimal | None = None
    continuous_seconds: Decimal = Decimal(0)


class DueAction(StrEnum):
    """What an order needs now. CANCEL: a cancel request should go out. ALERT: cancelling failed, a person is needed."""

    NONE = "none"
    CANCEL = "cancel"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class EndedOrder:
    """An order that ended, as far as a re-order depends on it.

    `confirmed`: a *query* after the cancel showed it terminal with a traded quantity equal to our fills; a push is
    not enough. `cancelled_by_person`: at our console or at the terminal, that is, without our own timeout.
    """

    kind: SignalKind
    state: OrderState
    quantity: int
    filled: int
    attempt: int
    confirmed: bool
    cancelled_by_person: bool = False
    day_ended: bool = False


@dataclass(frozen=True, slots=True)
class ReorderDecision:
    """Send `quantity` shares again with a fresh price; `attempt` is 1 for the first re-order."""

    quantity: int
    attempt: int


def order_timeout(kind: SignalKind, side: Side, rules: OrderRules) -> int | None:
    """Return the seconds an order may rest, None = as long as the day lasts.

    A stop-loss never waits behind the longer timeout of a take-profit. `sell_monitor_enabled` covers exits and manual
    sales; grid orders and buys have timeouts of their own.
    """
    if kind.purpose is Purpose.GRID:
        return rules.grid_order_timeout
    if side is Side.BUY:
        return rules.buy_order_timeout
    if not rules.sell_monitor_enabled:
        return None
    if kind in _TAKE_PROFITS and rules.take_profit_order_timeout is not None:
        return rules.take_profit_order_timeout
    return rules.sell_order_timeout


def due_action(
    order: WorkingOrder, rules: OrderRules, phase: MarketPhase, now: datetime
) -> DueAction:
    """Return what the order needs at `now` (real time, aware).

    Nothing automatic outside continuous trading; nothing for an UNKNOWN order, which has no number to cancel. A cancel
    that did not work is asked for again after `cancel_retry_gap` seconds, `cancel_max_tries` times in all, then ALERT,
    and once a minute from then on.
    """
    if not order.state.at_broker:
        return DueAction.NONE
    if not phase.continuous and not (order.cancelled_by_person and phase.accepts_cancels):
        return DueAction.NONE
    if remaining(order.quantity, order.filled) == 0 or not _should_end(order, rules):
        return DueAction.NONE
    if order.last_cancel_at is not None:
        waited = now - order.last_cancel_at
        if waited < timedelta(microseconds=int(rules.cancel_retry_gap * 1_000_000)):
            return DueAction.NONE
        if order.cancel_tries >= rules.cancel_max_tries and waited < CANCEL_AGAIN:
            return DueAction.ALERT
    return DueAction.CANCEL


def reorder_after(order: EndedOrder, rules: OrderRules) -> ReorderDecision | None:
    """Return the re-order of the unfilled remainder, or None.

    Only after a confirmed cancel of our own: a rejected order cools down, an absent one needs a new decision, an
    UNKNOWN one is never treated as gone, and what a person cancelled stays cancelled.
    """
    if order.state not in _CANCELLED or not order.confirmed:
        return None
    if order.cancelled_by_person or order.day_ended:
        return None
    quantity = remaining(order.quantity, order.filled)
    if quantity == 0 or order.attempt >= _reorders_allowed(order.kind, rules):
        return None
    return ReorderDecision(quantity, order.attempt + 1)


def _reorders_allowed(kind: SignalKind, rules: OrderRules) -> int:
    if kind.purpose is Purpose.EXIT:
        return rules.reorder_max_attempts
    return rules.grid_reorder_max_attempts if kind.purpose is Purpose.GRID else 0


def _should_end(order: WorkingOrder, rules: OrderRules) -> bool:
    """Whether a cancel was asked for, or the time is up and the order holds no place in a limit-down queue."""
    if order.state is OrderState.CANCEL_REQUESTED:
        return True
    keeps_place = (
        order.side is Side.SELL
        and order.limit_down is not None
        and order.price <= order.limit_down
    )
    timeout = order_timeout(order.kind, order.side, rules)
    return not keeps_place and timeout is not None and order.continuous_seconds >= timeout
