"""What the risk checks read: the limits of the account, the order somebody wants, and what is known now.

Money in yuan, quantities in shares, ratios as fractions of 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TypeGuard

from trading.domain.calendar import MarketPhase
from trading.domain.caps import NOTHING, Caps, Used
from trading.domain.instruments import Instrument, LotRule
from trading.domain.orders import WorkingRef
from trading.domain.settings import SettingError, in_range
from trading.domain.types import (
    Denial,
    DenialCode,
    Limits,
    Side,
    SignalKind,
    Symbol,
    Text,
    TradingState,
)


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """The risk settings of one revision. `max_order_value` None = `max_position_value`.

    Raises SettingError when a value is outside its range.
    """

    max_order_value: Decimal | None = None
    max_position_value: Decimal = Decimal(70000)
    max_total_position_ratio: Decimal = Decimal("0.95")
    daily_loss_ratio: Decimal = Decimal("0.05")
    max_buy_orders_per_day: int = 200
    orders_per_second: int = 2
    cancels_per_10s: int = 5
    cancel_ratio_alarm: Decimal = Decimal("0.10")
    cancel_ratio_stop: Decimal = Decimal("0.15")
    cancel_ratio_after: int = 20
    buy_enabled: bool = True
    sell_enabled: bool = True
    auto_trading_enabled: bool = False
    strategy_execution_enabled: bool = False

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            if not (name == "max_order_value" and self.max_order_value is None):
                in_range(name, getattr(self, name), low, high)
        if self.cancel_ratio_stop < self.cancel_ratio_alarm:
            least = f"cancel_ratio_alarm {self.cancel_ratio_alarm}"
            raise SettingError(
                "cancel_ratio_stop",
                self.cancel_ratio_stop,
                Text(f"at least {least}", f"不小于 {least}"),
            )

    @property
    def order_value_limit(self) -> Decimal:
        """The most one order may be worth in yuan."""
        return self.max_position_value if self.max_order_value is None else self.max_order_value


#: The exchange's programme-trading lines are 300 orders a second and 20,000 a day; a person's account stays far below.
_RANGES = (
    ("max_order_value", Decimal(100), Decimal(10) ** 9),
    ("max_position_value", Decimal(100), Decimal(10) ** 9),
    ("max_total_position_ratio", Decimal("0.01"), Decimal(1)),
    ("daily_loss_ratio", Decimal("0.001"), Decimal("0.5")),
    ("max_buy_orders_per_day", Decimal(1), Decimal(5000)),
    ("orders_per_second", Decimal(1), Decimal(20)),
    ("cancels_per_10s", Decimal(1), Decimal(100)),
    ("cancel_ratio_alarm", Decimal("0.01"), Decimal(1)),
    ("cancel_ratio_stop", Decimal("0.01"), Decimal(1)),
    ("cancel_ratio_after", Decimal(1), Decimal(1000)),
)


@dataclass(frozen=True, slots=True)
class Intent:
    """The order somebody wants: a limit order of `quantity` shares at `price` yuan."""

    kind: SignalKind
    symbol: Symbol
    side: Side
    quantity: int
    price: Decimal
    instrument: Instrument
    lot: LotRule
    tick: Decimal

    @property
    def value(self) -> Decimal:
        """Quantity × limit price."""
        return self.quantity * self.price

    @property
    def protective_sale(self) -> bool:
        return self.side is Side.SELL and self.kind.protective


@dataclass(frozen=True, slots=True)
class RiskFacts:
    """What is known now. None = not known, never "zero".

    `sellable`: shares this order may sell, after what others promise (R8). `held_sellable`: the same ignoring
    promises. `position_value` of this symbol and `total_position_value` include working buys. `day_loss_ratio`: loss
    since the previous close as a fraction of the total then, negative for a gain. `opposite_working`: our working
    orders that must end first (`in_the_way`). `same_purpose_working`: another order of the same symbol, side and
    purpose works; UNKNOWN ones do not count, they keep their own shares. `refusals_in_a_row`: identical ones by the
    broker for this symbol and side. `since_refusal`: time since the last of them. `books_differ`: the books of an earlier
    day differ from the terminal, and nobody has explained it. `quote_may_trade`: the newest quote is of a source this
    account may trade on. `may_send`: its stage lets it send at all; `capped`: within `caps`, of which today `used` so much.
    """

    trading_state: TradingState
    gateway_armed: bool
    calendar_known: bool
    phase: MarketPhase
    quote_fresh: bool
    suspended: bool
    limits: Limits | None
    limits_problem: Denial | None
    sellable: int
    held: int
    held_sellable: int
    bought_today: int
    cash: Decimal | None
    cash_needed: Decimal | None
    position_value: Decimal | None
    total_position_value: Decimal | None
    total_asset: Decimal | None
    day_loss_ratio: Decimal | None
    buys_today: int
    orders_last_second: int
    cancels_last_10s: int
    orders_today: int
    cancels_today: int
    opposite_working: tuple[WorkingRef, ...] = ()
    same_purpose_working: bool = False
    refusals_in_a_row: int = 0
    since_refusal: timedelta | None = None
    books_differ: bool = False
    quote_may_trade: bool = True
    may_send: bool = True
    capped: bool = False
    caps: Caps | None = None
    used: Used = NOTHING


def denial(code: DenialCode, en: str, zh: str) -> Denial:
    """Return the denial in both languages."""
    return Denial(code, Text(en, zh))


def known(value: Decimal | None) -> TypeGuard[Decimal]:
    """Whether a number is there at all: neither missing nor NaN nor infinite."""
    return value is not None and value.is_finite()


def yuan(value: Decimal | None) -> str:
    """Write an amount for people, `?` when it is not known."""
    return f"{value:,.2f}" if known(value) else "?"


def percent(ratio: Decimal | None) -> str:
    """Write a ratio for people, `?` when it is not known."""
    return f"{ratio * 100:.1f} %" if known(ratio) else "?"
