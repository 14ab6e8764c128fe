"""Positions: one row per life."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from functools import cache
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.db.models.base import ModelState

from trading.models.accounts import Account
from trading.models.fields import LevelField, MoneyField, RatioField, both


class Position(models.Model):
    """持仓: one life of a holding. Quantity and cost follow fills; the exit state belongs to the strategy tick."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.CASCADE,
        related_name="positions",
    )
    symbol = models.CharField(both("symbol", "代码"), max_length=12)
    life = models.PositiveIntegerField(both("life", "持仓周期"), default=1)
    quantity = models.PositiveIntegerField(both("quantity", "数量"))
    bought_quantity = models.PositiveIntegerField(
        both("bought in this life", "本周期买入数量"),
    )
    bought_amount = MoneyField(both("bought for (yuan)", "本周期买入金额（元）"), exact=False)
    opened_on = models.DateField(both("opened on", "建仓日"))
    closed_at = models.DateTimeField(both("closed at", "清仓时间"), null=True, blank=True)

    base_cost = LevelField(both("first cost", "首次成本"), null=True, blank=True)
    high_since_entry = MoneyField(both("high since entry", "建仓后最高"), default=Decimal(0))
    first_take_profit_done = models.BooleanField(
        both("first take-profit done", "首次止盈完成"), default=False
    )
    armed = models.BooleanField(both("armed", "已触发"), default=False)
    armed_high = MoneyField(both("high since armed", "触发后最高"), default=Decimal(0))
    trailing_level = LevelField(both("trailing level", "动态止盈价"), null=True, blank=True)
    #: Quotes that arrived up to here are folded; the account's own mark counts when it is later, unless `behind`.
    seen = models.DateTimeField(null=True, blank=True)
    behind = models.BooleanField(default=False)  # quotes wait until this symbol is fresh again

    exit_enabled = models.BooleanField(both("exits on", "启用退出规则"), default=True)
    stop_loss_ratio = RatioField(
        both("own stop-loss ratio", "单独止损比例"), null=True, blank=True
    )
    first_take_profit_ratio = RatioField(
        both("own first take-profit ratio", "单独首次止盈比例"), null=True, blank=True
    )
    exits_paused_until = models.DateTimeField(
        both("exits paused until", "退出规则暂停至"), null=True, blank=True
    )
    ex_rights_unverified = models.BooleanField(
        both("ex-rights unverified", "除权未核实"), default=False
    )
    paused_by_ex_rights = models.BooleanField(
        both("paused by ex-rights", "因除权暂停"), default=False
    )
    checked_close_on = models.DateField(
        null=True, blank=True
    )  # session whose previous close was compared

    # What the terminal says of this holding in the newest projected snapshot.
    broker_quantity = models.PositiveIntegerField(
        both("quantity at the terminal", "终端数量"), null=True, blank=True
    )
    broker_sellable = models.PositiveIntegerField(
        both("sellable at the terminal", "终端可卖"), null=True, blank=True
    )
    broker_cost = LevelField(
        both("terminal's diluted cost", "终端摊薄成本"), null=True, blank=True
    )
    stale_since = models.DateTimeField(
        both("differs from the terminal since", "与终端不一致自"), null=True, blank=True
    )  # since when the terminal shows another quantity than our books, or none

    class Meta:
        verbose_name = both("position", "持仓")
        verbose_name_plural = both("positions", "持仓")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "symbol"],
                condition=Q(closed_at__isnull=True),
                name="one_open_life_per_symbol",
            ),
            models.UniqueConstraint(
                fields=["account", "symbol", "life"], name="lives_are_numbered"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} #{self.life}"

    @classmethod
    def from_db(  # type: ignore[override]  # a later Django's has one argument more
        cls, db: str | None, field_names: Collection[str], values: Collection[Any]
    ) -> Self:
        """Make an instance of a row that was read whole: a tick reads thousands, and `__init__` is half of that."""
        attributes = _attributes(cls)
        if len(values) != len(attributes):
            return super().from_db(db, field_names, values)
        row = cls.__new__(cls)
        row.__dict__.update(zip(attributes, values, strict=True), _state=ModelState())
        row._state.adding, row._state.db = False, db
        return row


@cache
def _attributes(model: type[Position]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)
