"""Signals and denials."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from trading.domain.types import DenialCode, Side, SignalKind, SignalState
from trading.models.accounts import Account
from trading.models.fields import LevelField, MoneyField, both, choices
from trading.models.positions import Position


class Signal(models.Model):
    """信号: a durable wish to trade, with its reason in words and the settings revision that decided it."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.CASCADE,
        related_name="signals",
    )
    position = models.ForeignKey(
        Position,
        verbose_name=both("position", "持仓"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
    )
    symbol = models.CharField(both("symbol", "代码"), max_length=12)
    kind = models.CharField(both("kind", "类型"), max_length=24, choices=choices(SignalKind))
    side = models.CharField(both("side", "方向"), max_length=4, choices=choices(Side))
    quantity = models.PositiveIntegerField(both("quantity", "数量"))
    trigger_price = LevelField(both("trigger price", "触发价"))
    last = MoneyField(both("last price", "最新价"))
    quote_time = models.DateTimeField(both("quote time", "行情时间"))
    reason_en = models.TextField(
        both("reason (English)", "原因（英文）"),
    )
    reason_zh = models.TextField(
        both("reason (Chinese)", "原因（中文）"),
    )
    state = models.CharField(both("state", "状态"), max_length=10, choices=choices(SignalState))
    denial_code = models.CharField(
        both("denial", "拒绝代码"), max_length=32, choices=choices(DenialCode), blank=True
    )
    outcome_en = models.TextField(blank=True)
    outcome_zh = models.TextField(blank=True)
    created_at = models.DateTimeField(both("created", "产生时间"))
    held_at = models.DateTimeField(
        both("condition last held", "条件最后成立"),
    )  # last tick on which its condition held
    decided_at = models.DateTimeField(both("decided", "处理时间"), null=True, blank=True)
    config_revision = models.PositiveIntegerField(both("settings revision", "配置版本"))
    #: Who of another app wished it, e.g. `grid:17`; what it needs to know again when its order ended.
    source = models.CharField(both("source", "来源"), max_length=32, blank=True)
    detail = models.JSONField(both("detail", "详情"), default=dict, blank=True)
    highest = LevelField(both("buy never above", "买入价上限"), null=True, blank=True)

    class Meta:
        verbose_name = both("signal", "信号")
        verbose_name_plural = both("signals", "信号")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "symbol", "kind"],
                condition=Q(state=SignalState.PENDING.value),
                name="one_pending_signal_per_kind",
            )
        ]
        indexes = [models.Index(fields=["account", "created_at"])]

    def __str__(self) -> str:
        return f"{self.symbol} {self.kind}"


class Denial(models.Model):
    """风控拒绝: stored once per change of (symbol, kind, code); `cleared_at` ends it."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.CASCADE,
        related_name="denials",
    )
    signal = models.ForeignKey(
        Signal,
        verbose_name=both("signal", "信号"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
    )
    symbol = models.CharField(both("symbol", "代码"), max_length=12)
    kind = models.CharField(both("kind", "类型"), max_length=24, choices=choices(SignalKind))
    code = models.CharField(both("code", "拒绝代码"), max_length=32, choices=choices(DenialCode))
    text_en = models.TextField()
    text_zh = models.TextField()
    at = models.DateTimeField(both("time", "时间"))
    cleared_at = models.DateTimeField(both("over since", "解除时间"), null=True, blank=True)

    class Meta:
        verbose_name = both("denial", "风控拒绝")
        verbose_name_plural = both("denials", "风控拒绝")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "symbol", "kind"],
                condition=Q(cleared_at__isnull=True),
                name="one_current_denial_per_kind",
            )
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.kind} {self.code}"
