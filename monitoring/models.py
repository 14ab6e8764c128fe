"""What monitoring remembers: the findings that stand now, and one report per account and session."""

from __future__ import annotations

from django.db import models

from trading.models import Account, EventLevel
from trading.models.fields import both, choices


class Finding(models.Model):
    """异常: something that is wrong now. The row is deleted when it is over; the journal keeps both moments."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.CASCADE,
        related_name="findings",
    )
    code = models.CharField(both("code", "代码"), max_length=40)
    subject = models.CharField(both("subject", "对象"), max_length=32, blank=True)
    symbol = models.CharField(both("symbol", "标的"), max_length=12, blank=True)
    level = models.CharField(both("level", "级别"), max_length=8, choices=choices(EventLevel))
    text_en = models.TextField()
    text_zh = models.TextField()
    since = models.DateTimeField(both("since", "开始时间"))  # market time
    seen_at = models.DateTimeField(both("last seen", "最近一次发现"))  # real time

    class Meta:
        verbose_name = both("finding", "异常")
        verbose_name_plural = both("findings", "异常")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "code", "subject"], name="one_finding_per_subject"
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.subject}".strip()
