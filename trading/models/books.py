"""The signed-off books of each session."""

from __future__ import annotations

from django.db import models

from trading.models.accounts import Account
from trading.models.fields import MoneyField, both, choices


class BooksState(models.TextChoices):
    """OPEN: the day is not closed. MATCHED signed itself off; DIFFERS waits for a person, who makes it EXPLAINED."""

    OPEN = "open"
    MATCHED = "matched"
    DIFFERS = "differs"
    EXPLAINED = "explained"


class DayBooks(models.Model):
    """日终对账: one account and session, compared with the terminal after 15:35."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.PROTECT,
        related_name="day_books",
    )
    on = models.DateField(both("session", "交易日"))
    state = models.CharField(
        both("state", "状态"), max_length=10, choices=choices(BooksState), default=BooksState.OPEN
    )
    #: Usable and frozen yuan at the account's very first look; later days begin with the last closing.
    opening_cash = MoneyField(both("opening cash (yuan)", "期初资金（元）"), null=True, blank=True)
    expected_cash = MoneyField(
        both("expected cash (yuan)", "应有资金（元）"), null=True, blank=True
    )
    closing_cash = MoneyField(
        both("cash at the terminal (yuan)", "客户端资金（元）"), null=True, blank=True
    )
    fills = models.PositiveIntegerField(both("fills", "成交笔数"), default=0)
    fees = MoneyField(both("fees (yuan)", "费用（元）"), null=True, blank=True)
    #: Symbol → shares in our books at the close.
    holdings = models.JSONField(both("holdings", "持仓"), default=dict)
    #: Each with item, about, ours, theirs, en, zh.
    differences = models.JSONField(both("differences", "差异"), default=list)
    first_differed_at = models.DateTimeField(
        both("first differed", "首次发现差异"), null=True, blank=True
    )
    alarmed = models.BooleanField(default=False)
    checked_at = models.DateTimeField(both("compared", "核对时间"), null=True, blank=True)
    signed_at = models.DateTimeField(both("signed off", "签核时间"), null=True, blank=True)
    signed_by = models.CharField(both("signed off by", "签核人"), max_length=64, blank=True)
    reason = models.CharField(both("explanation", "说明"), max_length=200, blank=True)

    class Meta:
        verbose_name = both("books of a day", "日终对账")
        verbose_name_plural = both("books of the days", "日终对账")
        constraints = [
            models.UniqueConstraint(fields=["account", "on"], name="one_books_per_day"),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.on}"
