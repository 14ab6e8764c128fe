"""The main switch of an account, and the exit rules of one holding."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, ClassVar

from django.db.models import Count, Q

from monitoring.console.acting import (
    Action,
    Confirmation,
    Fact,
    Moment,
    Outcome,
    account_facts,
    account_row,
    named,
    open_holding,
    said,
)
from trading.domain import wording
from trading.domain.exits import stop_price
from trading.domain.types import Side, Symbol, Text, TradingState
from trading.models import Account, Order, Position
from trading.selectors import WORKING_STATES, instruments_of, position_value_of
from trading.services import corrections, kill_switch
from trading.services.corrections import CorrectionError
from trading.services.manual_preview import view_of


class _Switch(Action):
    """Set the main switch to one state."""

    state: ClassVar[TradingState]
    title: ClassVar[Text]
    button: ClassVar[Text]
    brings: ClassVar[tuple[Text, ...]]

    def find(self, pk: int) -> Account:
        return account_row(pk)

    def account_of(self, subject: Account) -> Account:
        return subject

    def loosens(self, subject: Account) -> bool:
        return kill_switch.loosens(subject, self.state)

    def confirm(self, subject: Account, answers: Mapping[str, Any], at: Moment) -> Confirmation:
        counts = Order.objects.filter(account=subject, state__in=WORKING_STATES).aggregate(
            buys=Count("pk", filter=Q(side=Side.BUY)), sales=Count("pk", filter=Q(side=Side.SELL))
        )
        holdings = Position.objects.filter(account=subject, closed_at__isnull=True).count()
        return Confirmation(
            title=self.title,
            account=subject,
            facts=(
                *account_facts(subject),
                Fact(Text("Main switch now", "总开关现为"), named(subject.trading_state)),
                Fact(Text("Main switch afterwards", "之后"), named(self.state)),
                Fact(Text("Holdings", "持仓"), said(holdings)),
                Fact(
                    Text("Working orders", "未结束委托"),
                    Text(
                        f"{counts['buys']} buys, {counts['sales']} sales",
                        f"买入 {counts['buys']} 笔，卖出 {counts['sales']} 笔",
                    ),
                ),
            ),
            button=self.button,
            warnings=self.brings,
            problem=self._problem(subject),
            shown=subject.trading_state,
            is_grave=self.state is TradingState.HALTED,
        )

    def _problem(self, subject: Account) -> Text | None:
        if subject.trading_state == self.state:
            en, zh = named(self.state)
            return Text(
                f"It is {en} already; nothing to change.", f"总开关已经是“{zh}”，无需更改。"
            )
        name = kill_switch.kill_file(subject.name)
        if name is None or self.state is TradingState.HALTED:
            return None
        return Text(
            f"The file {name} is in the data directory: remove it first, then resume.",
            f"数据目录中有文件 {name}：请先删除它，再恢复交易。",
        )

    def act(self, subject: Account, answers: Mapping[str, Any], at: Moment) -> Outcome:
        changed = kill_switch.switch(subject, self.state, answers["why"], at.now, at.actor)
        en, zh = named(self.state)
        if not changed:
            return Outcome(
                Text(f"It was {en} already; nothing changed.", f"总开关原本就是“{zh}”，未做更改。")
            )
        return Outcome(
            Text(
                f"The main switch of {subject.name} is {en} now. {self.brings[0].en}",
                f"{subject.name} 的总开关现为“{zh}”。{self.brings[0].zh}",
            )
        )


class Halt(_Switch):
    """Nothing goes out any more."""

    name, state, takes_proof = "halt", TradingState.HALTED, False
    title = Text("Halt trading", "停止交易")
    button = Text("Halt: no order at all", "停止：不发任何委托")
    brings = (
        Text(
            "No order goes out from now on, stop-losses neither: no holding is protected.",
            "从现在起不发任何委托，止损也不发：所有持仓均不受保护。",
        ),
        Text(
            "What is at the broker already stays there; “cancel all” takes it back.",
            "已在柜台的委托不受影响；需要时请“全部撤单”。",
        ),
    )


class Reduce(_Switch):
    """Only sales go out."""

    name, state = "reduce", TradingState.REDUCING
    title = Text("Reduce only", "只减仓")
    button = Text("Reduce only: no buying", "只减仓：不再买入")
    brings = (
        Text(
            "Sales and stop-losses go on; no buy goes out.",
            "卖出与止损照常，不再发出任何买入委托。",
        ),
    )


class Resume(_Switch):
    """Everything goes out again."""

    name, state = "resume", TradingState.ACTIVE
    title = Text("Resume trading", "恢复交易")
    button = Text("Resume: rules order again", "恢复：规则重新下单")
    brings = (
        Text(
            "The rules decide from the next tick on: what is at its level is sold or bought at once.",
            "规则从下一次检查起重新决策：已触及价位的会立即买卖。",
        ),
    )


class _Exits(Action):
    """Switch the exit rules of one holding."""

    on: ClassVar[bool]

    def find(self, pk: int) -> Position:
        return open_holding(pk)

    def confirm(self, subject: Position, answers: Mapping[str, Any], at: Moment) -> Confirmation:
        symbol = Symbol(subject.symbol)
        name = instruments_of([symbol])[symbol].name
        cost = position_value_of(subject).cost_for_decision
        stop = self._stop(subject, at)
        same = Text("It is so already; nothing to change.", "状态原本如此，无需更改。")
        off = Text("off: nothing sells it by itself", "关闭：不会自动卖出")
        on = Text("on", "开启")
        return Confirmation(
            title=Text("Switch exits on", "开启退出规则")
            if self.on
            else Text("Switch exits off", "关闭退出规则"),
            account=subject.account,
            facts=(
                *account_facts(subject.account),
                Fact(Text("Symbol", "标的"), said(f"{name} {symbol}".strip())),
                Fact(Text("Held", "持有"), said(f"{subject.quantity:,}")),
                Fact(Text("Cost", "成本"), said("—" if cost is None else wording.yuan(cost))),
                Fact(Text("Exits now", "退出规则现为"), on if subject.exit_enabled else off),
                *((Fact(Text("Stop-loss price", "止损价"), said(stop)),) if stop else ()),
            ),
            button=Text("Switch exits on", "开启退出规则")
            if self.on
            else Text("Switch exits off: no protection", "关闭退出规则：不再受保护"),
            warnings=(
                Text(
                    "From the next tick on stop-loss and take-profit decide again, at once if the price is at a level.",
                    "从下一次检查起止损、止盈重新生效；若价格已触及则立即卖出。",
                )
                if self.on
                else Text(
                    "This holding is then not protected: neither stop-loss nor take-profit sells it, until they are on.",
                    "此后该持仓不受保护：在重新开启之前，止损和止盈都不会卖出。",
                ),
            ),
            problem=same if subject.exit_enabled == self.on else None,
            shown=str(subject.exit_enabled),
            is_grave=not self.on,
        )

    def _stop(self, subject: Position, at: Moment) -> str:
        """Return the price of the stop-loss these rules have, "" where there is none."""
        symbol = Symbol(subject.symbol)
        try:
            view = view_of(subject.account_id, symbol, at.now, at.quotes, at.calendar)
        except CorrectionError:
            return ""
        switched_on = copy(subject)
        switched_on.exit_enabled = True
        level = stop_price(position_value_of(subject), view.rules_of(switched_on))
        return "" if level is None else wording.yuan(level)

    def act(self, subject: Position, answers: Mapping[str, Any], at: Moment) -> Outcome:
        rows = {"holding": subject.pk}
        if not corrections.switch_exits(subject.pk, self.on, answers["why"], at.now, at.actor):
            return Outcome(
                Text("It was so already; nothing changed.", "状态原本如此，未做更改。"), rows
            )
        words = (
            Text(
                f"The exits of {subject.symbol} are on: the next tick, within 5 s, decides by them.",
                f"{subject.symbol} 的退出规则已开启：下一次检查（5 秒内）起生效。",
            )
            if self.on
            else Text(
                f"The exits of {subject.symbol} are off: it is not protected until they are on again.",
                f"{subject.symbol} 的退出规则已关闭：重新开启之前不受保护。",
            )
        )
        return Outcome(words, rows)


class ExitsOn(_Exits):
    """Stop-loss and take-profit decide again."""

    name, on = "exits-on", True


class ExitsOff(_Exits):
    """Nothing sells this holding by itself."""

    name, on, takes_factor = "exits-off", False, True
