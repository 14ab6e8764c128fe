"""Findings, day reports and periodic tasks: to read; of a task only whether it runs can be changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html_join
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from monitoring import alert_admin
from monitoring.models import Act, ApiToken, DayReport, Finding, LogLine, PremarketCheck
from monitoring.security import admin as users
from monitoring.services import api_tokens
from monitoring.services.api_tokens import SCOPE_WORDS, Scope
from monitoring.services.periodic import switch_task
from trading.admin.base import AsksAgain, Readable, actor_of, masked, say, unconfirmed
from trading.admin.reach import HouseOnly, WithinReach
from trading.domain.types import AccountMode, Text
from trading.models import Account
from trading.models.fields import both

__all__ = ["alert_admin", "users"]  # their pages are registered with these

OPERATE = "monitoring.operate"
_NONE = Text("none", "无")


@admin.register(Finding)
class FindingAdmin(Readable):
    """What is wrong now."""

    list_display = ("since", "level", "account", "code", "symbol", "text")
    list_filter = ("level", "account", "code")
    ordering = ("-since", "-pk")
    exclude = ("text_en", "text_zh", "seen_at")
    readonly_fields = ("text",)

    @admin.display(description=both("what is wrong", "内容"))
    def text(self, row: Finding) -> str:
        return masked(row.account, say(Text(row.text_en, row.text_zh)))


@admin.register(Act)
class ActAdmin(Readable):
    """What people confirmed in the console, and the answers."""

    list_display = ("at", "actor", "account", "action", "subject", "why", "answer")
    list_filter = ("account", "action")
    search_fields = ("actor", "subject", "why")
    date_hierarchy = "at"
    ordering = ("-at", "-pk")
    exclude = ("answer_en", "answer_zh", "token")
    readonly_fields = ("answer",)

    @admin.display(description=both("answer", "答复"))
    def answer(self, row: Act) -> str:
        return say(Text(row.answer_en, row.answer_zh)) or "-"


@admin.register(DayReport)
class DayReportAdmin(Readable):
    """One row per account and session."""

    list_display = (
        *("on", "account", "orders", "fills", "bought", "sold", "realised"),
        *("equity", "change_of_total", "denials_text", "alarms_text"),
    )
    list_filter = ("account",)
    date_hierarchy = "on"
    ordering = ("-on", "account")
    exclude = ("denials", "alarms", "positions")
    readonly_fields = ("change_of_total", "denials_text", "alarms_text", "holdings")

    @admin.display(description=both("change (yuan)", "变动（元）"))
    def change_of_total(self, row: DayReport) -> str:
        return "-" if row.change is None else f"{row.change:+.2f}"

    @admin.display(description=both("denials", "风控拒绝"))
    def denials_text(self, row: DayReport) -> str:
        return _counted(row.denials)

    @admin.display(description=both("alarms", "报警"))
    def alarms_text(self, row: DayReport) -> str:
        return _counted(row.alarms)

    @admin.display(description=both("holdings at the end", "收盘持仓"))
    def holdings(self, row: DayReport) -> str:
        lines = (
            say(
                Text(
                    f"{one['symbol']}: {one['quantity']} shares, cost {one['cost'] or '?'},"
                    f" close {one['close'] or '?'}, value {one['value'] or '?'}",
                    f"{one['symbol']}：{one['quantity']} 股，成本 {one['cost'] or '?'}，"
                    f"收盘 {one['close'] or '?'}，市值 {one['value'] or '?'}",
                )
            )
            for one in row.positions
        )
        return format_html_join("\n", "<div>{}</div>", ((line,) for line in lines)) or say(_NONE)


@admin.register(PremarketCheck)
class PremarketCheckAdmin(Readable):
    """Whether each session could begin, and what stood against it."""

    list_display = ("on", "account", "ready", "looked_at", "what_is_wrong")
    list_filter = ("ready", "account")
    date_hierarchy = "on"
    ordering = ("-on", "account")
    exclude = ("items",)
    readonly_fields = ("all_items",)

    @admin.display(description=both("what is wrong", "问题"))
    def what_is_wrong(self, row: PremarketCheck) -> str:
        wrong = [one for one in row.items if one["verdict"] != "ok"]
        return format_html_join("", "<div>{}</div>", ((_item(one),) for one in wrong)) or "-"

    @admin.display(description=both("items", "检查项"))
    def all_items(self, row: PremarketCheck) -> str:
        return format_html_join("", "<div>{}</div>", ((_item(one),) for one in row.items))


@admin.register(LogLine)
class LogLineAdmin(HouseOnly, Readable):
    """What processes warned of; the numbers of accounts are masked when a line becomes a row."""

    list_display = ("at", "level", "process", "text", "short_tick")
    list_filter = ("level", "process")
    search_fields = ("text", "trace", "logger", "process", "tick")
    search_help_text = both(
        "words of the line, its logger, its process or the number of its tick",
        "按内容、记录器、进程或任务编号搜索",
    )
    date_hierarchy = "at"
    ordering = ("-at", "-pk")
    list_select_related = ()

    @admin.display(description=both("tick", "任务编号"), ordering="tick")
    def short_tick(self, row: LogLine) -> str:
        return row.tick[:8] or "-"


class TokenForm(forms.ModelForm):
    """What a new token is for, and for how long."""

    scopes = forms.MultipleChoiceField(
        label=both("Scopes", "权限范围"),
        choices=[
            (scope.value, both(f"{scope}: {en}", f"{scope}：{zh}"))
            for scope, (en, zh) in SCOPE_WORDS.items()
        ],
        widget=forms.CheckboxSelectMultiple,
        initial=[Scope.READ.value],
    )
    days = forms.IntegerField(
        label=both("Days until it expires", "有效天数"),
        min_value=1,
        max_value=api_tokens.LONGEST.days,
        initial=api_tokens.DEFAULT.days,
    )
    request: HttpRequest

    def clean_scopes(self) -> list[str]:
        chosen: list[str] = self.cleaned_data["scopes"]
        if Scope.TRADE_LIVE in chosen:
            stopped_by = unconfirmed(self.request, [Account(mode=AccountMode.LIVE)])
            if stopped_by is not None:
                raise forms.ValidationError(stopped_by, code="unconfirmed")
        return chosen

    class Meta:
        model = ApiToken
        fields = ("name",)


@admin.register(ApiToken)
class ApiTokenAdmin(AsksAgain, admin.ModelAdmin):
    """One's own tokens (a superuser's: everybody's): made here, shown once, revoked; never changed."""

    form = TokenForm
    list_display = ("name", "user", "scopes", "prefix", "created_at", "expires_at", "last_used_at", "revoked_at")  # fmt: skip
    list_select_related = ("user",)
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    ordering = ("-created_at", "-pk")
    fields = ("name", "scopes", "days")
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        rows = super().get_queryset(request)
        return rows if request.user.is_superuser else rows.filter(user=request.user.pk)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj is None else self.list_display

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # who had one stays known

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        answers, user = form.cleaned_data, request.user
        assert isinstance(user, User)
        lasts = timedelta(days=answers["days"])
        made, obj.secret = api_tokens.create(
            user, answers["name"], answers["scopes"], lasts, timezone.now()
        )
        obj.pk, obj.prefix, obj.user = made.pk, made.prefix, made.user

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: Any = None
    ) -> HttpResponse:
        """Show the secret: on this page and nowhere else."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": say(Text("The new token", "新令牌")),
            "about": say(
                Text(
                    "Copy it now: it is shown this once, and kept nowhere.",
                    "请立即复制：仅显示这一次，系统不保存。",
                )
            ),
            "secret": obj.secret,
            "done": say(Text("Copied, back to the list", "已复制，返回列表")),
        }
        return TemplateResponse(request, "admin/monitoring/token.html", context)

    @admin.action(description=both("Revoke for good", "永久撤销"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiToken]) -> None:
        for row in rows:
            if api_tokens.revoke(row.pk, timezone.now()):
                self.log_change(request, row, "revoked")
                self.message_user(request, say(Text(f"{row} is revoked.", f"{row} 已撤销。")))


def _item(one: dict[str, str]) -> str:
    mark = {"ok": "✓", "warning": "!", "stop": "✗"}[one["verdict"]]
    return f"{mark} " + say(
        Text(f"{one['name_en']}: {one['en']}", f"{one['name_zh']}：{one['zh']}")
    )


def _counted(codes: dict[str, int]) -> str:
    return ", ".join(f"{code} × {number}" for code, number in sorted(codes.items())) or "-"


for model in (ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule, PeriodicTask):
    admin.site.unregister(model)  # every period belongs to the code: these pages have no use


class TaskForm(forms.ModelForm):
    """Whether it runs, and why."""

    why = forms.CharField(
        label=both("Reason", "原因"), max_length=200, widget=forms.TextInput(attrs={"size": 80})
    )

    class Meta:
        model = PeriodicTask
        fields = ("enabled",)


@admin.register(PeriodicTask)
class TaskAdmin(WithinReach, admin.ModelAdmin):
    """The periodic tasks of `miniqmt/schedule.py`."""

    form = TaskForm
    list_display = ("name", "enabled", "period", "queue", "last_run_at", "total_run_count", "task")
    list_filter = ("enabled", "queue")
    ordering = ("name",)
    actions = None
    readonly_fields = (
        *("name", "task", "period", "queue", "expire_seconds"),
        *("last_run_at", "total_run_count"),
    )
    fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "description": both(
                    "Periods and queues belong to the code (miniqmt/schedule.py) and are written again whenever beat"
                    " starts; whether a task runs is yours. Pausing sync, strategy or orders does not stop trading:"
                    " after two periods each account's gateway runs the tick itself (alarm PROTECTIVE_PASS). To stop"
                    " trading, choose Halt on the page of accounts.",
                    "周期与队列由代码（miniqmt/schedule.py）规定，每次 beat 启动时重新写入；任务是否运行由您决定。"
                    "暂停 sync、strategy 或 orders 并不会停止交易：两个周期之后由各账户的网关自行执行"
                    "（报警 PROTECTIVE_PASS）。如需停止交易，请在账户页面选择“停止”。",
                ),
                "fields": ("name", "enabled", "why", "period", "queue", "expire_seconds"),
            },
        ),
        (
            both("Runs", "运行情况"),
            {"fields": ("task", "last_run_at", "total_run_count")},
        ),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.reach(request).is_everything and bool(request.user.has_perm(OPERATE))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only what the code no longer knows may go."""
        is_left = obj is not None and obj.name not in settings.CELERY_BEAT_SCHEDULE
        return is_left and super().has_delete_permission(request, obj)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        title = Text(
            "Periodic tasks: periods belong to the code, pausing is yours",
            "周期任务：周期由代码规定，可在此暂停",
        )
        return super().changelist_view(request, {**(extra_context or {}), "title": say(title)})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        why, actor = form.cleaned_data["why"], actor_of(request)
        if not switch_task(obj.name, obj.enabled, why, timezone.now(), actor):
            same = Text("It was so already, nothing changed.", "状态原本如此，未做更改。")
            self.message_user(request, say(same), messages.WARNING)

    @admin.display(description=both("period", "周期"))
    def period(self, row: Any) -> str:
        seconds = row.schedule.run_every.total_seconds()
        return say(Text(f"{seconds:g} s", f"{seconds:g} 秒"))
