"""Accounts: opened here, switched here; the broker's number is shown by its last four characters."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from trading.admin.base import (
    RELEASE,
    TRADE,
    AsksAgain,
    PlainNumbers,
    actor_of,
    ask_and_act,
    market_now,
    say,
    unconfirmed,
)
from trading.admin.reach import WithinReach
from trading.domain.stages import WORDS
from trading.domain.types import AccountMode, Text, TradingState
from trading.models import Account
from trading.models.fields import both
from trading.services import kill_switch
from trading.services.accounts import BY_ITS_PATH, OPENED_DIRECTLY, save_account
from trading.services.corrections import CorrectionError

_FEES = (
    *("commission_rate", "commission_minimum", "fund_commission_minimum"),
    *("stamp_duty_rate", "transfer_fee_rate", "transfer_fee_exchanges", "freeze_margin"),
)
_MONEY = ("cash", "frozen_cash", "market_value", "total_asset", "previous_total")
_STATE = (
    *("trading_state", "state_reason"),
    *("gateway_status", "gateway_reason_text", "gateway_seen_at", "snapshot_at"),
)
_NOT_YOURS = Text(
    "The kill switch is released by whoever may release it (role “Risk manager”): nothing was changed.",
    "解除总开关需要相应权限（“风控员”角色）：未做更改。",
)
_FEE_GROUP = (both("Fees", "费率"), {"fields": _FEES})


class AccountForm(forms.ModelForm):
    """An account is opened in paper; enabling a live one asks again who it is."""

    request: HttpRequest

    def clean_mode(self) -> str:
        mode: str = self.cleaned_data["mode"]
        if self.instance.pk is None and AccountMode(mode) not in OPENED_DIRECTLY:
            raise forms.ValidationError(say(BY_ITS_PATH), code="by_its_path")
        return mode

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if self.instance.pk and "enabled" in self.changed_data and values.get("enabled"):
            stopped_by = unconfirmed(self.request, [self.instance])
            if stopped_by is not None:
                raise forms.ValidationError(stopped_by, code="unconfirmed")
        return values


@admin.register(Account)
class AccountAdmin(WithinReach, AsksAgain, PlainNumbers, admin.ModelAdmin):
    """Opened with its number; after that only `enabled` and the fees change by form, the switch by actions."""

    form = AccountForm
    list_display = (
        *("name", "number", "mode", "stands", "enabled", "trading_state", "state_reason"),
        *("gateway_status", "gateway_seen_at", "total_asset", "snapshot_at"),
    )
    list_filter = ("mode", "enabled", "trading_state", "gateway_status")
    search_fields = ("name",)
    readonly_fields = ("number", "stands", *_STATE, *_MONEY)
    actions = ("halt", "reduce_only", "resume", "cancel_all")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_trade_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(TRADE))

    def has_release_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(RELEASE))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [
                (None, {"fields": ("name", "broker_account_id", "mode", "terminal_folder")}),
                _FEE_GROUP,
            ]
        return [
            (None, {"fields": ("name", "number", "mode", "stands", "enabled", "terminal_folder")}),
            (both("State", "状态"), {"fields": _STATE}),
            (both("Money", "资金"), {"fields": _MONEY}),
            _FEE_GROUP,
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj is None else ("name", "mode", *self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        save_account(obj, form.changed_data, market_now(obj), actor_of(request))

    @admin.display(description=both("broker account", "资金账号"))
    def number(self, row: Account) -> str:
        return row.masked_number

    @admin.display(description=both("stage", "阶段"))
    def stands(self, row: Account) -> str:
        return "-" if row.mode == AccountMode.DEMO else say(WORDS[row.standing])

    @admin.display(description=both("reason", "原因"))
    def state_reason(self, row: Account) -> str:
        return _words(row.trading_state_reason)

    @admin.display(description=both("gateway reason", "网关原因"))
    def gateway_reason_text(self, row: Account) -> str:
        return _words(row.gateway_reason)

    @admin.action(
        description=both("Halt: nothing at all", "停止：不发任何委托"), permissions=["trade"]
    )
    def halt(self, request: HttpRequest, rows: QuerySet[Account]) -> HttpResponse | None:
        title = Text(
            "Halt: no order at all, stop-losses neither", "停止：不发任何委托，止损也不发"
        )
        return self._set(request, rows, TradingState.HALTED, title)

    @admin.action(
        description=both("Reduce only: no buying", "只减仓：不买入"), permissions=["trade"]
    )
    def reduce_only(self, request: HttpRequest, rows: QuerySet[Account]) -> HttpResponse | None:
        title = Text("Reduce only: selling goes on, no buying", "只减仓：继续卖出，不再买入")
        return self._set(request, rows, TradingState.REDUCING, title)

    @admin.action(description=both("Resume trading", "恢复交易"), permissions=["release"])
    def resume(self, request: HttpRequest, rows: QuerySet[Account]) -> HttpResponse | None:
        return self._set(request, rows, TradingState.ACTIVE, Text("Resume trading", "恢复交易"))

    @admin.action(description=both("Cancel all orders", "全部撤单"), permissions=["trade"])
    def cancel_all(self, request: HttpRequest, rows: QuerySet[Account]) -> HttpResponse | None:
        def act(row: Account, answers: dict[str, Any]) -> bool:
            now, actor = market_now(row), actor_of(request)
            return kill_switch.cancel_all(row, answers["why"], now, actor) > 0

        title = Text(
            "Cancel all orders: automatic exits of their holdings rest for 5 minutes",
            "全部撤单：相关持仓的自动退出将暂停 5 分钟",
        )
        return ask_and_act(self, request, rows, title, act)

    def _set(
        self, request: HttpRequest, rows: QuerySet[Account], state: TradingState, title: Text
    ) -> HttpResponse | None:
        def act(row: Account, answers: dict[str, Any]) -> bool:
            if kill_switch.loosens(row, state) and not self.has_release_permission(request):
                raise CorrectionError(_NOT_YOURS)
            now, actor = market_now(row), actor_of(request)
            return kill_switch.switch(row, state, answers["why"], now, actor)

        released = [row for row in rows if kill_switch.loosens(row, state)]
        stopped_by = unconfirmed(request, released)
        return ask_and_act(self, request, rows, title, act, stopped_by=stopped_by)


def _words(reason: dict[str, str]) -> str:
    return say(Text(reason.get("en", ""), reason.get("zh", ""))) or "-"
