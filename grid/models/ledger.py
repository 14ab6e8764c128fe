"""The ledger as rows: a projection of trading's fills, which can be made again from them at any time."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import Q

from grid.models.sessions import GridSession
from trading.domain.types import Side
from trading.models import Fill
from trading.models.fields import MoneyField, RatioField, both, choices


class GridLot(models.Model):
    """批次: what one buy order opened; or (`unmatched`) what one sale took out of the base holding.

    `number` is the first order of the chain. `quantity`, `amount` and `fees` are of what is still open.
    """

    session = models.ForeignKey(
        GridSession,
        verbose_name=both("session", "会话"),
        on_delete=models.CASCADE,
        related_name="lots",
    )
    number = models.BigIntegerField(both("number", "批次号"))
    unmatched = models.BooleanField(both("sold out of the base", "底仓卖出"), default=False)
    quantity = models.PositiveIntegerField(both("open quantity", "未平数量"))
    amount = MoneyField(both("cost of what is open (yuan)", "未平金额（元）"))
    fees = MoneyField(both("fees of what is open (yuan)", "未平费用（元）"), default=Decimal(0))
    on = models.DateField(both("day", "日期"))
    #: Place among the session's open lots, oldest first.
    place = models.PositiveIntegerField()

    class Meta:
        verbose_name = both("lot", "批次")
        verbose_name_plural = both("lots", "批次")
        ordering = ["session", "unmatched", "place"]
        constraints = [
            models.UniqueConstraint(
                fields=["session", "unmatched", "number"], name="one_lot_per_order"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="grid_lot_has_shares"),
        ]

    def __str__(self) -> str:
        return f"{self.session_id}: {self.quantity} × {self.price:.4f}"

    @property
    def price(self) -> Decimal:
        """Average price in yuan per share."""
        return self.amount / self.quantity


class GridTrade(models.Model):
    """网格成交: one fill of a session's order, booked once, with what it realised."""

    session = models.ForeignKey(
        GridSession,
        verbose_name=both("session", "会话"),
        on_delete=models.CASCADE,
        related_name="trades",
    )
    fill = models.OneToOneField(
        Fill,
        verbose_name=both("fill", "成交"),
        on_delete=models.PROTECT,
        related_name="grid_trade",
    )
    number = models.BigIntegerField(both("order", "委托"))
    side = models.CharField(both("side", "方向"), max_length=4, choices=choices(Side))
    quantity = models.PositiveIntegerField(both("quantity", "数量"))
    price = MoneyField(both("price", "价格"))
    fees = MoneyField(both("fees (yuan)", "费用（元）"))
    realised = MoneyField(both("realised (yuan)", "已实现（元）"))
    at = models.DateTimeField(both("time", "时间"))

    class Meta:
        verbose_name = both("grid fill", "网格成交")
        verbose_name_plural = both("grid fills", "网格成交")
        indexes = [models.Index(fields=["session", "fill"])]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} × {self.price}"


class GridAdjustment(models.Model):
    """除权调整: a corporate action a session went through, between two of its fills."""

    session = models.ForeignKey(
        GridSession,
        verbose_name=both("session", "会话"),
        on_delete=models.CASCADE,
        related_name="adjustments",
    )
    on = models.DateField(both("day", "日期"))
    factor = RatioField(both("price factor", "价格系数"), scale=10, exact=False)
    share_ratio = RatioField(both("share ratio", "股数比例"), scale=8, default=Decimal(1))
    #: The newest fill booked before it, 0 = none: a rebuild scales after that one.
    after_fill = models.BigIntegerField(default=0)
    at = models.DateTimeField(both("time", "时间"))

    class Meta:
        verbose_name = both("ex-rights adjustment", "除权调整")
        verbose_name_plural = both("ex-rights adjustments", "除权调整")
        constraints = [
            models.UniqueConstraint(fields=["session", "on"], name="one_grid_adjustment_per_day")
        ]

    def __str__(self) -> str:
        return f"{self.session_id} {self.on} × {self.factor}"


class GridOpeningLot(models.Model):
    """迁入批次: a lot a session was opened with, bought before this system: the ledger begins with these."""

    session = models.ForeignKey(
        GridSession,
        verbose_name=both("session", "会话"),
        on_delete=models.CASCADE,
        related_name="opening_lots",
    )
    #: Place among them, oldest first; as a lot it is number `-place`, which no order has.
    place = models.PositiveIntegerField(both("place", "序号"))
    quantity = models.PositiveIntegerField(both("quantity", "数量"))
    amount = MoneyField(both("cost (yuan)", "金额（元）"))
    on = models.DateField(both("day", "日期"))

    class Meta:
        verbose_name = both("lot moved in", "迁入批次")
        verbose_name_plural = both("lots moved in", "迁入批次")
        ordering = ["session", "place"]
        constraints = [
            models.UniqueConstraint(fields=["session", "place"], name="one_opening_lot_a_place"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0, amount__gt=0, place__gt=0),
                name="grid_opening_lot_has_shares",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session_id}: {self.quantity} / {self.amount}"
