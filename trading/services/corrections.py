"""What a person corrects by hand: each is one transaction with a reason and an event that names the person."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from trading.domain.exits import HIGHEST_HIGH, LOWEST_HIGH
from trading.domain.orders import OrderState
from trading.domain.positions import rearmed, with_high
from trading.domain.types import Text
from trading.errors import MiniqmtError
from trading.models import EventLevel, Order, Position
from trading.selectors import position_value_of
from trading.services.booking import assign
from trading.services.events import journal
from trading.services.orders import request_cancel


class CorrectionError(MiniqmtError):
    """A correction was refused: nothing changed. `text` says why, in both languages."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


_STATE = ("high_since_entry", "first_take_profit_done", "armed", "armed_high", "trailing_level")


def rearm_first_take_profit(position_id: int, why: str, now: datetime, actor: str) -> None:
    """Give the first take-profit of an open life back. Raises CorrectionError."""
    needs_reason(why)
    with transaction.atomic():
        row = _open(position_id)
        _store(row, assign(row, rearmed(position_value_of(row))))
        text = Text(
            f"First take-profit of {row.symbol} armed again: {why}",
            f"{row.symbol} 的首次止盈已重新启用：{why}",
        )
        _tell(row, "FIRST_TAKE_PROFIT_REARMED", text, now, actor)


def correct_high(position_id: int, high: Decimal, why: str, now: datetime, actor: str) -> None:
    """Replace the high since entry (yuan) of an open life.

    Raises CorrectionError when the exit rules would not believe it (rules §1.2).
    """
    needs_reason(why)
    with transaction.atomic():
        row = _open(position_id)
        value = position_value_of(row)
        base = row.base_cost or value.cost
        low, top = base * LOWEST_HIGH, base * HIGHEST_HIGH
        if high <= 0 or (base > 0 and not low <= high <= top):
            raise CorrectionError(
                Text(
                    f"{row.symbol}: a high of {high} is not believed, expected {low:.2f} to {top:.2f} yuan.",
                    f"{row.symbol}：最高价 {high} 不可信，应在 {low:.2f} 至 {top:.2f} 元之间。",
                )
            )
        before = row.high_since_entry
        _store(row, assign(row, with_high(value, high)))
        text = Text(
            f"High of {row.symbol} corrected from {before} to {high} yuan: {why}",
            f"{row.symbol} 的最高价由 {before} 更正为 {high} 元：{why}",
        )
        _tell(row, "HIGH_CORRECTED", text, now, actor, before=str(before), after=str(high))


def switch_exits(position_id: int, on: bool, why: str, now: datetime, actor: str) -> bool:
    """Switch the exit rules of one holding; the next tick supersedes its pending signals. True when it changed."""
    needs_reason(why)
    with transaction.atomic():
        row = _open(position_id)
        if row.exit_enabled == on:
            return False
        Position.objects.filter(pk=row.pk).update(exit_enabled=on)
        text = Text(
            f"Exits of {row.symbol} switched {'on' if on else 'off'}: {why}",
            f"{row.symbol} 的退出规则已{'开启' if on else '关闭'}：{why}",
        )
        level = EventLevel.INFO if on else EventLevel.ALARM
        _tell(row, "EXITS_SWITCHED", text, now, actor, level, on=on)
        return True


def cancel_order(order_id: int, why: str, now: datetime, actor: str) -> bool:
    """Ask for a cancel in a person's name. False when it is asked for already. Raises CorrectionError."""
    needs_reason(why)
    with transaction.atomic():
        order = Order.objects.get(pk=order_id)
        if not OrderState(order.state).working:
            raise CorrectionError(
                Text(
                    f"Order {order.client_order_id} has ended ({order.state}); nothing is left to cancel.",
                    f"委托 {order.client_order_id} 已结束（{order.state}），没有可撤的部分。",
                )
            )
        if not request_cancel(order, "PERSON", now, by_person=True):
            return False
        text = Text(
            f"Cancel of order {order.client_order_id} ({order.symbol}) asked for: {why}",
            f"已请求撤销委托 {order.client_order_id}（{order.symbol}）：{why}",
        )
        journal(
            order.account_id,
            EventLevel.WARNING,
            "CANCEL_ASKED",
            text,
            now,
            symbol=order.symbol,
            actor=actor,
            client_order_id=order.client_order_id,
        )
        return True


def needs_reason(why: str) -> None:
    """Raises CorrectionError without a reason."""
    if not why.strip():
        raise CorrectionError(Text("A correction needs a reason.", "必须写明原因。"))


def _open(position_id: int) -> Position:
    row = Position.objects.select_for_update().get(pk=position_id)
    if row.closed_at is not None:
        raise CorrectionError(
            Text(
                f"{row.symbol}: this life of the holding has ended.",
                f"{row.symbol}：该持仓周期已结束。",
            )
        )
    return row


def _store(row: Position, fields: dict[str, object]) -> None:
    Position.objects.filter(pk=row.pk).update(**{name: fields[name] for name in _STATE})


def _tell(
    row: Position,
    code: str,
    text: Text,
    now: datetime,
    actor: str,
    level: EventLevel = EventLevel.WARNING,
    **detail: object,
) -> None:
    journal(
        row.account_id,
        level,
        code,
        text,
        now,
        symbol=row.symbol,
        actor=actor,
        life=row.life,
        **detail,
    )
