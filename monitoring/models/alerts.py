"""Alerts: where they go, what a person is told of, and on which ways it is."""

from __future__ import annotations

from django.db import models

from trading.models import Account
from trading.models.fields import both


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
