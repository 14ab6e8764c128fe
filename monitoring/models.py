"""What monitoring remembers: the findings that stand now, one report per account and session, who may use the API."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
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
        constraints = [
            models.UniqueConstraint(
                fields=["account", "code", "subject"], name="one_finding_per_subject"
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.subject}".strip()


class ApiToken(models.Model):
    """API 令牌: lets a program act for a user within some scopes until a day. The secret itself is kept nowhere."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=both("user", "用户"),
        on_delete=models.CASCADE,
        related_name="api_tokens",
    )
    name = models.CharField(both("name", "名称"), max_length=40)
    #: Scopes with a blank between them, in the order of `Scope`.
    scopes = models.CharField(both("scopes", "权限范围"), max_length=80)
    #: How its secret begins: enough to recognise it, far too little to use it.
    prefix = models.CharField(both("begins with", "开头"), max_length=12)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(both("created", "创建时间"))  # real time, as all here
    expires_at = models.DateTimeField(both("expires", "过期时间"))
    #: To the ten minutes.
    last_used_at = models.DateTimeField(both("last used", "最近使用"), null=True, blank=True)
    revoked_at = models.DateTimeField(both("revoked", "撤销时间"), null=True, blank=True)

    class Meta:
        verbose_name = both("API token", "API 令牌")
        verbose_name_plural = both("API tokens", "API 令牌")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class ApiCall(models.Model):
    """API 请求: one change that carried a key, claimed before anything is done; repeated, it gets the same answer.

    `status` empty: it is being done, or its doer died in it; it is not done again.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_calls"
    )
    key = models.CharField(max_length=64)
    #: SHA-256 of method, address and body.
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(blank=True)
    at = models.DateTimeField(db_index=True)  # real time

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="one_api_call_per_key")
        ]

    def __str__(self) -> str:
        return self.key


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
