"""Cancelling one order, or all of an account."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from monitoring.console.acting import (
    Action,
    Confirmation,
    Fact,
    Gone,
    Moment,
    Outcome,
    account_facts,
    account_row,
    amount,
    named,
    said,
)
from trading.domain import wording
from trading.domain.orders import OrderState
from trading.domain.types import SignalKind, Symbol, Text
from trading.models import Account, Order
from trading.selectors import WORKING_STATES, instruments_of
from trading.services import corrections, kill_switch

_REST = Text(
    "When an exit is cancelled by a person, the automatic exits of its holding rest for 5 minutes.",
    "人工撤销退出委托后，该持仓的自动退出规则暂停 5 分钟。",
)


class Cancel(Action):
    """Cancel one working order."""

    name = "cancel"

    def find(self, pk: int) -> Order:
        row = Order.objects.select_related("account").filter(pk=pk).first()
        if row is None:
            raise Gone(Text("There is no such order.", "没有这笔委托。"))
        return row

    def subject_words(self, subject: Order, answers: Mapping[str, Any]) -> str:
        return f"{subject.symbol} {subject.client_order_id}"

    def confirm(self, subject: Order, answers: Mapping[str, Any], at: Moment) -> Confirmation:
        state, left = OrderState(subject.state), subject.quantity - subject.filled_quantity
        problem = None
        if not state.working:
            en, zh = named(state)
            problem = Text(
                f"The order has ended ({en}); nothing is left to cancel.",
                f"委托已结束（{zh}），没有可撤的部分。",
            )
        elif state is OrderState.CANCEL_REQUESTED:
            problem = Text("Its cancel is asked for already.", "已请求撤单。")
        return Confirmation(
            title=Text("Cancel an order", "撤单"),
            account=subject.account,
            facts=(
                *account_facts(subject.account),
                Fact(
                    Text("Symbol", "标的"),
                    said(f"{_name(subject)} {subject.symbol}".strip()),
                ),
                Fact(Text("Side", "方向"), named(subject.side)),
                Fact(
                    Text("Filled / ordered", "已成交 / 委托"),
                    said(f"{subject.filled_quantity:,} / {subject.quantity:,}"),
                ),
                Fact(
                    Text("Would be cancelled", "将撤销"),
                    Text(
                        f"{left:,} shares at {wording.yuan(subject.price)} = {amount(left * subject.price)} yuan",
                        f"{left:,} 股 × {wording.yuan(subject.price)} = {amount(left * subject.price)} 元",
                    ),
                ),
                Fact(Text("State", "状态"), named(state)),
                Fact(Text("Kind", "类型"), named(subject.kind)),
                Fact(Text("Order", "委托号"), said(subject.client_order_id)),
            ),
            button=Text(f"Cancel {left:,} shares", f"撤销 {left:,} 股"),
            warnings=(
                Text(
                    "What is filled before the broker takes it back stays filled.",
                    "柜台撤单之前成交的部分仍然有效。",
                ),
                *((_REST,) if SignalKind(subject.kind).protective else ()),
            ),
            problem=problem,
            shown=state,
        )

    def act(self, subject: Order, answers: Mapping[str, Any], at: Moment) -> Outcome:
        rows = {"order": subject.pk}
        if not corrections.cancel_order(subject.pk, answers["why"], at.now, at.actor):
            return Outcome(
                Text(
                    "Its cancel was asked for already; nothing changed.",
                    "此前已请求撤单，未做更改。",
                ),
                rows,
            )
        words = Text(
            f"The cancel of {subject.client_order_id} is asked for. The gateway sends it within seconds; the order says "
            "when the broker has taken it back, and what was filled before.",
            f"已请求撤销 {subject.client_order_id}。网关将在数秒内发出；柜台撤单结果及之前的成交见该委托。",
        )
        return Outcome(words, rows)


class CancelAll(Action):
    """Cancel every working order of an account."""

    name = "cancel-all"

    def find(self, pk: int) -> Account:
        return account_row(pk)

    def account_of(self, subject: Account) -> Account:
        return subject

    def confirm(self, subject: Account, answers: Mapping[str, Any], at: Moment) -> Confirmation:
        rows = list(Order.objects.filter(account=subject, state__in=WORKING_STATES).order_by("pk"))
        names = instruments_of({Symbol(row.symbol) for row in rows})
        value = sum(((row.quantity - row.filled_quantity) * row.price for row in rows), Decimal(0))
        problem = (
            None
            if rows
            else Text("No order works: nothing is left to cancel.", "没有未结束的委托。")
        )
        return Confirmation(
            title=Text("Cancel all orders", "全部撤单"),
            account=subject,
            facts=(
                *account_facts(subject),
                Fact(
                    Text("Working orders", "未结束委托"),
                    Text(
                        f"{len(rows)}, worth {amount(value)} yuan",
                        f"{len(rows)} 笔，共 {amount(value)} 元",
                    ),
                ),
                *(
                    Fact(
                        named(row.side),
                        Text(
                            *(
                                f"{names[Symbol(row.symbol)].name} {row.symbol} · {row.quantity - row.filled_quantity:,} @ "
                                f"{wording.yuan(row.price)} · {word}"
                                for word in named(row.state)
                            )
                        ),
                    )
                    for row in rows[:20]
                ),
            ),
            button=Text(f"Cancel {len(rows)} orders", f"撤销 {len(rows)} 笔委托"),
            warnings=(
                Text(
                    "Stop-losses that are on their way are cancelled too. Nothing is halted: rules may order again.",
                    "正在执行的止损委托也会被撤销。总开关不变：规则仍可再次下单。",
                ),
                _REST,
            ),
            problem=problem,
            is_grave=True,
        )

    def act(self, subject: Account, answers: Mapping[str, Any], at: Moment) -> Outcome:
        asked = kill_switch.cancel_all(subject, answers["why"], at.now, at.actor)
        words = Text(
            f"The cancel of {asked} orders is asked for. The gateway sends them within seconds; each order says what came "
            "of it.",
            f"已请求撤销 {asked} 笔委托。网关将在数秒内发出；结果见各笔委托。",
        )
        return Outcome(words, {"orders": asked})


def _name(order: Order) -> str:
    symbol = Symbol(order.symbol)
    return instruments_of([symbol])[symbol].name
