"""What a session remembers, what it is told, and what it decides: the values of the reducer.

Everything a restart needs is in `GridState`; it goes through JSON without loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

from grid.domain.ledger import Ledger
from trading.domain.instruments import LotRule
from trading.domain.types import ZERO, Side, Text

#: The finest a computed level is stored, in yuan: a centre survives the database unchanged.
LEVEL_UNIT = Decimal("0.00000001")


class Tracker(StrEnum):
    """Whether a line was crossed: RISING follows the peak, FALLING the valley."""

    IDLE = "idle"
    RISING = "rising"
    FALLING = "falling"


class SessionStatus(StrEnum):
    """ACTIVE trades, PAUSED only watches its exits, STOPPING waits for its working orders, STOPPED is over."""

    ACTIVE = "active"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Trade:
    """A decision to trade `quantity` shares. `trigger`: price of the quote that decided it, yuan.

    `highest`: a buy is never sent above it (the reservation price), 0 for a sell. `lots`: what a sell of style A
    closes, as (lot, shares).
    """

    side: Side
    quantity: int
    trigger: Decimal
    at: datetime
    reason: Text
    highest: Decimal = ZERO
    lots: tuple[tuple[int, int], ...] = ()


class RefusalCode(StrEnum):
    """Why a trigger came to nothing."""

    BEYOND_LINE = "BEYOND_LINE"
    COOLDOWN = "COOLDOWN"
    BUDGET = "BUDGET"
    NOTHING_SELLABLE = "NOTHING_SELLABLE"
    HOLDING_UNKNOWN = "HOLDING_UNKNOWN"
    TOO_LATE = "TOO_LATE"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A trigger that came to nothing: the tracker is reset, nothing is ordered."""

    side: Side
    code: RefusalCode
    text: Text


class StopCode(StrEnum):
    """Why a session ends itself."""

    DEVIATION = "DEVIATION"
    TARGET = "TARGET"
    LOSS = "LOSS"
    EXPIRED = "EXPIRED"
    EMPTY = "EMPTY"


@dataclass(frozen=True, slots=True)
class Stop:
    """The session is to end; while it is paused this only alerts."""

    code: StopCode
    text: Text


Decision = Trade | Refusal | Stop


@dataclass(frozen=True, slots=True)
class GridState:
    """A session between two quotes. Prices in yuan, times are market time.

    `centre`: of style B, or the reference of style A. `extreme`: the peak or valley while the tracker follows one.
    `buy_tried_at`, `sell_tried_at`: when a line at the present centre last triggered. `last_sale`: average price of
    the last sale. `pending`: the trade under way, from its signal until its order ended; nothing else is decided
    meanwhile. `empty_read_at`: first confirmed read of an empty holding.
    """

    centre: Decimal
    first_centre: Decimal
    tracker: Tracker = Tracker.IDLE
    extreme: Decimal = ZERO
    last_buy_at: datetime | None = None
    last_sell_at: datetime | None = None
    last_sale: Decimal | None = None
    buy_tried_at: datetime | None = None
    sell_tried_at: datetime | None = None
    pending: Trade | None = None
    empty_read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the house knows now. `held`: shares of the symbol in the account, None = not known, never "none".

    `sellable`: shares that may be sold now (T+1 and the terminal's own count); `promised`: of those, to other orders.
    `reserved_buys`: yuan of the session's own working buys. `base_quantity`: the holding it was given at the start.
    `read_at`: when `held` was read. `ends_at`: end of the session, None = without one.
    """

    ledger: Ledger
    lot: LotRule
    on: date
    held: int | None
    sellable: int
    promised: int = 0
    reserved_buys: Decimal = ZERO
    base_quantity: int = 0
    limit_up: Decimal | None = None
    t1: bool = True
    read_at: datetime | None = None
    ends_at: datetime | None = None
    may_trade: bool = True


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """A line of a session that has not begun. `closes_at`: where its round trip ends, `highest`: what a buy reserves at."""

    side: Side
    price: Decimal
    quantity: int
    closes_at: Decimal = ZERO
    highest: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order chain ended: what it traded in total, in shares and yuan. Quantity 0: nothing."""

    side: Side
    quantity: int
    amount: Decimal
    at: datetime

    @property
    def average(self) -> Decimal:
        """Average fill price of the whole order, to the stored unit. Only with a quantity."""
        return level(self.amount / self.quantity)


def start(centre: Decimal) -> GridState:
    """Return the state of a new session. Raises ValueError when the centre is no price."""
    if not centre.is_finite() or centre <= 0:
        raise ValueError(f"a centre of {centre} is no price")
    first = level(centre)
    return GridState(first, first)


def level(price: Decimal) -> Decimal:
    """Round a computed price half up to what is stored."""
    return price.quantize(LEVEL_UNIT, ROUND_HALF_UP)


def reset(state: GridState) -> GridState:
    """Return the state after a trigger that came to nothing: idle, nothing pending; the centre stays (F92)."""
    return replace(state, tracker=Tracker.IDLE, extreme=ZERO, pending=None)


def scaled_state(state: GridState, factor: Decimal) -> GridState:
    """Return the state after a corporate action: every price × factor (rules §1). Raises ValueError for factor ≤ 0."""
    if factor <= 0:
        raise ValueError(f"a factor of {factor} is none")
    return replace(
        state,
        centre=level(state.centre * factor),
        first_centre=level(state.first_centre * factor),
        extreme=level(state.extreme * factor),
        last_sale=None if state.last_sale is None else level(state.last_sale * factor),
    )


# --- JSON -------------------------------------------------------------------------------------------------------

_MONEY = ("centre", "first_centre", "extreme", "last_sale")
_TIMES = ("last_buy_at", "last_sell_at", "buy_tried_at", "sell_tried_at", "empty_read_at")


def to_json(state: GridState) -> dict[str, Any]:
    """Return the state as JSON-able values; numbers as text, so that no float ever holds one."""
    found: dict[str, Any] = {"tracker": state.tracker.value}
    for name in _MONEY:
        value = getattr(state, name)
        found[name] = None if value is None else str(value)
    for name in _TIMES:
        value = getattr(state, name)
        found[name] = None if value is None else value.isoformat()
    found["pending"] = None if state.pending is None else trade_to_json(state.pending)
    return found


def from_json(values: Mapping[str, Any]) -> GridState:
    """Return the state `to_json` wrote."""
    found: dict[str, Any] = {"tracker": Tracker(values["tracker"])}
    for name in _MONEY:
        found[name] = None if values[name] is None else Decimal(values[name])
    for name in _TIMES:
        found[name] = None if values[name] is None else datetime.fromisoformat(values[name])
    pending = values["pending"]
    found["pending"] = None if pending is None else trade_from_json(pending)
    return GridState(**found)


def trade_to_json(trade: Trade) -> dict[str, Any]:
    """Return a trade as JSON-able values."""
    return {
        "side": trade.side.value,
        "quantity": trade.quantity,
        "trigger": str(trade.trigger),
        "at": trade.at.isoformat(),
        "reason": list(trade.reason),
        "highest": str(trade.highest),
        "lots": [list(lot) for lot in trade.lots],
    }


def trade_from_json(values: Mapping[str, Any]) -> Trade:
    """Return the trade `trade_to_json` wrote."""
    return Trade(
        side=Side(values["side"]),
        quantity=values["quantity"],
        trigger=Decimal(values["trigger"]),
        at=datetime.fromisoformat(values["at"]),
        reason=Text(*values["reason"]),
        highest=Decimal(values["highest"]),
        lots=tuple((number, quantity) for number, quantity in values["lots"]),
    )
