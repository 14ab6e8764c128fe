"""What was found: what is wrong now, the report of each session, the look before the open."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from trading.models import Account, EventLevel
from trading.models.fields import MoneyField, both, choices


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
        # Of the system itself, not of an account: no order follows from it.
        permissions = [("operate", "Can operate: acknowledge, pause tasks, make backups")]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "code", "subject"], name="one_finding_per_subject"
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.subject}".strip()


class DayReport(models.Model):
    """日报: one session of one account, made once its books are closed. A value nobody recorded is empty."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.PROTECT,
        related_name="day_reports",
    )
    on = models.DateField(both("session", "交易日"))
    orders = models.PositiveIntegerField(both("orders", "委托笔数"))
    fills = models.PositiveIntegerField(both("fills", "成交笔数"))
    bought = MoneyField(both("bought (yuan)", "买入金额（元）"))
    sold = MoneyField(both("sold (yuan)", "卖出金额（元）"))
    commission = MoneyField(both("commission (yuan)", "佣金（元）"))
    stamp_duty = MoneyField(both("stamp duty (yuan)", "印花税（元）"))
    transfer_fee = MoneyField(both("transfer fee (yuan)", "过户费（元）"))
    #: Sales less their own fees and the average buy cost of what was sold.
    realised = MoneyField(
        both("realised result (yuan)", "已实现盈亏（元）"), null=True, blank=True, exact=False
    )
    equity_before = MoneyField(
        both("total at the previous close (yuan)", "前收总资产（元）"), null=True, blank=True
    )
    equity = MoneyField(both("total (yuan)", "总资产（元）"), null=True, blank=True)
    #: Code → how often.
    denials = models.JSONField(both("denials", "风控拒绝"), default=dict)
    alarms = models.JSONField(both("alarms", "报警"), default=dict)
    #: Symbol, quantity, cost, close and value of each holding at the end; amounts as exact texts.
    positions = models.JSONField(both("holdings at the end", "收盘持仓"), default=list)
    made_at = models.DateTimeField(both("made", "生成时间"))  # real time

    class Meta:
        verbose_name = both("day report", "日报")
        verbose_name_plural = both("day reports", "日报")
        constraints = [
            models.UniqueConstraint(fields=["account", "on"], name="one_report_per_session")
        ]

    def __str__(self) -> str:
        return f"{self.account.name} {self.on}"

    @property
    def change(self) -> Decimal | None:
        """Change of the total since the previous close, in yuan."""
        if self.equity is None or self.equity_before is None:
            return None
        return self.equity - self.equity_before


class PremarketCheck(models.Model):
    """盘前检查: the newest look at one account before a session; every change of its verdict is in the journal."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.PROTECT,
        related_name="premarket_checks",
    )
    on = models.DateField(both("session", "交易日"))
    ready = models.BooleanField(both("ready", "可以开盘"))
    #: What was looked at: verdict, name and finding in both languages.
    items = models.JSONField(both("items", "检查项"), default=list)
    looked_at = models.DateTimeField(both("looked at", "检查时间"))  # market time

    class Meta:
        verbose_name = both("pre-market check", "盘前检查")
        verbose_name_plural = both("pre-market checks", "盘前检查")
        constraints = [
            models.UniqueConstraint(fields=["account", "on"], name="one_premarket_check_a_session")
        ]

    def __str__(self) -> str:
        return f"{self.account.name} {self.on}"
