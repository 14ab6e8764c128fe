"""Holdings, signals, denials, orders, fills and what happened: to read, with the few actions a person may take."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse

from trading.admin.base import (
    Readable,
    ReadOnly,
    ReasonForm,
    actor_of,
    ask_and_act,
    market_now,
    masked,
    plain,
    say,
    unconfirmed,
)
from trading.admin.sale import SaleForm
from trading.domain.types import Text
from trading.models import (
    BrokerEvent,
    Denial,
    Event,
    Fill,
    Order,
    OrderEvent,
    Position,
    Signal,
)
from trading.models.fields import both
from trading.selectors import position_value_of
from trading.services import corrections, manual
from trading.services.calendar import load_calendar
from trading.services.shared_quotes import quotes_of_thread

_TRADE = ["trade"]


class HighForm(ReasonForm):
    """The right high, and why it is."""

    high = forms.DecimalField(
        label=both("High since entry (yuan)", "建仓后最高价（元）"),
        min_value=Decimal("0.0001"),
        decimal_places=4,
        max_digits=14,
    )


class OpenFilter(admin.SimpleListFilter):
    """Open holdings, or those of the past."""

    title = both("holding", "持有状态")
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", say(Text("held", "持有中"))), ("no", say(Text("sold", "已清仓")))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        return queryset.filter(closed_at__isnull=self.value() == "yes")


@admin.register(Position)
class PositionAdmin(Readable):
    """Holdings; one can be sold, its exits switched, its first take-profit re-armed, its high corrected."""

    list_display = (
        *("symbol", "account", "quantity", "cost", "high_since_entry"),
        *("first_take_profit_done", "armed", "exit_enabled", "closed_at"),
    )
    list_filter = (OpenFilter, "account", "exit_enabled", "first_take_profit_done", "armed")
    search_fields = ("symbol",)
    date_hierarchy = "opened_on"
    ordering = (F("closed_at").desc(nulls_first=True), "symbol")
    exclude = ("seen", "behind", "checked_close_on")
    readonly_fields = ("cost",)
    actions = ("sell", "exits_on", "exits_off", "rearm", "correct_high")

    @admin.display(description=both("cost", "成本"))
    def cost(self, row: Position) -> str:
        return plain(position_value_of(row).cost.quantize(Decimal("0.0001")))

    @admin.action(description=both("Sell", "卖出"), permissions=_TRADE)
    def sell(self, request: HttpRequest, rows: QuerySet[Position]) -> HttpResponse | None:
        def act(row: Position, answers: dict[str, Any]) -> Text:
            return manual.sell(
                row.pk,
                answers["size"],
                answers["why"],
                market_now(row.account),
                actor_of(request),
                quotes=quotes_of_thread(),
                calendar=load_calendar(),
            )

        title = Text("Sell by hand: checked like every order", "手动卖出：与其他委托同样检查")
        stopped_by = unconfirmed(request, [row.account for row in rows])
        return ask_and_act(self, request, rows, title, act, SaleForm, stopped_by)

    @admin.action(description=both("Switch exits on", "开启退出规则"), permissions=_TRADE)
    def exits_on(self, request: HttpRequest, rows: QuerySet[Position]) -> HttpResponse | None:
        return self._switch(request, rows, True, Text("Switch exits on", "开启退出规则"))

    @admin.action(description=both("Switch exits off", "关闭退出规则"), permissions=_TRADE)
    def exits_off(self, request: HttpRequest, rows: QuerySet[Position]) -> HttpResponse | None:
        title = Text("Switch exits off: no protection at all", "关闭退出规则：不再有任何保护")
        return self._switch(request, rows, False, title)

    def _switch(
        self, request: HttpRequest, rows: QuerySet[Position], on: bool, title: Text
    ) -> HttpResponse | None:
        def act(row: Position, answers: dict[str, Any]) -> bool:
            now, actor = market_now(row.account), actor_of(request)
            return corrections.switch_exits(row.pk, on, answers["why"], now, actor)

        return ask_and_act(self, request, rows, title, act)

    @admin.action(
        description=both("Re-arm the first take-profit", "重新启用首次止盈"), permissions=_TRADE
    )
    def rearm(self, request: HttpRequest, rows: QuerySet[Position]) -> HttpResponse | None:
        def act(row: Position, answers: dict[str, Any]) -> bool:
            now, actor = market_now(row.account), actor_of(request)
            corrections.rearm_first_take_profit(row.pk, answers["why"], now, actor)
            return True

        title = Text("Re-arm the first take-profit", "重新启用首次止盈")
        return ask_and_act(self, request, rows, title, act)

    @admin.action(
        description=both("Correct the high of one holding", "更正一只持仓的最高价"),
        permissions=_TRADE,
    )
    def correct_high(self, request: HttpRequest, rows: QuerySet[Position]) -> HttpResponse | None:
        if len(rows) != 1:
            one = Text(
                "Choose exactly one holding: highs differ.", "请只选择一只持仓：最高价各不相同。"
            )
            self.message_user(request, say(one), "ERROR")
            return None

        def act(row: Position, answers: dict[str, Any]) -> bool:
            now, actor = market_now(row.account), actor_of(request)
            corrections.correct_high(row.pk, answers["high"], answers["why"], now, actor)
            return True

        return ask_and_act(
            self, request, rows, Text("Correct the high", "更正最高价"), act, HighForm
        )


@admin.register(Signal)
class SignalAdmin(Readable):
    """Signals with their reason in words."""

    list_display = (
        *("created_at", "account", "symbol", "kind", "quantity"),
        *("trigger_price", "last", "state", "denial_code", "reason"),
    )
    list_filter = (
        *("state", "kind", "side", "account"),
        ("denial_code", admin.AllValuesFieldListFilter),
    )
    search_fields = ("symbol", "reason_zh", "reason_en")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-pk")
    list_select_related = ("account", "position")
    exclude = ("reason_en", "reason_zh", "outcome_en", "outcome_zh")
    readonly_fields = ("reason", "outcome")

    @admin.display(description=both("reason", "原因"))
    def reason(self, row: Signal) -> str:
        return say(Text(row.reason_en, row.reason_zh))

    @admin.display(description=both("outcome", "处理结果"))
    def outcome(self, row: Signal) -> str:
        return say(Text(row.outcome_en, row.outcome_zh)) or "-"


@admin.register(Denial)
class DenialAdmin(Readable):
    """What risk control refused, once per change."""

    list_display = ("at", "account", "symbol", "kind", "code", "text", "cleared_at")
    list_filter = (
        ("code", admin.AllValuesFieldListFilter),
        *("kind", "account", ("cleared_at", admin.EmptyFieldListFilter)),
    )
    search_fields = ("symbol", "text_zh", "text_en")
    date_hierarchy = "at"
    ordering = ("-at", "-pk")
    exclude = ("text_en", "text_zh")
    readonly_fields = ("text",)

    @admin.display(description=both("reason", "原因"))
    def text(self, row: Denial) -> str:
        return say(Text(row.text_en, row.text_zh))


class OrderEventInline(ReadOnly, admin.TabularInline):
    """Every move of the order."""

    model = OrderEvent
    verbose_name_plural = both("moves of this order", "状态变化")
    fields = ("at", "old_state", "new_state", "epoch", "detail_text")
    readonly_fields = ("detail_text",)
    ordering = ("pk",)
    extra = 0

    @admin.display(description=both("detail", "详情"))
    def detail_text(self, row: OrderEvent) -> str:
        return masked(row.order.account, row.detail) if row.detail else "-"


class FillInline(ReadOnly, admin.TabularInline):
    """The fills of the order."""

    model = Fill
    fields = ("at", "quantity", "price", "amount", "commission", "stamp_duty", "transfer_fee")
    ordering = ("at", "pk")
    extra = 0


@admin.register(Order)
class OrderAdmin(Readable):
    """Orders with their moves and fills; a working one can be cancelled."""

    list_display = (
        *("approved_at", "account", "symbol", "side", "kind", "quantity", "filled_quantity"),
        *("price", "state", "client_order_id"),
    )
    list_display_links = ("approved_at", "client_order_id")
    list_filter = ("state", "side", "kind", "purpose", "account", "cancelled_by_person")
    search_fields = ("symbol", "client_order_id", "=broker_order_id", "sysid")
    date_hierarchy = "trade_date"
    ordering = ("-approved_at", "-pk")
    exclude = (
        *("last_cancel_at", "cancel_alerted", "chain_settled", "seq", "message"),
        "decision_key",
    )
    readonly_fields = ("message_text",)
    inlines = (OrderEventInline, FillInline)
    actions = ("cancel",)

    @admin.display(description=both("message", "消息"))
    def message_text(self, row: Order) -> str:
        return masked(row.account, row.message) or "-"

    @admin.action(description=both("Cancel", "撤单"), permissions=_TRADE)
    def cancel(self, request: HttpRequest, rows: QuerySet[Order]) -> HttpResponse | None:
        def act(row: Order, answers: dict[str, Any]) -> bool:
            now, actor = market_now(row.account), actor_of(request)
            return corrections.cancel_order(row.pk, answers["why"], now, actor)

        title = Text(
            "Cancel: automatic exits of the holding rest for 5 minutes",
            "撤单：该持仓的自动退出将暂停 5 分钟",
        )
        return ask_and_act(self, request, rows, title, act)


@admin.register(Fill)
class FillAdmin(Readable):
    """Fills as they were booked."""

    list_display = (
        *("at", "account", "symbol", "side", "quantity", "price", "amount"),
        *("commission", "stamp_duty", "transfer_fee", "order"),
    )
    list_filter = ("side", "account", ("order", admin.EmptyFieldListFilter))
    search_fields = ("symbol", "traded_id", "=broker_order_id", "order__client_order_id")
    date_hierarchy = "trade_date"
    ordering = ("-at", "-pk")
    list_select_related = ("account", "order")
    exclude = ("key",)  # it may hold the number of the account


@admin.register(Event)
class EventAdmin(Readable):
    """The journal."""

    list_display = ("at", "level", "account", "code", "symbol", "text", "actor")
    list_filter = ("level", "account", "code")
    search_fields = ("symbol", "code", "actor", "text_zh", "text_en")
    date_hierarchy = "at"
    ordering = ("-at", "-pk")
    exclude = ("text_en", "text_zh", "detail")
    readonly_fields = ("text", "detail_text")

    @admin.display(description=both("what happened", "内容"))
    def text(self, row: Event) -> str:
        return masked(row.account, say(Text(row.text_en, row.text_zh)))

    @admin.display(description=both("detail", "详情"))
    def detail_text(self, row: Event) -> str:
        return masked(row.account, row.detail) if row.detail else "-"


@admin.register(BrokerEvent)
class BrokerEventAdmin(Readable):
    """The raw reports of the terminal."""

    list_display = ("received_at", "account", "kind", "epoch", "summary")
    list_filter = ("kind", "account")
    date_hierarchy = "received_at"
    ordering = ("-received_at", "-pk")
    exclude = ("payload",)
    readonly_fields = ("report",)

    @admin.display(description=both("report", "回报内容"))
    def summary(self, row: BrokerEvent) -> str:
        return self.report(row)[:120]

    @admin.display(description=both("report", "回报内容"))
    def report(self, row: BrokerEvent) -> str:
        return masked(row.account, row.payload)
