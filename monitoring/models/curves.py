"""The curves of the day, a point a minute."""

from __future__ import annotations

from django.db import models

from trading.models import Account
from trading.models.fields import MoneyField, both


class EquityPoint(models.Model):
    """资产曲线: what an account was worth in one minute of its market time. A minute nobody knows has no point."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.CASCADE,
        related_name="equity_points",
    )
    at = models.DateTimeField(both("minute", "分钟"))  # market time, its beginning
    equity = MoneyField(both("total (yuan)", "总资产（元）"))
    recorded_at = models.DateTimeField(both("recorded", "记录时间"), db_index=True)  # real time

    class Meta:
        verbose_name = both("equity point", "资产曲线点")
        verbose_name_plural = both("equity points", "资产曲线点")
        constraints = [
            models.UniqueConstraint(fields=["account", "at"], name="one_equity_point_a_minute")
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.at} {self.equity}"


class PricePoint(models.Model):
    """分时价: the price of a held or gridded symbol in one minute of market time, for people to look at."""

    symbol = models.CharField(both("symbol", "代码"), max_length=12)
    at = models.DateTimeField(both("minute", "分钟"))  # the quote's own, its beginning
    price = MoneyField(both("price", "价格"))
    recorded_at = models.DateTimeField(both("recorded", "记录时间"), db_index=True)  # real time

    class Meta:
        verbose_name = both("price point", "分时价")
        verbose_name_plural = both("price points", "分时价")
        constraints = [
            models.UniqueConstraint(fields=["symbol", "at"], name="one_price_point_a_minute")
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.at} {self.price}"
