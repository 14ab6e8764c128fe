"""What a system used before this one knew: kept apart from the books, which follow the terminal's fills alone."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from trading.domain.types import Side
from trading.models.accounts import Account
from trading.models.fields import AppendOnlyModel, MoneyField, both, choices


class FormerHolding(models.Model):
    """迁入持仓: the exit state of a holding, waiting until the holding is found in the account (`adopted_at`)."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.CASCADE,
        related_name="former_holdings",
    )
    symbol = models.CharField(both("symbol", "代码"), max_length=12)
    quantity = models.PositiveIntegerField(both("quantity", "数量"))
    opened_on = models.DateField(both("opened on", "建仓日"), null=True, blank=True)
    base_cost = MoneyField(both("first cost", "首次成本"), null=True, blank=True)
    high_since_entry = MoneyField(both("high since entry", "建仓后最高"), default=Decimal(0))
    first_take_profit_done = models.BooleanField(
        both("first take-profit done", "首次止盈完成"), default=False
    )
    armed = models.BooleanField(both("armed", "已触发"), default=False)
    armed_high = MoneyField(both("high since armed", "触发后最高"), default=Decimal(0))
    exit_enabled = models.BooleanField(both("exits on", "启用退出规则"), default=True)
    adopted_at = models.DateTimeField(both("taken over", "已接管"), null=True, blank=True)

    class Meta:
        verbose_name = both("holding moved in", "迁入持仓")
        verbose_name_plural = both("holdings moved in", "迁入持仓")
        constraints = [
            models.UniqueConstraint(fields=["account", "symbol"], name="one_former_holding")
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.quantity}"


class FormerFill(AppendOnlyModel):
    """迁入成交: one record of the former system's trading, to read; no book, cost or figure of ours counts it."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.PROTECT,
        related_name="former_fills",
    )
    #: Number of the record in its own table: what is imported again is not doubled.
    number = models.PositiveBigIntegerField(both("number", "编号"))
    at = models.DateTimeField(both("time", "时间"))
    symbol = models.CharField(both("symbol", "代码"), max_length=12)
    name = models.CharField(both("name", "名称"), max_length=32, blank=True)
    side = models.CharField(both("side", "方向"), max_length=4, choices=choices(Side))
    quantity = models.PositiveIntegerField(both("quantity", "数量"))
    price = MoneyField(both("price", "价格"), exact=False)
    amount = MoneyField(both("amount (yuan)", "金额（元）"), exact=False)
    commission = MoneyField(
        both("commission (yuan)", "佣金（元）"), exact=False, default=Decimal(0)
    )
    traded_id = models.CharField(both("trade number", "成交编号"), max_length=64, blank=True)
    strategy = models.CharField(both("strategy", "策略"), max_length=32, blank=True)

    class Meta:
        verbose_name = both("fill moved in", "迁入成交")
        verbose_name_plural = both("fills moved in", "迁入成交")
        constraints = [
            models.UniqueConstraint(fields=["account", "number"], name="one_former_fill")
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.side} {self.quantity} × {self.price}"
