"""The settings of an account: one form, whole or nothing, with a reason; every revision, and the way back to one."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString

from trading.admin.base import AsksAgain, ReasonForm, say, unconfirmed
from trading.admin.reach import WithinReach
from trading.domain.types import Text
from trading.errors import ConfigError
from trading.models import TradingConfig
from trading.models.fields import both
from trading.services import config
from trading.services.raised_limits import raised
from trading.services.setting_help import GROUPS, HELP

_HISTORY = "admin/trading/config_history.html"
_ROLL_BACK = "admin/trading/config_roll_back.html"


def shown(name: str, value: Any) -> str:
    """Return a setting's value as a person reads and types it."""
    if isinstance(value, bool):
        return say(Text("on", "开") if value else Text("off", "关"))
    if name == "trailing_tiers":
        try:
            return ",".join(f"{gain}:{coefficient}" for gain, coefficient in value)
        except (TypeError, ValueError):
            return str(value)  # a hand wrote past the validation: show what is there
    if value is None:
        return say(Text("empty", "空"))
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def differences(before: Any, after: Any) -> list[dict[str, str]]:
    """Return the settings in which two rows differ, in words."""
    names = (n for n in config.setting_names() if getattr(before, n) != getattr(after, n))
    return [
        {
            "label": str(TradingConfig._meta.get_field(name).verbose_name),  # type: ignore[union-attr]
            "name": name,
            "before": shown(name, getattr(before, name)),
            "after": shown(name, getattr(after, name)),
        }
        for name in names
    ]


class ConfigForm(forms.ModelForm):
    """All settings, the reason, and the revision the person saw."""

    trailing_tiers = forms.CharField(
        label=both("Trailing tiers", "动态止盈档位"), widget=forms.Textarea(attrs={"rows": 2})
    )
    why = forms.CharField(
        label=both("Reason of this change", "本次变更的原因"),
        max_length=200,
        widget=forms.TextInput(attrs={"size": 80}),
    )
    seen_revision = forms.IntegerField(widget=forms.HiddenInput)
    request: HttpRequest

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["trailing_tiers"] = shown("trailing_tiers", self.instance.trailing_tiers)
        self.initial["seen_revision"] = self.instance.revision
        for name, field in self.fields.items():
            if name in HELP:
                range_, effect = HELP[name]
                allowed = Text(f"Range: {range_.en}.", f"范围：{range_.zh}。")
                typed = not isinstance(field, forms.BooleanField | forms.ChoiceField)
                field.help_text = f"{say(effect)} {say(allowed)}" if typed else say(effect)
            if name not in ("trailing_tiers", "why") and isinstance(field, forms.DecimalField):
                self.initial[name] = _plain(name, getattr(self.instance, name))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        seen = values.get("seen_revision")
        if seen is not None and seen != self.instance.revision:
            text = Text(
                f"Somebody else changed the settings: they are at revision {self.instance.revision}, you saw {seen}. "
                "Nothing was saved. Open the page again, look at the history, and repeat your change.",
                f"配置已被他人修改：现在是第 {self.instance.revision} 版，您看到的是第 {seen} 版。"
                "未保存任何内容。请重新打开页面，查看变更历史后再修改。",
            )
            raise forms.ValidationError(say(text), code="stale")
        answers = {name: values[name] for name in config.setting_names() if name in values}
        stopped_by = _stopped(
            self.request, TradingConfig.objects.get(pk=self.instance.pk), answers
        )
        if stopped_by is not None:
            raise forms.ValidationError(stopped_by, code="unconfirmed")
        self._try(answers)
        return values

    def _try(self, values: dict[str, Any]) -> None:
        """Put each refusal at its own field: what was refused is taken out, and the rest tried again."""
        while True:
            try:
                row = TradingConfig.objects.get(pk=self.instance.pk)
                config.tried(row, values)
                return
            except ConfigError as problem:
                name = config.field_of(problem) or _named_in(str(problem), values)
                self.add_error(name if name in values else None, say(config.explain(problem)))
                if name not in values:
                    return
                del values[name]

    def _post_clean(self) -> None:
        """Nothing is put into the row here: the service does, in one transaction."""

    class Meta:
        model = TradingConfig
        fields = config.setting_names()


def _stopped(request: HttpRequest, row: TradingConfig, values: Any) -> SafeString | None:
    """Whether these values let more happen on a live account than before, and nobody has confirmed it."""
    return unconfirmed(request, [row.account]) if raised(row, values) else None


def _plain(name: str, value: Any) -> str:
    return "" if value is None else shown(name, value)


def _named_in(problem: str, values: dict[str, Any]) -> str | None:
    return next((name for name in values if problem.startswith(f"{name} ")), None)


@admin.register(TradingConfig)
class ConfigAdmin(WithinReach, AsksAgain, admin.ModelAdmin):
    """The form, the history and the way back."""

    form = ConfigForm
    list_display = ("account", "revision", *list(GROUPS[next(iter(GROUPS))])[:3], "changed_why")
    list_select_related = ("account",)
    fieldsets: ClassVar[Any] = (
        *((both(*title), {"fields": tuple(group)}) for title, group in GROUPS.items()),
        (both("Why", "变更原因"), {"fields": ("why", "seen_revision")}),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # opened with its account

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        may = self.has_change_permission(request, obj)
        return self.fieldsets if may else self.fieldsets[:-1]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        answers = form.cleaned_data
        names = config.setting_names()
        before, after = (TradingConfig.objects.get(pk=obj.pk) for _ in range(2))
        config.tried(after, {name: answers[name] for name in names})
        changes = {n: answers[n] for n in names if getattr(before, n) != getattr(after, n)}
        if changes:
            config.change(
                obj.pk,
                changes,
                actor=request.user,
                why=answers["why"],
                revision=answers["seen_revision"],
            )
        obj.refresh_from_db()

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ConfigError as problem:  # somebody else was faster between the check and the change
            self.message_user(request, say(config.explain(problem)), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_change(request, obj, message) if message else None

    # -- history

    def get_urls(self) -> list[Any]:
        back = path(
            "<path:object_id>/history/<int:version>/",
            self.admin_site.admin_view(self.roll_back_view),
            name="trading_tradingconfig_rollback",
        )
        return [back, *super().get_urls()]

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Show who changed what, when and why, newest first."""
        row = self._row(request, object_id)
        versions = list(_versions(row)[:101])
        older = [*versions[1:], None]
        entries = [
            {
                "version": version,
                "who": _who(version),
                "changes": [] if before is None else differences(before, version),
                "url": None if version.revision == row.revision else _roll_back_url(row, version),
            }
            for version, before in zip(versions[:100], older, strict=False)
        ]
        words = {
            "who": Text("Who", "谁"),
            "when": Text("When", "时间"),
            "why": Text("Why", "原因"),
            "what": Text("What changed", "变更内容"),
            "revision": Text("Revision", "版本"),
            "back": Text("Roll back to this", "回滚到此版本"),
            "present": Text("present", "当前"),
        }
        context = {
            **self._context(request, row, Text("History of the settings", "配置变更历史")),
            "entries": entries,
            "words": {name: say(text) for name, text in words.items()},
            "may_change": self.has_change_permission(request, row),
        }
        return TemplateResponse(request, _HISTORY, context)

    def roll_back_view(self, request: HttpRequest, object_id: str, version: int) -> HttpResponse:
        """Show what would change, ask for the reason, and change it like any other change."""
        row = self._row(request, object_id)
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        old = get_object_or_404(_versions(row), history_id=version)
        form = RollBackForm(request.POST or None, initial={"seen_revision": row.revision})
        changes = differences(row, old)
        if request.method == "POST" and form.is_valid() and changes:
            values = {change["name"]: getattr(old, change["name"]) for change in changes}
            stopped_by = _stopped(request, row, values)
            try:
                if stopped_by is not None:
                    raise forms.ValidationError(stopped_by)
                config.change(
                    row.pk,
                    values,
                    actor=request.user,
                    why=form.cleaned_data["why"],
                    revision=form.cleaned_data["seen_revision"],
                )
            except ConfigError as problem:
                form.add_error(None, say(config.explain(problem)))
            except forms.ValidationError as problem:
                form.add_error(None, problem)
            else:
                done = Text(
                    f"Rolled back to the settings of revision {old.revision}.",
                    f"已回滚到第 {old.revision} 版的配置。",
                )
                self.message_user(request, say(done), messages.SUCCESS)
                return HttpResponseRedirect(
                    reverse("admin:trading_tradingconfig_change", args=[row.pk])
                )
        words = {
            "before": Text("Now", "当前值"),
            "after": Text("After the roll-back", "回滚后"),
            "setting": Text("Setting", "设置"),
            "none": Text("The settings are already these.", "当前配置与该版本相同。"),
            "confirm": Text("Roll back", "确认回滚"),
            "history": Text("Back to the history", "返回变更历史"),
        }
        title = Text(f"Roll back to revision {old.revision}", f"回滚到第 {old.revision} 版")
        context = {
            **self._context(request, row, title),
            "form": form,
            "changes": changes,
            "words": {name: say(text) for name, text in words.items()},
        }
        return TemplateResponse(request, _ROLL_BACK, context)

    def _row(self, request: HttpRequest, object_id: str) -> TradingConfig:
        rows = self.get_queryset(request).select_related("account")
        row: TradingConfig = get_object_or_404(rows, pk=object_id if object_id.isdecimal() else 0)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row

    def _context(self, request: HttpRequest, row: TradingConfig, title: Text) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": row,
            "title": f"{say(title)}: {row.account}",
        }


class RollBackForm(ReasonForm):
    """The reason, and the revision the person saw."""

    seen_revision = forms.IntegerField(widget=forms.HiddenInput)


def _versions(row: TradingConfig) -> Any:
    rows = TradingConfig.history.filter(account_id=row.pk).select_related("history_user")
    return rows.order_by("-history_id")


def _who(version: Any) -> str:
    user = version.history_user
    return user.get_username() if user else say(Text("the program", "程序"))


def _roll_back_url(row: TradingConfig, version: Any) -> str:
    return reverse("admin:trading_tradingconfig_rollback", args=[row.pk, version.history_id])
