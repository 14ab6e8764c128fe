"""The caps of a live account: kept in a row of their own, read at the approval and again just before the call."""

from __future__ import annotations

from datetime import date

from trading.domain.caps import Caps, over_caps
from trading.domain.types import Side, SignalKind, Symbol, Text
from trading.models import Account, LiveCaps, Order
from trading.selectors import used_today


def caps_of(account_id: int) -> Caps | None:
    """Return the caps of an account, None without usable ones: then nothing is sent."""
    row = LiveCaps.objects.filter(pk=account_id).first()
    if row is None or not isinstance(row.symbols, list):
        return None
    try:
        return Caps(
            row.max_order_value,
            row.max_bought_a_day,
            row.max_orders_a_day,
            frozenset(Symbol(str(symbol)) for symbol in row.symbols),
        )
    except ValueError:
        return None


def keep_caps(account: Account, caps: Caps) -> None:
    """Write them, inside the caller's transaction."""
    values = {
        "max_order_value": caps.max_order_value,
        "max_bought_a_day": caps.max_bought_a_day,
        "max_orders_a_day": caps.max_orders_a_day,
        "symbols": sorted(caps.symbols),
    }
    LiveCaps.objects.update_or_create(account=account, defaults=values)


def caps_in_words(caps: Caps) -> Text:
    """Say what the caps allow."""
    symbols = " ".join(sorted(caps.symbols))
    return Text(
        f"{caps.max_order_value:,.0f} yuan an order, {caps.max_bought_a_day:,.0f} yuan bought a day,"
        f" {caps.max_orders_a_day} orders a day, {symbols or 'any symbol'}",
        f"单笔 {caps.max_order_value:,.0f} 元，每日买入 {caps.max_bought_a_day:,.0f} 元，"
        f"每日 {caps.max_orders_a_day} 笔，{symbols or '不限标的'}",
    )


def last_look(order_id: int, on: date) -> str | None:
    """Return what forbids a capped account to send this order, whatever let it come so far; None when nothing does."""
    order = Order.objects.get(pk=order_id)
    denied = over_caps(
        caps_of(order.account_id),
        used_today(order.account_id, on, but=order_id),
        kind=SignalKind(order.kind),
        side=Side(order.side),
        symbol=Symbol(order.symbol),
        value=order.quantity * order.price,
    )
    return None if denied is None else denied.code.value
