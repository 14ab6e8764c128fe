"""What the client answers to an order or a cancel, and what it refuses before anybody else hears of it."""

from __future__ import annotations

import math

from trading.paper import xtconstant
from trading.paper.delivery import Message
from trading.paper.records import Order

#: The mini client keeps this many bytes of a remark; a Chinese character takes three.
REMARK_BYTES = 24
#: Price types the vendor's simulation knows and refuses with a row; any other but FIX_PRICE never leaves the client.
_REFUSED_PRICE_TYPES = frozenset({xtconstant.LATEST_PRICE, *range(42, 49)})


def client_refusal(message: Message) -> str:
    """Return why the client itself refuses the order, before any row, push or error exists: the silent channel."""
    price_type, price = message["price_type"], message["price"]
    if price_type != xtconstant.FIX_PRICE and price_type not in _REFUSED_PRICE_TYPES:
        return "下单失败：报价类型不合法"
    if message["order_volume"] <= 0:
        return "下单失败：委托数量不合法"
    if price_type == xtconstant.FIX_PRICE and not (math.isfinite(price) and price > 0):
        return "下单失败：委托价格不合法"
    return ""


def cut(remark: str) -> str:
    return remark.encode()[:REMARK_BYTES].decode(errors="ignore")


def order_answer(message: Message, order_id: int, problem: str) -> Message:
    return {
        "account_id": message["account_id"],
        "order_id": order_id,
        "strategy_name": message["strategy_name"],
        "order_remark": cut(message["order_remark"]),
        "error_msg": problem,
    }


def cancel_answer(message: Message, order: Order | None) -> Message:
    return {
        "account_id": message["account_id"],
        "cancel_result": 0,
        "order_id": order.order_id if order else message.get("order_id", -1),
        "order_sysid": message.get("order_sysid", ""),
        "error_msg": "",
    }
