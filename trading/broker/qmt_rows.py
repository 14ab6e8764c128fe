"""Rows of the terminal → our reports: floats end here, and a row with rubbish in it is refused.

The numbers are `xtquant.xtconstant`'s, the field names those of `xtquant.xttype`; a contract test compares both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.broker.refusals import ACCOUNT_OK, account_status
from trading.domain.reports import (
    BrokerAsset,
    BrokerOrder,
    BrokerPosition,
    BrokerState,
    BrokerTrade,
    CancelResponse,
    ConnectionReport,
    Report,
    SubmitError,
    SubmitResponse,
)
from trading.domain.types import CHINA, ZERO, Side, Symbol

#: `xtconstant.ORDER_*` → our word.
ORDER_STATES = {
    48: BrokerState.UNREPORTED,
    49: BrokerState.WAIT_REPORTING,
    50: BrokerState.REPORTED,
    51: BrokerState.CANCEL_PENDING,
    52: BrokerState.PARTIAL_CANCEL_PENDING,
    53: BrokerState.PARTIALLY_CANCELLED,
    54: BrokerState.CANCELLED,
    55: BrokerState.PARTIALLY_FILLED,
    56: BrokerState.FILLED,
    57: BrokerState.REJECTED,
}
STOCK_BUY, STOCK_SELL, FIX_PRICE = 23, 24, 11
_UNIT = Decimal("0.0001")

ORDER_FIELDS = [
    "order_id",
    "order_sysid",
    "stock_code",
    "order_type",
    "order_volume",
    "price",
    "order_status",
    "traded_volume",
    "order_time",
    "order_remark",
    "status_msg",
]
TRADE_FIELDS = [
    "traded_id",
    "order_id",
    "order_sysid",
    "stock_code",
    "order_type",
    "traded_volume",
    "traded_price",
    "traded_time",
    "order_remark",
    "commission",
]
POSITION_FIELDS = [
    "stock_code",
    "volume",
    "can_use_volume",
    "open_price",
    "avg_price",
    "frozen_volume",
    "yesterday_volume",
    "instrument_name",
    "market_value",
]
ASSET_FIELDS = ["cash", "frozen_cash", "market_value", "total_asset"]


def _decimal(value: Any) -> Decimal:
    """Float from the terminal → `Decimal` to 1/10000. Raises ValueError on None, NaN and infinities."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{value!r} is no number")
    return Decimal(str(value)).quantize(_UNIT).normalize() + 0


def _shares(value: Any) -> int:
    """Whole shares. Raises ValueError on None, NaN, fractions and negatives."""
    number = _decimal(value)
    if number != number.to_integral_value() or number < 0:
        raise ValueError(f"{value!r} is no number of shares")
    return int(number)


def _price(value: Any) -> Decimal:
    """A price that may be missing: 0 when the terminal has none (None, NaN)."""
    try:
        return _decimal(value)
    except (ValueError, ArithmeticError):
        return ZERO


def _symbol(code: Any) -> Symbol:
    """A code with its market. Raises ValueError on anything else; other markets than ours may be in an account."""
    if not isinstance(code, str) or "." not in code.strip("."):
        raise ValueError(f"{code!r} is no symbol")
    return Symbol(code)


def _side(order_type: Any) -> Side | None:
    return {STOCK_BUY: Side.BUY, STOCK_SELL: Side.SELL}.get(order_type)


def _time(seconds: Any, now: datetime) -> datetime:
    """Seconds since 1970 → China time; a time the terminal does not have (None, NaN, 0) is now."""
    try:
        return datetime.fromtimestamp(int(seconds), CHINA) if seconds > 0 else now
    except (TypeError, ValueError, OverflowError, OSError):
        return now


def asset_of(row: dict[str, Any]) -> BrokerAsset:
    return BrokerAsset(*(_decimal(row[name]) for name in ASSET_FIELDS))


def _text(value: Any) -> str:
    """Return a text any database keeps: up to its first NUL, as in C, what is no character replaced."""
    text = str(value or "").partition("\x00")[0]
    return text.encode("utf-8", "replace").decode("utf-8")


def position_of(row: dict[str, Any]) -> BrokerPosition:
    return BrokerPosition(
        symbol=_symbol(row["stock_code"]),
        quantity=_shares(row["volume"]),
        sellable=_shares(row["can_use_volume"]),
        open_price=_price(row["open_price"]),
        diluted_cost=_price(row["avg_price"]),
        frozen=_shares(row["frozen_volume"] or 0),
        yesterday=_shares(row["yesterday_volume"] or 0),
        name=_text(row["instrument_name"]),
        market_value=None if row["market_value"] is None else _decimal(row["market_value"]),
    )


def order_of(row: dict[str, Any], now: datetime) -> BrokerOrder:
    return BrokerOrder(
        broker_order_id=int(row["order_id"]),
        symbol=_symbol(row["stock_code"]),
        side=_side(row["order_type"]),
        quantity=_shares(row["order_volume"]),
        price=_decimal(row["price"]),
        state=ORDER_STATES.get(row["order_status"], BrokerState.UNKNOWN),
        traded_quantity=_shares(row["traded_volume"]),
        time=_time(row["order_time"], now),
        sysid=_text(row["order_sysid"]),
        remark=_text(row["order_remark"]),
        message=_text(row["status_msg"]),
    )


def trade_of(row: dict[str, Any], now: datetime) -> BrokerTrade:
    return BrokerTrade(
        traded_id=_text(row["traded_id"]),
        broker_order_id=int(row["order_id"]),
        symbol=_symbol(row["stock_code"]),
        side=_side(row["order_type"]),
        quantity=_shares(row["traded_volume"]),
        price=_decimal(row["traded_price"]),
        time=_time(row["traded_time"], now),
        sysid=_text(row["order_sysid"]),
        remark=_text(row["order_remark"]),
        commission=_price(row["commission"]),
    )


REPORTS: dict[str, Callable[[dict[str, Any], datetime], Report]] = {
    "order": order_of,
    "trade": trade_of,
    "submitted": lambda row, now: SubmitResponse(
        int(row["seq"]),
        int(row["order_id"]),
        _text(row["order_remark"]),
        _text(row["error_msg"]),
    ),
    "submit_error": lambda row, now: SubmitError(
        int(row["order_id"] or 0),
        _text(row["order_remark"]),
        _text(row["error_msg"]),
        int(row["seq"] or 0),
    ),
    "cancelled": lambda row, now: CancelResponse(
        int(row["order_id"] or 0),
        row["cancel_result"] == 0,
        _text(row["error_msg"]),
        _text(row["order_sysid"]),
    ),
    "cancel_error": lambda row, now: CancelResponse(
        int(row["order_id"] or 0),
        False,
        _text(row["error_msg"]),
        _text(row["order_sysid"]),
    ),
    "account_status": lambda row, now: ConnectionReport(
        row["status"] == ACCOUNT_OK, *account_status(row["status"])
    ),
    "disconnected": lambda row, now: ConnectionReport(
        False, "disconnected", "连接已断开", lost=True
    ),
}
