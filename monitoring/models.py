"""What monitoring remembers: what each person wants to see, findings that stand now, reports, acts, the curves of the day."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models

from trading.models import Account, EventLevel
from trading.models.fields import AppendOnlyModel, MoneyField, both, choices


class OperatorSettings(models.Model):
    """个人设置: what one person wants to see of the console. What may stand there: monitoring/services/operator.py."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=both("user", "用户"),
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="operator_settings",
    )
    #: Choice → value, or list of values.
    chosen = models.JSONField(both("choices", "选项"), default=dict)
    changed_at = models.DateTimeField(both("changed", "修改时间"), auto_now=True)  # real time

    class Meta:
        verbose_name = both("settings of a person", "个人设置")
        verbose_name_plural = both("settings of persons", "个人设置")

    def __str__(self) -> str:
        return f"{self.user_id}"


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


class AuditForm(AppendOnlyModel):
    """Which columns of a table a link covers: those it had when the link was made, so that a new one breaks nothing."""

    table = models.CharField(max_length=63)
    columns = models.JSONField()

    def __str__(self) -> str:
        return f"{self.table} ({len(self.columns)})"


class AuditLink(AppendOnlyModel):
    """One link of the audit chain: its number is its key, its digest covers the row and the link before."""

    form = models.ForeignKey(AuditForm, on_delete=models.PROTECT)
    row = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()  # real time

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["form", "row"], name="one_link_per_row_and_form")
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.digest[:12]}"


class Act(models.Model):
    """操作: what a person confirmed in the console, once per form, and the answer; never forgotten.

    The row is written before anything is done. Without an answer nobody knows what came of it: the act is not
    repeated, and the pages say where to look.
    """

    token = models.CharField(max_length=32, unique=True)
    at = models.DateTimeField(both("time", "时间"))  # real time
    actor = models.CharField(both("who", "操作者"), max_length=150)
    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.PROTECT,
        related_name="acts",
    )
    action = models.CharField(both("action", "操作"), max_length=24)
    subject = models.CharField(both("subject", "对象"), max_length=64, blank=True)
    why = models.CharField(both("reason", "原因"), max_length=200, blank=True)
    answer_en = models.TextField(blank=True)
    answer_zh = models.TextField(blank=True)
    #: What it brought about or is about: `signal`, `order`, `holding`, `session` → primary key.
    rows = models.JSONField(default=dict, blank=True)
    answered_at = models.DateTimeField(both("answered", "答复时间"), null=True, blank=True)

    class Meta:
        verbose_name = both("act", "操作")
        verbose_name_plural = both("acts", "操作")
        indexes = [models.Index(fields=["account", "at"])]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}".strip()


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
