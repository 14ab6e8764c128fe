"""What people want to see, and what they confirmed."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from trading.models import Account
from trading.models.fields import both


class OperatorSettings(models.Model):
    """个人设置: what one person wants to see of the console. What may stand there: monitoring/services/operator.py."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=both("user", "用户"),
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="operator_settings",
    )
    #: Choice → value, or list of values.
    chosen = models.JSONField(both("choices", "选项"), default=dict)
    changed_at = models.DateTimeField(both("changed", "修改时间"), auto_now=True)  # real time

    class Meta:
        verbose_name = both("settings of a person", "个人设置")
        verbose_name_plural = both("settings of persons", "个人设置")

    def __str__(self) -> str:
        return f"{self.user_id}"


class Act(models.Model):
    """操作: what a person confirmed in the console, once per form, and the answer; never forgotten.

    The row is written before anything is done. Without an answer nobody knows what came of it: the act is not
    repeated, and the pages say where to look.
    """

    token = models.CharField(max_length=32, unique=True)
    at = models.DateTimeField(both("time", "时间"))  # real time
    actor = models.CharField(both("who", "操作者"), max_length=150)
    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.PROTECT,
        related_name="acts",
    )
    action = models.CharField(both("action", "操作"), max_length=24)
    subject = models.CharField(both("subject", "对象"), max_length=64, blank=True)
    why = models.CharField(both("reason", "原因"), max_length=200, blank=True)
    answer_en = models.TextField(blank=True)
    answer_zh = models.TextField(blank=True)
    #: What it brought about or is about: `signal`, `order`, `holding`, `session` → primary key.
    rows = models.JSONField(default=dict, blank=True)
    answered_at = models.DateTimeField(both("answered", "答复时间"), null=True, blank=True)

    class Meta:
        verbose_name = both("act", "操作")
        verbose_name_plural = both("acts", "操作")
        indexes = [models.Index(fields=["account", "at"])]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}".strip()
