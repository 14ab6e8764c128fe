"""Orders, fills and their append-only events."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import Q

from trading.domain.orders import OrderState
from trading.domain.types import Purpose, Side, SignalKind
from trading.models.accounts import Account
from trading.models.fields import AppendOnlyModel, LevelField, MoneyField, both, choices
from trading.models.positions import Position
from trading.models.signals import Signal

WORKING = [state.value for state in OrderState if state.working]


class Wish(models.TextChoices):
    """What a person decided about an order whose outcome is unknown."""

    BIND = "bind"
    ABSENT = "absent"
    WAIT = "wait"


class Order(models.Model):
    """委托: born APPROVED with its reservation; past that only the gateway moves it, by conditional updates.

    A chain is an order with its re-orders and, when the quantity is over the exchange's largest order, its further
    pieces: `root` is the first of them, `chain_quantity` what the whole chain is to trade.
    """

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.CASCADE,
        related_name="orders",
    )
    signal = models.ForeignKey(
        Signal,
        verbose_name=both("signal", "信号"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="orders",
    )
    position = models.ForeignKey(
        Position,
        verbose_name=both("position", "持仓"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="orders",
    )
    root = models.ForeignKey(
        "self",
        verbose_name=both("first of the chain", "委托链首单"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="chain",
    )
    client_order_id = models.CharField(
        both("client order id", "客户委托号"), max_length=13, unique=True
    )
    decision_key = models.CharField(both("decision key", "决策键"), max_length=96, unique=True)
    trade_date = models.DateField(
        both("trade date", "交易日"),
    )
    symbol = models.CharField(both("symbol", "代码"), max_length=12)
    side = models.CharField(both("side", "方向"), max_length=4, choices=choices(Side))
    kind = models.CharField(both("kind", "类型"), max_length=24, choices=choices(SignalKind))
    purpose = models.CharField(both("purpose", "用途"), max_length=8, choices=choices(Purpose))
    quantity = models.PositiveIntegerField(both("quantity", "数量"))
    chain_quantity = models.PositiveIntegerField(
        both("quantity of the chain", "委托链数量"),
    )
    price = MoneyField(both("limit price", "委托价"))
    limit_down = MoneyField(both("limit-down", "跌停价"), null=True, blank=True)
    trigger_price = LevelField(both("trigger price", "触发价"), null=True, blank=True)
    attempt = models.PositiveSmallIntegerField(both("re-order number", "第几次重挂"), default=0)
    state = models.CharField(both("state", "状态"), max_length=20, choices=choices(OrderState))
    filled_quantity = models.PositiveIntegerField(both("filled", "已成交"), default=0)
    filled_amount = MoneyField(both("filled amount (yuan)", "成交金额（元）"), default=Decimal(0))
    #: Cash promised to this order while it works (yuan); 0 for sells.
    reserved_cash = MoneyField(both("reserved cash (yuan)", "预占资金（元）"), default=Decimal(0))

    epoch = models.PositiveIntegerField(both("gateway epoch", "网关任期"), default=0)
    #: Number of the broker session, within the epoch, that sent it: its `seq` means something only there.
    connection = models.PositiveIntegerField(both("connection", "连接序号"), default=0)
    seq = models.BigIntegerField(null=True, blank=True)
    broker_order_id = models.BigIntegerField(
        both("broker order id", "柜台委托号"), null=True, blank=True
    )
    sysid = models.CharField(both("counter's number", "合同编号"), max_length=32, blank=True)
    #: Only symbol, side, quantity, price and time say that this broker order is ours.
    weakly_bound = models.BooleanField(both("bound by likeness", "按特征匹配"), default=False)

    approved_at = models.DateTimeField(both("approved", "批准时间"))
    expires_at = models.DateTimeField(
        both("send before", "最迟报单"),
    )
    claimed_at = models.DateTimeField(both("claimed", "领取时间"), null=True, blank=True)
    #: The newest journal entry then: a broker order the journal told of before was there already, and is not this one.
    journal_mark = models.PositiveBigIntegerField(null=True, editable=False)
    submitted_at = models.DateTimeField(both("submitted", "报单时间"), null=True, blank=True)
    ended_at = models.DateTimeField(both("ended", "结束时间"), null=True, blank=True)
    end_reason = models.CharField(both("why it ended", "结束原因"), max_length=24, blank=True)
    #: A query, not only a push, showed it ended with as many shares traded as we booked.
    end_confirmed = models.BooleanField(both("end confirmed", "结束已确认"), default=False)
    message = models.TextField(both("message", "消息"), blank=True)
    #: Once its outcome was unknown it no longer counts for "one working order": exits may sell the rest.
    was_unknown = models.BooleanField(both("was unknown", "曾状态不明"), default=False)

    cancel_wanted_at = models.DateTimeField(
        both("cancel asked", "请求撤单"), null=True, blank=True
    )
    cancel_reason = models.CharField(both("why cancelled", "撤单原因"), max_length=24, blank=True)
    cancelled_by_person = models.BooleanField(
        both("cancelled by a person", "人工撤单"), default=False
    )
    cancel_tries = models.PositiveSmallIntegerField(both("cancels sent", "撤单次数"), default=0)
    last_cancel_at = models.DateTimeField(null=True, blank=True)
    cancel_alerted = models.BooleanField(default=False)

    #: True once the chain went on after this order (re-order, next piece) or was closed for good.
    chain_settled = models.BooleanField(default=False)
    config_revision = models.PositiveIntegerField(
        both("settings revision", "配置版本"),
    )
    source = models.CharField(both("source", "来源"), max_length=32, blank=True)

    class Meta:
        verbose_name = both("order", "委托")
        verbose_name_plural = both("orders", "委托")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "symbol", "side", "purpose"],
                condition=Q(state__in=WORKING, was_unknown=False),
                name="one_working_order_per_purpose",
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="order_quantity_positive"),
            models.CheckConstraint(condition=Q(price__gt=0), name="order_price_positive"),
        ]
        indexes = [
            models.Index(fields=["account", "state"]),
            models.Index(fields=["account", "trade_date"]),
            models.Index(fields=["account", "broker_order_id"]),
            models.Index(fields=["source", "trade_date"]),
        ]

    def __str__(self) -> str:
        return self.client_order_id


class OrderEvent(AppendOnlyModel):
    """One move of an order: what it left, what it became, under which lease epoch, and why."""

    order = models.ForeignKey(
        Order, verbose_name=both("order", "委托"), on_delete=models.PROTECT, related_name="events"
    )
    at = models.DateTimeField(
        both("time", "时间"),
    )
    old_state = models.CharField(both("from", "原状态"), max_length=20, blank=True)
    new_state = models.CharField(both("to", "新状态"), max_length=20)
    epoch = models.PositiveIntegerField(both("gateway epoch", "网关任期"), default=0)
    detail = models.JSONField(both("detail", "详情"), default=dict)

    def __str__(self) -> str:
        return f"{self.old_state} → {self.new_state}"


class UnknownOutcome(models.Model):
    """结果未知: an order whose outcome nobody knew, what queries said of it since, and how it was resolved.

    A restart neither forgets nor shortens the wait: it is here. A person's wish is a row too; the gateway carries it
    out.
    """

    order = models.OneToOneField(
        Order,
        verbose_name=both("order", "委托"),
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="unknown_outcome",
    )
    #: The submit had ended by then, or its sender was proven dead: the wait counts from here.
    since = models.DateTimeField(both("unknown since", "未知起始时间"))
    why_en = models.CharField(max_length=200)
    why_zh = models.CharField(max_length=200)
    #: The first clean query, of this connection, that missed it when that counted.
    missed_at = models.DateTimeField(both("first missed", "首次查无"), null=True, blank=True)
    missed_on = models.CharField(both("on connection", "连接"), max_length=24, blank=True)
    checked_at = models.DateTimeField(
        both("last clean query", "最近有效查询"), null=True, blank=True
    )
    verdict_en = models.CharField(max_length=200, blank=True)
    verdict_zh = models.CharField(max_length=200, blank=True)

    wish = models.CharField(
        both("a person's decision", "人工决定"), max_length=8, choices=choices(Wish), blank=True
    )
    wish_number = models.BigIntegerField(
        both("broker order id", "柜台委托号"), null=True, blank=True
    )
    wish_reason = models.CharField(both("reason", "原因"), max_length=200, blank=True)
    wish_actor = models.CharField(both("decided by", "决定人"), max_length=64, blank=True)
    wished_at = models.DateTimeField(both("decided", "决定时间"), null=True, blank=True)
    carried_over = models.BooleanField(both("carried over", "隔日未决"), default=False)
    resolved_at = models.DateTimeField(both("resolved", "解决时间"), null=True, blank=True)

    class Meta:
        verbose_name = both("unknown outcome", "结果未知的委托")
        verbose_name_plural = both("unknown outcomes", "结果未知的委托")

    def __str__(self) -> str:
        return str(self.order)


class Fill(AppendOnlyModel):
    """成交: booked once per broker trade; `order` is empty for trades made outside the house."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.PROTECT,
        related_name="fills",
    )
    order = models.ForeignKey(
        Order,
        verbose_name=both("order", "委托"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="fills",
    )
    position = models.ForeignKey(
        Position,
        verbose_name=both("position", "持仓"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="fills",
    )
    trade_date = models.DateField(
        both("trade date", "交易日"),
    )
    symbol = models.CharField(both("symbol", "代码"), max_length=12)
    side = models.CharField(both("side", "方向"), max_length=4, choices=choices(Side))
    quantity = models.PositiveIntegerField(both("quantity", "数量"))
    price = MoneyField(both("price", "价格"))
    amount = MoneyField(both("amount (yuan)", "金额（元）"))
    commission = MoneyField(both("commission (yuan)", "佣金（元）"), default=Decimal(0))
    stamp_duty = MoneyField(both("stamp duty (yuan)", "印花税（元）"), default=Decimal(0))
    transfer_fee = MoneyField(both("transfer fee (yuan)", "过户费（元）"), default=Decimal(0))
    broker_order_id = models.BigIntegerField(
        both("broker order id", "柜台委托号"),
    )
    traded_id = models.CharField(both("trade number", "成交编号"), max_length=32)
    #: `account|date|symbol|sysid or order id|traded id`
    key = models.CharField(max_length=120, unique=True)
    at = models.DateTimeField(both("time", "时间"))
    booked_at = models.DateTimeField(
        both("booked", "入账时间"),
    )

    class Meta:
        verbose_name = both("fill", "成交")
        verbose_name_plural = both("fills", "成交")
        indexes = [models.Index(fields=["account", "trade_date"])]

    def __str__(self) -> str:
        return f"{self.symbol} {self.side} {self.quantity} × {self.price}"
