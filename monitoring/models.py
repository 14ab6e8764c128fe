"""What monitoring remembers: the findings that stand now, and one report per account and session."""

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


class Severity(models.IntegerChoices):
    """How much an alert matters. A critical one pages a person: it goes out at any hour and asks to be acknowledged."""

    INFO = 10, both("information", "信息")
    WARNING = 20, both("warning", "警告")
    ALARM = 30, both("alarm", "报警")
    CRITICAL = 40, both("critical", "紧急")


class Category(models.TextChoices):
    """What an alert is about."""

    TRADE = "trade", both("orders & fills", "委托与成交")
    PROTECTION = "protection", both("protection", "持仓保护")
    CONNECTION = "connection", both("connection", "连接")
    QUOTES = "quotes", both("quotes", "行情")
    BOOKS = "books", both("books", "账目核对")
    GRID = "grid", both("grid", "网格")
    CHANGE = "change", both("changes by people", "人为变更")
    SYSTEM = "system", both("system", "系统")
    REPORT = "report", both("reports", "日报")


class AlertChannel(models.Model):
    """告警渠道: where alerts go. Its address is a secret: nobody is ever shown it again, and no log has it."""

    class Language(models.TextChoices):
        """In which languages a message is written."""

        BOTH = "both", both("Chinese and English", "中文和英文")
        ZH = "zh", both("Chinese", "中文")
        EN = "en", both("English", "英文")

    name = models.SlugField(both("name", "名称"), max_length=40, unique=True)
    url = models.TextField(editable=False)
    enabled = models.BooleanField(both("enabled", "启用"), default=True)
    minimum = models.PositiveSmallIntegerField(
        both("from this severity on", "最低级别"),
        choices=Severity.choices,
        default=Severity.WARNING,
    )
    #: Empty: all of them.
    categories = models.JSONField(both("categories", "类别"), default=list, blank=True)
    language = models.CharField(
        both("language", "语言"), max_length=4, choices=Language.choices, default=Language.BOTH
    )
    quiet_from = models.TimeField(both("quiet from", "免打扰开始"), null=True, blank=True)
    quiet_until = models.TimeField(both("quiet until", "免打扰结束"), null=True, blank=True)
    #: 0: told at once. Otherwise told of critical alerts only, and only once nobody has acknowledged one for so long.
    escalation_minutes = models.PositiveSmallIntegerField(
        both("escalate after (minutes)", "升级等待（分钟）"), default=0
    )
    last_sent_at = models.DateTimeField(both("last sent", "最近送达"), null=True, editable=False)
    last_problem = models.TextField(both("last problem", "最近失败"), blank=True, editable=False)

    class Meta:
        verbose_name = both("alert channel", "告警渠道")
        verbose_name_plural = both("alert channels", "告警渠道")

    def __str__(self) -> str:
        return self.name

    @property
    def masked_url(self) -> str:
        """The address as people may see it: its service alone."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://••••" if rest else "••••"


class AlertCursor(models.Model):
    """How far the rows of one table have been read for alerts. Moved in the transaction that writes the alerts."""

    source = models.CharField(max_length=16, primary_key=True)
    position = models.PositiveBigIntegerField(default=0)
    #: A number that was missing: its row may still be written by a transaction that takes longer. Waited for once.
    hole = models.PositiveBigIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.source} {self.position}"


class Alert(models.Model):
    """告警: one matter a person is told of. Repeats within its time are counted in the same row."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.CASCADE,
        related_name="alerts",
        null=True,
    )
    code = models.CharField(both("code", "代码"), max_length=48)
    symbol = models.CharField(both("symbol", "标的"), max_length=12, blank=True)
    severity = models.PositiveSmallIntegerField(both("severity", "级别"), choices=Severity.choices)
    category = models.CharField(both("category", "类别"), max_length=12, choices=Category.choices)
    text_en = models.TextField()
    text_zh = models.TextField()
    #: What makes two rows the same matter; one row of it gathers at a time.
    key = models.CharField(max_length=160)
    gathers = models.BooleanField(default=True)
    source = models.CharField(max_length=16)
    source_pk = models.PositiveBigIntegerField()
    count = models.PositiveIntegerField(both("times", "次数"), default=1)
    #: How many repeats the messages that went out have told of.
    told = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField(both("first", "首次发生"))  # market time
    last_at = models.DateTimeField(both("last", "最近发生"))  # market time
    made_at = models.DateTimeField(both("made", "生成时间"))  # real time
    #: The matter that this row says is over.
    about = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="ends"
    )
    over_at = models.DateTimeField(both("over since", "解除时间"), null=True)  # market time
    acknowledged_at = models.DateTimeField(both("acknowledged", "确认时间"), null=True)
    acknowledged_by = models.CharField(both("by", "确认人"), max_length=64, blank=True)
    escalated_at = models.DateTimeField(both("escalated", "升级时间"), null=True)
    #: When it was written to alerts.log, because no channel took it.
    filed_at = models.DateTimeField(both("filed", "写入文件"), null=True)

    class Meta:
        verbose_name = both("alert", "告警")
        verbose_name_plural = both("alerts", "告警")
        permissions = [("acknowledge_alert", "Can acknowledge alerts")]
        indexes = [models.Index(fields=["made_at"])]
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=models.Q(gathers=True), name="one_gathering_alert"
            ),
            models.UniqueConstraint(fields=["source", "source_pk"], name="one_alert_per_cause"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.symbol}".strip()

    @property
    def pages(self) -> bool:
        """Whether a person has to acknowledge it."""
        return self.severity >= Severity.CRITICAL


class AlertDelivery(models.Model):
    """发送: one alert on its way to one channel, or there. `round` 2 and on tell of repeats."""

    class State(models.TextChoices):
        """What became of it."""

        WAITING = "waiting", both("waiting", "待发送")
        SENT = "sent", both("sent", "已送达")
        FAILED = "failed", both("given up", "已放弃")
        DROPPED = "dropped", both("not needed any more", "已无需发送")

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE, related_name="deliveries")
    round = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(
        both("state", "状态"), max_length=8, choices=State.choices, default=State.WAITING
    )
    attempts = models.PositiveSmallIntegerField(both("attempts", "尝试次数"), default=0)
    answer = models.TextField(both("answer", "对方答复"), blank=True)
    #: Real time. A sender that claims it moves this ahead, so that one that dies gives it back.
    next_attempt_at = models.DateTimeField(both("next attempt", "下次尝试"))
    sent_at = models.DateTimeField(both("sent", "送达时间"), null=True)

    class Meta:
        verbose_name = both("delivery", "发送记录")
        verbose_name_plural = both("deliveries", "发送记录")
        indexes = [models.Index(fields=["state", "next_attempt_at"])]
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "channel", "round"], name="one_delivery_per_round"
            )
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} → {self.channel_id}"


class Heartbeat(models.Model):
    """心跳: what the outside monitor was last told, and whether it heard it. One row."""

    at = models.DateTimeField()
    healthy = models.BooleanField()
    reached = models.BooleanField()
    answer = models.TextField(blank=True)
    #: The last time it was reached.
    reached_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.at} {self.healthy}"
