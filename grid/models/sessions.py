"""Grid sessions: parameters, what a restart needs, totals of the ledger."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from grid.domain.centred_grid import TradeMode
from grid.domain.rules import STYLES
from grid.domain.state import SessionStatus, StopCode, Tracker
from trading.models import Account, Signal
from trading.models.fields import LevelField, MoneyField, RatioField, both

_STYLE_WORDS = {"lot": both("lot grid", "逐笔网格"), "centred": both("centred grid", "中心网格")}
_STATUS_WORDS = {
    SessionStatus.ACTIVE: both("active", "运行中"),
    SessionStatus.PAUSED: both("paused", "已暂停"),
    SessionStatus.STOPPING: both("stopping", "停止中"),
    SessionStatus.STOPPED: both("stopped", "已停止"),
}
_TRACKER_WORDS = {
    Tracker.IDLE: both("idle", "空闲"),
    Tracker.RISING: both("follows a peak", "跟踪高点"),
    Tracker.FALLING: both("follows a valley", "跟踪低点"),
}


class StopPolicy(models.TextChoices):
    """What happens to the shares a session bought and still holds when it stops."""

    KEEP = "keep", both("keep the shares", "保留持仓")
    SELL_LOTS = "sell_lots", both("sell its lots", "卖出批次")


class GridMark(models.Model):
    """Quotes that arrived up to here are followed by every session of the account that is not `behind`."""

    account = models.OneToOneField(
        Account, on_delete=models.PROTECT, related_name="grid_mark", primary_key=True
    )
    followed_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.account_id} {self.followed_until}"


class GridSession(models.Model):
    """网格会话: one grid on one symbol. Its state belongs to the grid tick, its parameters to people."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.PROTECT,
        related_name="grid_sessions",
    )
    symbol = models.CharField(both("symbol", "代码"), max_length=12)
    style = models.CharField(
        both("style", "风格"),
        max_length=16,
        choices=[(name, _STYLE_WORDS.get(name, name)) for name in STYLES],
    )
    status = models.CharField(
        both("status", "状态"), max_length=8, choices=list(_STATUS_WORDS.items())
    )
    status_en = models.TextField(both("why (English)", "原因（英文）"), blank=True)
    status_zh = models.TextField(both("why (Chinese)", "原因（中文）"), blank=True)
    started_at = models.DateTimeField(both("started", "开始时间"))
    ends_at = models.DateTimeField(both("ends", "到期时间"), null=True, blank=True)
    stopped_at = models.DateTimeField(both("stopped", "停止时间"), null=True, blank=True)
    stop_policy = models.CharField(
        both("when it stops", "停止时"),
        max_length=9,
        choices=StopPolicy.choices,
        default=StopPolicy.KEEP,
    )
    stop_code = models.CharField(
        both("stopped by", "停止代码"),
        max_length=12,
        choices=[(code.value, code.value) for code in StopCode],
        blank=True,
    )
    revision = models.PositiveIntegerField(both("revision", "版本"), default=1)
    changed_why = models.CharField(both("reason of the change", "变更原因"), max_length=200)

    base_quantity = models.PositiveIntegerField(both("base holding", "底仓数量"), default=0)
    exits_may_sell_base = models.BooleanField(
        both("exits may sell the base holding", "退出规则可卖出底仓"), default=True
    )

    # parameters of both styles; of the other style they are empty
    max_investment = MoneyField(both("invest at most (yuan)", "最大投入（元）"))
    grid_buy_amount = MoneyField(both("amount of a buy (yuan)", "每笔买入金额（元）"), null=True, blank=True)  # fmt: skip
    grid_price_drop = RatioField(both("drop per buy", "买入跌幅"), null=True, blank=True)
    grid_take_profit_ratio = RatioField(both("lot take-profit", "批次止盈"), null=True, blank=True)
    grid_stop_loss_ratio = RatioField(both("lot stop-loss", "批次止损"), null=True, blank=True)
    grid_max_hold_days = models.PositiveSmallIntegerField(
        both("lot held at most (days)", "批次最长持有（天）"), null=True, blank=True
    )
    max_lots = models.PositiveSmallIntegerField(
        both("lots at most", "最多批次"), null=True, blank=True
    )
    interval = RatioField(both("interval", "档位间距"), null=True, blank=True)
    position_ratio = RatioField(both("share per trade", "每次交易比例"), null=True, blank=True)
    callback = RatioField(both("callback", "回调幅度"), null=True, blank=True)
    max_deviation = RatioField(both("deviation at most", "最大偏离"), null=True, blank=True)
    target_profit = RatioField(both("target profit", "目标盈利"), null=True, blank=True)
    stop_loss = RatioField(both("stop-loss", "止损"), null=True, blank=True)
    duration_days = models.PositiveSmallIntegerField(
        both("runs for (days)", "运行天数"), null=True, blank=True
    )
    trade_mode = models.CharField(  # noqa: DJ001  # NULL: no parameter of this style, as for the other columns
        both("sized by", "数量方式"),
        max_length=6,
        choices=[
            (TradeMode.AMOUNT.value, both("amount", "金额")),
            (TradeMode.SHARES.value, both("shares", "股数")),
        ],
        null=True,
        blank=True,
    )
    fixed_quantity = models.PositiveIntegerField(
        both("fixed quantity (0 = by ratio)", "固定数量（0=按比例）"), null=True, blank=True
    )

    # state: everything a restart needs
    centre = LevelField(both("centre or reference", "中心价/基准价"))
    first_centre = LevelField(both("first centre", "初始中心价"))
    tracker = models.CharField(
        both("tracker", "跟踪状态"),
        max_length=8,
        choices=list(_TRACKER_WORDS.items()),
        default=Tracker.IDLE,
    )
    extreme = LevelField(both("peak or valley", "跟踪极值"), default=Decimal(0))
    last_buy_at = models.DateTimeField(both("last buy", "最近买入"), null=True, blank=True)
    last_sell_at = models.DateTimeField(both("last sale", "最近卖出"), null=True, blank=True)
    last_sale = LevelField(both("price of the last sale", "最近卖出价"), null=True, blank=True)
    buy_tried_at = models.DateTimeField(
        both("buy line triggered", "买入档触发"), null=True, blank=True
    )
    sell_tried_at = models.DateTimeField(
        both("sell line triggered", "卖出档触发"), null=True, blank=True
    )
    empty_read_at = models.DateTimeField(null=True, blank=True)
    #: The trade under way, and the signal it became.
    pending = models.JSONField(both("trade under way", "进行中的交易"), null=True, blank=True)
    signal = models.ForeignKey(
        Signal,
        verbose_name=both("signal", "信号"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
    )
    #: Quotes that arrived up to here are followed; the account's mark counts when it is later, unless `behind`.
    seen = models.DateTimeField()
    behind = models.BooleanField(default=False)  # quotes wait until the symbol is fresh again
    #: Full exits that ended before are no reason to pause: a person has started or resumed it since.
    exits_seen_at = models.DateTimeField()
    checked_close_on = models.DateField(null=True, blank=True)
    ex_rights_unclear = models.BooleanField(both("ex-rights unclear", "除权未核实"), default=False)

    # totals of the ledger (yuan, shares); open lots are rows of their own
    realised = MoneyField(both("realised profit (yuan)", "已实现盈亏（元）"), default=Decimal(0))
    fees = MoneyField(both("fees (yuan)", "费用（元）"), default=Decimal(0))
    bought_quantity = models.PositiveIntegerField(both("bought", "累计买入"), default=0)
    bought_amount = MoneyField(both("bought for (yuan)", "累计买入金额（元）"), default=Decimal(0))
    sold_quantity = models.PositiveIntegerField(both("sold", "累计卖出"), default=0)
    sold_amount = MoneyField(both("sold for (yuan)", "累计卖出金额（元）"), default=Decimal(0))
    unmatched_quantity = models.PositiveIntegerField(
        both("sold out of the base", "已卖出底仓"), default=0
    )

    #: The last thing it said about a trigger that came to nothing.
    said_at = models.DateTimeField(both("last remark at", "最近说明时间"), null=True, blank=True)
    said_code = models.CharField(both("last remark", "最近说明"), max_length=24, blank=True)
    said_en = models.TextField(blank=True)
    said_zh = models.TextField(blank=True)

    history = HistoricalRecords(
        excluded_fields=[
            "centre", "tracker", "extreme", "last_buy_at", "last_sell_at", "last_sale", "buy_tried_at",
            "sell_tried_at", "empty_read_at", "pending", "signal", "seen", "behind", "exits_seen_at", "checked_close_on",
            "ex_rights_unclear", "realised", "fees", "bought_quantity", "bought_amount", "sold_quantity",
            "sold_amount", "unmatched_quantity", "said_at", "said_code", "said_en", "said_zh",
        ]
    )  # fmt: skip

    class Meta:
        verbose_name = both("grid session", "网格会话")
        verbose_name_plural = both("grid sessions", "网格会话")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "symbol"],
                condition=~Q(status=SessionStatus.STOPPED.value),
                name="one_open_grid_session_per_symbol",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in SessionStatus]),
                name="grid_status_is_known",
            ),
            models.CheckConstraint(
                condition=Q(centre__gt=0, first_centre__gt=0), name="grid_centre_positive"
            ),
            models.CheckConstraint(
                condition=Q(max_investment__gt=0), name="grid_investment_positive"
            ),
            models.CheckConstraint(
                condition=Q(status=SessionStatus.STOPPED.value, stopped_at__isnull=False)
                | (~Q(status=SessionStatus.STOPPED.value) & Q(stopped_at__isnull=True)),
                name="grid_stopped_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(unmatched_quantity__lte=F("sold_quantity")),
                name="grid_unmatched_was_sold",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.style} #{self.pk}"

    @property
    def source(self) -> str:
        """How this session's signals and orders name it."""
        return f"grid:{self.pk}"
