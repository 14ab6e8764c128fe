"""What happened: the account's journal and the broker's raw reports, both append-only; the newest snapshot."""

from __future__ import annotations

from django.db import models

from trading.models.accounts import Account
from trading.models.fields import AppendOnlyModel, both, choices


class EventLevel(models.TextChoices):
    """How loud an event is."""

    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"


class Event(AppendOnlyModel):
    """事件: something a person may need to read, in both languages; alarms ask for attention."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.PROTECT,
        related_name="events",
    )
    at = models.DateTimeField(both("time", "时间"))
    level = models.CharField(both("level", "级别"), max_length=8, choices=choices(EventLevel))
    code = models.CharField(both("code", "事件代码"), max_length=40)
    symbol = models.CharField(both("symbol", "代码"), max_length=12, blank=True)
    text_en = models.TextField()
    text_zh = models.TextField()
    actor = models.CharField(both("actor", "操作者"), max_length=64, default="system")
    detail = models.JSONField(both("detail", "详情"), default=dict)

    class Meta:
        verbose_name = both("event", "事件")
        verbose_name_plural = both("events", "事件")
        indexes = [models.Index(fields=["account", "at"])]

    def __str__(self) -> str:
        return f"{self.at} {self.code}"


class BrokerEvent(AppendOnlyModel):
    """One raw report of the terminal, as it arrived."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.PROTECT,
        related_name="broker_events",
    )
    epoch = models.PositiveIntegerField(both("gateway epoch", "网关任期"))
    kind = models.CharField(both("kind", "类型"), max_length=24)
    payload = models.JSONField(both("report", "回报内容"))
    received_at = models.DateTimeField(both("received", "收到时间"))

    class Meta:
        verbose_name = both("broker report", "柜台回报")
        verbose_name_plural = both("broker reports", "柜台回报")

    def __str__(self) -> str:
        return f"{self.received_at} {self.kind}"


class BrokerSnapshot(models.Model):
    """The newest complete snapshot of an account: asset and positions, as JSON the sync tick projects."""

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, related_name="snapshot", primary_key=True
    )
    epoch = models.PositiveIntegerField()
    taken_at = models.DateTimeField()
    digest = models.CharField(max_length=64)
    payload = models.JSONField()
    projected_digest = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.account_id} {self.taken_at}"
