"""What belongs to the path to live: the caps of a live account, and copies of what the real account holds."""

from __future__ import annotations

from django.db import models

from trading.models.accounts import Account
from trading.models.fields import MoneyField, both


class LiveCaps(models.Model):
    """实盘上限: the most a capped account may do; no setting reaches beyond them."""

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, related_name="caps", primary_key=True
    )
    max_order_value = MoneyField(both("order value at most (yuan)", "单笔金额上限（元）"))
    max_bought_a_day = MoneyField(both("bought a day at most (yuan)", "每日买入上限（元）"))
    max_orders_a_day = models.PositiveIntegerField(both("orders a day at most", "每日委托上限"))
    #: Symbols that may be bought; empty: any.
    symbols = models.JSONField(both("symbols", "允许买入的标的"), default=list, blank=True)

    class Meta:
        verbose_name = both("caps", "实盘上限")
        verbose_name_plural = both("caps", "实盘上限")

    def __str__(self) -> str:
        return f"caps of {self.account_id}"


class AccountCopy(models.Model):
    """副本: cash and holdings of a real account as somebody read them; a shadow begins its days with the newest."""

    class Source(models.TextChoices):
        """Where it was read."""

        TERMINAL = "terminal", both("terminal", "客户端")
        FILE = "file", both("file", "文件")

    broker_account_id = models.CharField(both("broker account", "资金账号"), max_length=32)
    taken_at = models.DateTimeField(both("taken", "读取时间"))  # real time
    source = models.CharField(both("source", "来源"), max_length=8, choices=Source.choices)
    cash = MoneyField(both("usable cash (yuan)", "可用资金（元）"))
    #: Symbol, shares, and the cost of one (yuan, exact text) of each holding.
    holdings = models.JSONField(both("holdings", "持仓"), default=list)
    actor = models.CharField(both("by", "操作人"), max_length=64)
    #: When the shadow began a day with it, real time.
    used_at = models.DateTimeField(both("used", "启用时间"), null=True, blank=True)

    class Meta:
        verbose_name = both("copy of a real account", "真实账户副本")
        verbose_name_plural = both("copies of real accounts", "真实账户副本")
        indexes = [models.Index(fields=["broker_account_id", "taken_at"], name="copies_by_number")]

    def __str__(self) -> str:
        return f"{self.broker_account_id[-4:]} {self.taken_at}"
