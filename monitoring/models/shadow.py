"""The days of shadows, compared with the market."""

from __future__ import annotations

from django.db import models

from trading.domain.shadow import Tape
from trading.models import Account, Order
from trading.models.fields import MoneyField, both, choices


class ShadowDay(models.Model):
    """影子对照: one session of a shadow, compared with the market once its books were closed."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.PROTECT,
        related_name="shadow_days",
    )
    on = models.DateField(both("session", "交易日"))
    orders = models.PositiveIntegerField(both("orders", "委托笔数"))
    agreeing = models.PositiveIntegerField(both("agree with the market", "与市场一致"))
    #: Yuan the twin brought more than the market's prices, of the orders where both are known.
    difference = MoneyField(both("difference (yuan)", "差额（元）"))
    made_at = models.DateTimeField(both("compared", "对照时间"))  # real time

    class Meta:
        verbose_name = both("shadow day", "影子对照")
        verbose_name_plural = both("shadow days", "影子对照")
        constraints = [
            models.UniqueConstraint(fields=["account", "on"], name="one_comparison_per_session")
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.on}"


class ShadowOrder(models.Model):
    """影子委托: what one recorded order came to, beside what the market's minute prices say."""

    day = models.ForeignKey(ShadowDay, on_delete=models.CASCADE, related_name="rows")
    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="shadow")
    tape = models.CharField(both("market", "市场"), max_length=10, choices=choices(Tape))
    reached_at = models.DateTimeField(both("price reached", "到价时间"), null=True)
    reached = MoneyField(both("price of the market", "市场价格"), null=True)
    difference = MoneyField(both("difference (yuan)", "差额（元）"), null=True)

    def __str__(self) -> str:
        return f"{self.order_id} {self.tape}"
