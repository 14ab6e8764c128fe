"""Pausing, resuming and stopping a grid session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from grid.domain.state import SessionStatus
from grid.models import GridSession
from grid.models.sessions import StopPolicy
from grid.selectors import ledger_of
from grid.services import sessions
from grid.services.overview import state_words
from monitoring.console.acting import (
    Action,
    Confirmation,
    Fact,
    Gone,
    Moment,
    Outcome,
    account_facts,
    amount,
    named,
    said,
)
from monitoring.console.acting_forms import StopForm
from trading.domain import wording
from trading.domain.types import Symbol, Text
from trading.models import Order
from trading.selectors import WORKING_STATES, instruments_of


class _Steer(Action):
    """Change what a session does."""

    title: ClassVar[Text]
    button: ClassVar[Text]
    brings: ClassVar[tuple[Text, ...]]
    #: States in which there is something to change.
    from_states: ClassVar[tuple[SessionStatus, ...]]

    def find(self, pk: int) -> GridSession:
        row = GridSession.objects.select_related("account").filter(pk=pk).first()
        if row is None:
            raise Gone(Text("There is no such grid session.", "没有该网格会话。"))
        return row

    def confirm(
        self, subject: GridSession, answers: Mapping[str, Any], at: Moment
    ) -> Confirmation:
        symbol, ledger = Symbol(subject.symbol), ledger_of(subject)
        working = Order.objects.filter(
            account=subject.account_id,
            symbol=symbol,
            signal__source=subject.source,
            state__in=WORKING_STATES,
        )
        en, zh = state_words(subject)
        fits = SessionStatus(subject.status) in self.from_states
        return Confirmation(
            title=self.title,
            account=subject.account,
            facts=(
                *account_facts(subject.account),
                Fact(
                    Text("Symbol", "标的"),
                    said(f"{instruments_of([symbol])[symbol].name} {symbol}".strip()),
                ),
                Fact(Text("Style", "风格"), named(subject.style)),
                Fact(Text("State", "状态"), Text(en, zh)),
                Fact(Text("Centre", "中心价"), said(wording.yuan(subject.centre))),
                Fact(
                    Text("Shares in its lots", "批次持股"),
                    said(f"{ledger.quantity:,}"),
                ),
                Fact(Text("Working orders", "未结束委托"), said(working.count())),
                Fact(
                    Text("Budget", "资金上限"),
                    Text(
                        f"{amount(subject.max_investment)} yuan",
                        f"{amount(subject.max_investment)} 元",
                    ),
                ),
            ),
            button=self.button,
            warnings=self.brings,
            problem=None
            if fits
            else Text(
                f"The session is {subject.status}: nothing to change here.",
                f"会话{subject.get_status_display()}，此处无可更改。",
            ),
            shown=subject.status,
        )

    def act(self, subject: GridSession, answers: Mapping[str, Any], at: Moment) -> Outcome:
        rows = {"session": subject.pk}
        if not self._steer(subject, answers, at):
            return Outcome(
                Text("It was so already; nothing changed.", "状态原本如此，未做更改。"), rows
            )
        subject.refresh_from_db()
        en, zh = state_words(subject)
        return Outcome(
            Text(
                f"The grid on {subject.symbol}: {en}. {self.brings[0].en}",
                f"{subject.symbol} 网格：{zh}。{self.brings[0].zh}",
            ),
            rows,
        )

    def _steer(self, subject: GridSession, answers: Mapping[str, Any], at: Moment) -> bool:
        raise NotImplementedError


class GridPause(_Steer):
    """No new orders until it is resumed."""

    name, from_states = "grid-pause", (SessionStatus.ACTIVE,)
    title, button = Text("Pause a grid", "暂停网格"), Text("Pause the grid", "暂停网格")
    brings = (
        Text(
            "No new orders; working ones are cancelled by the next tick; its exits only alert.",
            "不发新委托；在途委托由下一次检查撤销；其退出条件只提醒。",
        ),
    )

    def _steer(self, subject: GridSession, answers: Mapping[str, Any], at: Moment) -> bool:
        return sessions.pause(subject.pk, answers["why"], at.now, at.actor)


class GridResume(_Steer):
    """It trades again, with a fresh tracker."""

    name, from_states, takes_factor = "grid-resume", (SessionStatus.PAUSED,), True
    title, button = Text("Resume a grid", "恢复网格"), Text("Resume the grid", "恢复网格")
    brings = (
        Text(
            "It trades again from the next tick on, and follows the price anew.",
            "从下一次检查起重新交易，并重新跟踪价格。",
        ),
    )

    def _steer(self, subject: GridSession, answers: Mapping[str, Any], at: Moment) -> bool:
        return sessions.resume(subject.pk, answers["why"], at.now, at.actor)


class GridStop(_Steer):
    """It ends, with or without selling its lots."""

    name, form = "grid-stop", StopForm
    from_states = (SessionStatus.ACTIVE, SessionStatus.PAUSED, SessionStatus.STOPPING)
    title, button = (
        Text("Stop a grid", "停止网格"),
        Text("Stop the grid for good", "停止网格（不可恢复）"),
    )
    brings = (
        Text(
            "Working orders are cancelled; it ends when they have ended. It cannot be resumed.",
            "撤销在途委托，全部结束后会话结束；停止后不能恢复。",
        ),
        Text(
            "“sell its lots”: what its lots hold is sold first, as far as it is sellable (T+1).",
            "“卖出批次”：先卖出批次中的股份（受 T+1 限制）。",
        ),
    )

    def initial(
        self, subject: GridSession, asked: Mapping[str, Any], at: Moment
    ) -> dict[str, Any]:
        return {"policy": subject.stop_policy}

    def _steer(self, subject: GridSession, answers: Mapping[str, Any], at: Moment) -> bool:
        policy = StopPolicy(answers["policy"])
        return sessions.stop(subject.pk, policy, answers["why"], at.now, at.actor)
