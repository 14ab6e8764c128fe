"""Caps: what an account may do at most while it goes live. Checked at the approval, and again just before the call.

They are no settings: whoever raises a limit of the configuration raises nothing here. A sale that protects a holding is
never capped.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading.domain.settings import in_range
from trading.domain.types import ZERO, Denial, DenialCode, Side, SignalKind, Symbol, Text


@dataclass(frozen=True, slots=True)
class Caps:
    """The most one order may be worth and the most that is bought a day (yuan), orders a day, symbols (none: any).

    Raises SettingError when a value is outside its range.
    """

    max_order_value: Decimal = Decimal(5000)
    max_bought_a_day: Decimal = Decimal(20000)
    max_orders_a_day: int = 10
    symbols: frozenset[Symbol] = frozenset()

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            in_range(name, getattr(self, name), low, high)


_RANGES = (
    ("max_order_value", Decimal(100), Decimal(10_000_000)),
    ("max_bought_a_day", Decimal(100), Decimal(100_000_000)),
    ("max_orders_a_day", 1, 1000),
)


@dataclass(frozen=True, slots=True)
class Used:
    """What today's other orders of the account have used: yuan bought or still being bought, and their number."""

    bought: Decimal = ZERO
    orders: int = 0


NOTHING = Used()


def over_caps(
    caps: Caps | None, used: Used, *, kind: SignalKind, side: Side, symbol: Symbol, value: Decimal
) -> Denial | None:
    """Return what an order worth `value` yuan exceeds, None when it may go. No caps at all allow nothing."""
    if side is Side.SELL and kind.protective:
        return None
    if caps is None:
        return _denied(
            "No caps are set, so nothing is sent. Set them on the page “Going live”.",
            "尚未设置实盘上限，不发出委托。请在“上线路径”页面设置。",
        )
    if value > caps.max_order_value:
        return _denied(
            f"The order is worth {value:,.2f} yuan, the cap of one order is {caps.max_order_value:,.2f}.",
            f"委托金额 {value:,.2f} 元，单笔上限 {caps.max_order_value:,.2f} 元。",
        )
    if used.orders >= caps.max_orders_a_day:
        return _denied(
            f"{used.orders} orders were made today, the cap is {caps.max_orders_a_day}. Only stop-losses and"
            " take-profits are sent for the rest of the day.",
            f"今日已有委托 {used.orders} 笔，上限 {caps.max_orders_a_day} 笔；今日其余时间只发出止损、止盈。",
        )
    if side is Side.SELL:
        return None
    if caps.symbols and symbol not in caps.symbols:
        return _denied(
            f"{symbol} is not among the symbols that may be bought while the account is capped.",
            f"{symbol} 不在限额阶段允许买入的标的之内。",
        )
    after = used.bought + value
    if after > caps.max_bought_a_day:
        return _denied(
            f"With this order {after:,.2f} yuan would be bought today, the cap is {caps.max_bought_a_day:,.2f}.",
            f"加上本笔，今日买入将达 {after:,.2f} 元，上限 {caps.max_bought_a_day:,.2f} 元。",
        )
    return None


def _denied(en: str, zh: str) -> Denial:
    return Denial(DenialCode.CAPS, Text(en, zh))
