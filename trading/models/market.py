"""Instruments, trading days and recorded closes."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from trading.domain import instruments
from trading.models.fields import MoneyField, RatioField, both, choices


class Instrument(models.Model):
    """标的: what the rules need to know of one symbol."""

    symbol = models.CharField(both("symbol", "代码"), max_length=12, primary_key=True)
    name = models.CharField(both("name", "名称"), max_length=32, blank=True)
    board = models.CharField(
        both("board", "板块"), max_length=10, choices=choices(instruments.Board)
    )
    category = models.CharField(
        both("category", "类别"), max_length=20, choices=choices(instruments.Category)
    )
    settlement = models.CharField(
        both("settlement", "交收"), max_length=4, choices=choices(instruments.Settlement)
    )
    special_treatment = models.BooleanField(
        both("special treatment (ST)", "风险警示"), default=False
    )
    listed_on = models.DateField(both("listed on", "上市日"), null=True, blank=True)
    delisting_from = models.DateField(both("delisting from", "退市整理起"), null=True, blank=True)
    index_board = models.CharField(
        both("index board", "指数板块"),
        max_length=10,
        choices=choices(instruments.Board),
        blank=True,
    )

    class Meta:
        verbose_name = both("instrument", "标的")
        verbose_name_plural = both("instruments", "标的")

    def __str__(self) -> str:
        return f"{self.symbol} {self.name}".strip()


class QuoteSource(Instrument):
    """行情源: no rows of its own; its page shows what each source says of each symbol, and its permission who may look."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = both("quotes by source", "行情源")
        verbose_name_plural = both("quotes by source", "行情源")


class TradingDay(models.Model):
    """One calendar day the house knows; a day without a row is unknown, and closed."""

    on = models.DateField(both("day", "日期"), primary_key=True)
    is_session = models.BooleanField(both("session", "交易日"))
    source = models.CharField(both("source", "来源"), max_length=32)

    class Meta:
        verbose_name = both("trading day", "交易日历")
        verbose_name_plural = both("trading days", "交易日历")

    def __str__(self) -> str:
        return f"{self.on} {'session' if self.is_session else 'closed'}"


class Close(models.Model):
    """The close we recorded of a session, to notice an ex-rights morning by."""

    symbol = models.CharField(max_length=12)
    on = models.DateField()
    close = MoneyField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["symbol", "on"], name="one_close_per_session")
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.on} {self.close}"


class CorporateAction(models.Model):
    """除权除息: known price factors; `factor` = reference price after / close before."""

    symbol = models.CharField(max_length=12)
    on = models.DateField()
    factor = RatioField(scale=10)
    share_ratio = RatioField(scale=8, default=Decimal(1))
    cash_per_share = MoneyField(default=Decimal(0))
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["symbol", "on"], name="one_corporate_action_per_day")
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.on} × {self.factor}"
