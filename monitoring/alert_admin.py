"""The channels of the alerts: made, tried, changed. An address that was entered is never shown again."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from monitoring.alerts.channels import TEST_WITHIN, check_apart, send_apart
from monitoring.alerts.messages import trial
from monitoring.models import AlertChannel, Category
from monitoring.services.alerting import remove_channel, save_channel
from trading.admin.base import actor_of, say
from trading.admin.reach import HouseOnly
from trading.domain.types import Text
from trading.models.fields import both

#: Channels one action tries: each may take ten seconds.
_TRIED = 2


class ChannelForm(forms.ModelForm):
    """A channel; the address is written and not read."""

    address = forms.CharField(
        label=both("Address", "地址"),
        required=False,
        widget=forms.PasswordInput(attrs={"size": 90, "autocomplete": "off"}),
        help_text=both(
            "An apprise address, such as wecombot://KEY, dingtalk://TOKEN, feishu://TOKEN, tgram://BOT/CHAT,"
            " mailto://user:password@example.com, json://host/path (docs/operations.md). It is a secret: it is kept,"
            " used, and never shown again. Empty: as it is.",
            "apprise 地址，例如 wecombot://密钥（企业微信）、dingtalk://令牌（钉钉）、feishu://令牌（飞书）、"
            "tgram://机器人/会话、mailto://用户:密码@example.com、json://主机/路径（见 docs/operations.md）。"
            "地址属于机密：仅保存和使用，不再显示。留空表示不修改。",
        ),
    )
    categories = forms.MultipleChoiceField(
        label=both("Categories (none: all)", "类别（不选则为全部）"),
        required=False,
        choices=Category.choices,
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = AlertChannel
        fields = (
            *("name", "enabled", "minimum", "categories", "language"),
            *("quiet_from", "quiet_until", "escalation_minutes"),
        )

    def clean_address(self) -> str:
        address = str(self.cleaned_data["address"]).strip()
        if not address:
            if self.instance._state.adding:
                raise ValidationError(both("A channel needs an address.", "渠道必须有地址。"))
            return ""
        answer = check_apart(address)
        if not answer.ok:
            raise ValidationError(
                both(
                    f"This address cannot be used: {answer.text}",
                    f"此地址无法使用：{answer.text}",
                )
            )
        return address

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        begins, ends = cleaned.get("quiet_from"), cleaned.get("quiet_until")
        if (begins is None) != (ends is None):
            missing = "quiet_until" if ends is None else "quiet_from"
            self.add_error(
                missing, both("Quiet hours need both times.", "免打扰时段需要两个时间。")
            )
        return cleaned

    def save(self, commit: bool = True) -> Any:
        if self.cleaned_data["address"]:
            self.instance.url = self.cleaned_data["address"]
            self.instance.last_problem = ""
        return super().save(commit)


@admin.register(AlertChannel)
class ChannelAdmin(HouseOnly, admin.ModelAdmin):
    """Where alerts go."""

    form = ChannelForm
    change_form_template = "admin/monitoring/channel.html"
    list_display = (
        *("name", "service", "enabled", "minimum", "language", "last_sent_at", "last_problem"),
    )
    ordering = ("name",)
    actions = ("try_it",)
    readonly_fields = ("service", "last_sent_at", "last_problem")
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("name", "enabled", "address", "service")}),
        (
            both("What it is told", "接收范围"),
            {"fields": ("minimum", "categories", "language")},
        ),
        (
            both("When", "接收时间"),
            {
                "fields": ("quiet_from", "quiet_until", "escalation_minutes"),
                "description": both(
                    "Quiet hours are of China's day; what comes in them is sent when they end, critical alerts at any"
                    " hour. A channel that escalates is told only of what nobody has acknowledged for so many minutes:"
                    " critical alerts.",
                    "免打扰时段按北京时间计算，期间的告警在结束后发送，紧急告警不受限制。设置了升级等待的渠道只接收"
                    "在该时间内无人确认的紧急告警。",
                ),
            },
        ),
        (both("Of late", "最近情况"), {"fields": ("last_sent_at", "last_problem")}),
    )

    @admin.display(description=both("service", "服务"))
    def service(self, row: AlertChannel) -> str:
        return row.masked_url if row.url else "-"

    def has_test_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_channel(obj, form.changed_data, actor_of(request), timezone.now())

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        remove_channel(obj, actor_of(request), timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for channel in queryset:
            self.delete_model(request, channel)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: Any = None
    ) -> HttpResponse:
        if "_test" in request.POST:
            return self._tried(request, obj)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return (
            self._tried(request, obj)
            if "_test" in request.POST
            else super().response_change(request, obj)
        )

    def _tried(self, request: HttpRequest, channel: AlertChannel) -> HttpResponse:
        self._try(request, channel)
        return HttpResponseRedirect(
            reverse("admin:monitoring_alertchannel_change", args=[channel.pk])
        )

    @admin.action(permissions=["test"], description=both("Send a test message", "发送测试消息"))
    def try_it(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Send a message to each at once, and show what the other side answered."""
        for channel in rows[:_TRIED]:
            self._try(request, channel)
        if rows.count() > _TRIED:
            more = Text(
                f"Only the first {_TRIED} were tried: each may take {TEST_WITHIN:g} s.",
                f"仅测试了前 {_TRIED} 个渠道：每个最多需要 {TEST_WITHIN:g} 秒。",
            )
            self.message_user(request, say(more), messages.WARNING)

    def _try(self, request: HttpRequest, channel: AlertChannel) -> None:
        now = timezone.now()
        [answer] = send_apart(channel.url, [trial(channel.name, now)], TEST_WITHIN)
        if answer.ok:
            AlertChannel.objects.filter(pk=channel.pk).update(last_sent_at=now, last_problem="")
            text = Text(f"{channel.name}: sent. {answer.text}", f"{channel.name}：已送达。{answer.text}")  # fmt: skip
            self.message_user(request, say(text), messages.SUCCESS)
            return
        AlertChannel.objects.filter(pk=channel.pk).update(last_problem=answer.text)
        text = Text(f"{channel.name}: not sent. {answer.text}", f"{channel.name}：发送失败。{answer.text}")  # fmt: skip
        self.message_user(request, say(text), messages.ERROR)
