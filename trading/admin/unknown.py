"""Orders whose outcome nobody knows: what was sent, what each source said since, and the three decisions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from trading.admin.base import (
    Readable,
    ReasonForm,
    actor_of,
    ask_and_act,
    market_now,
    masked,
    say,
)
from trading.domain.types import CHINA, Text
from trading.models import UnknownOutcome, Wish
from trading.models.fields import both
from trading.services import unknown_outcomes
from trading.services.unknown_story import candidates, silent, story

_TRADE = ["trade"]


class NumberForm(ReasonForm):
    """Which broker order it is."""

    number = forms.IntegerField(label=both("Broker order id", "柜台委托号"), min_value=1)


class OpenFilter(admin.SimpleListFilter):
    """Those nobody knows yet, unless asked otherwise."""

    title = both("state", "状态")
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", say(Text("unknown", "未知"))), ("no", say(Text("resolved", "已解决")))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() == "yes")


@admin.register(UnknownOutcome)
class UnknownOutcomeAdmin(Readable):
    """One page an order; the gateway carries a decision out at its next look."""

    list_display = (
        *("order", "account", "what", "since", "checked_at", "verdict"),
        *("wish", "carried_over", "resolved_at"),
    )
    list_filter = (OpenFilter, "order__account")
    list_select_related = ("order", "order__account")
    search_fields = ("order__client_order_id", "order__symbol")
    ordering = ("resolved_at", "-since")
    fields = (
        *("order", "account", "what", "state", "since", "why", "silent_sources"),
        *("story_table", "candidate_table", "checked_at", "verdict"),
        *("wish", "wish_number", "wish_reason", "wish_actor", "wished_at", "resolved_at"),
    )
    readonly_fields = (
        *("account", "what", "state", "why", "silent_sources", "story_table"),
        *("candidate_table", "verdict"),
    )
    actions = ("it_is_this_order", "never_sent", "keep_waiting")

    @admin.display(description=both("account", "账户"))
    def account(self, row: UnknownOutcome) -> str:
        return str(row.order.account)

    @admin.display(description=both("what was sent", "发出内容"))
    def what(self, row: UnknownOutcome) -> str:
        order = row.order
        sent = order.claimed_at and order.claimed_at.astimezone(CHINA)
        return f"{order.get_side_display()} {order.quantity} {order.symbol} @ {order.price}, {sent:%Y-%m-%d %H:%M:%S}"

    @admin.display(description=both("state", "状态"))
    def state(self, row: UnknownOutcome) -> str:
        return str(row.order.get_state_display())

    @admin.display(description=both("why unknown", "未知原因"))
    def why(self, row: UnknownOutcome) -> str:
        return say(Text(row.why_en, row.why_zh))

    @admin.display(description=both("last verdict", "最近判断"))
    def verdict(self, row: UnknownOutcome) -> str:
        return say(Text(row.verdict_en, row.verdict_zh)) or "-"

    @admin.display(description=both("said nothing", "没有消息的来源"))
    def silent_sources(self, row: UnknownOutcome) -> str:
        return "; ".join(say(source) for source in silent(row)) or "-"

    @admin.display(description=both("what each source said", "各来源的消息"))
    def story_table(self, row: UnknownOutcome) -> SafeString:
        account = row.order.account
        return _table(
            (
                f"{said.at.astimezone(CHINA):%H:%M:%S}",
                say(said.source),
                masked(account, say(said.text)),
            )
            for said in story(row)
        )

    @admin.display(description=both("broker orders it may be", "可能对应的柜台委托"))
    def candidate_table(self, row: UnknownOutcome) -> SafeString | str:
        found = candidates(row.order)
        if not found:
            return say(Text("none is known", "暂无"))
        account = row.order.account
        return _table(
            (
                *(str(one.number), str(one.quantity), one.price, str(one.traded), one.state),
                *(one.time, masked(account, one.remark)),
            )
            for one in found
        )

    @admin.action(
        description=both("It is this broker order …", "它就是这笔柜台委托……"), permissions=_TRADE
    )
    def it_is_this_order(
        self, request: HttpRequest, rows: QuerySet[UnknownOutcome]
    ) -> HttpResponse | None:
        if len(rows) != 1:
            one = Text("Choose exactly one order.", "请只选择一笔委托。")
            self.message_user(request, say(one), "ERROR")
            return None
        title = Text("It is this broker order", "它就是这笔柜台委托")
        return self._decide(request, rows, Wish.BIND, title, NumberForm)

    @admin.action(description=both("It was never sent", "该委托从未发出"), permissions=_TRADE)
    def never_sent(
        self, request: HttpRequest, rows: QuerySet[UnknownOutcome]
    ) -> HttpResponse | None:
        title = Text(
            "It was never sent: what it holds is freed, and its rule may send a new order",
            "从未发出：释放所占资金或股份，规则可重新下单",
        )
        return self._decide(request, rows, Wish.ABSENT, title)

    @admin.action(description=both("Keep waiting", "继续等待"), permissions=_TRADE)
    def keep_waiting(
        self, request: HttpRequest, rows: QuerySet[UnknownOutcome]
    ) -> HttpResponse | None:
        return self._decide(request, rows, Wish.WAIT, Text("Keep waiting", "继续等待"))

    def _decide(
        self,
        request: HttpRequest,
        rows: QuerySet[UnknownOutcome],
        wish: Wish,
        title: Text,
        form: type[ReasonForm] = ReasonForm,
    ) -> HttpResponse | None:
        def act(row: UnknownOutcome, answers: dict[str, Any]) -> bool:
            now, actor = market_now(row.order.account), actor_of(request)
            number = answers.get("number")
            return unknown_outcomes.decide(row.pk, wish, answers["why"], now, actor, number)

        return ask_and_act(self, request, rows, title, act, form)


def _table(rows: Iterable[tuple[str, ...]]) -> SafeString:
    lines = (format_html_join("", "<td>{}</td>", ((cell,) for cell in row)) for row in rows)
    return format_html(
        "<table>{}</table>", format_html_join("", "<tr>{}</tr>", ((line,) for line in lines))
    )
