"""Accounts, and who may act for them."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from trading.domain.stages import Stage, standing
from trading.domain.types import AccountMode, GatewayStatus, TradingState
from trading.models.fields import MoneyField, RatioField, both, choices


class Account(models.Model):
    """One ledger: a broker account in one mode. Cash and totals are the projection of the newest complete snapshot.

    A broker account has one row per mode, and a mode never changes: nothing of one is ever seen as another's.
    """

    name = models.SlugField(both("name", "名称"), unique=True)
    broker_account_id = models.CharField(both("broker account", "资金账号"), max_length=32)
    mode = models.CharField(
        both("mode", "模式"), max_length=8, choices=choices(AccountMode), default=AccountMode.PAPER
    )
    #: Of a live row: capped, live, or withdrawn, which sends nothing; written by `services/stages.py` alone.
    stage = models.CharField(
        both("stage", "阶段"), max_length=10, choices=choices(Stage), blank=True, default=""
    )
    #: Real time; None: before the path was kept, so every session of the row counts.
    stage_since = models.DateTimeField(both("stage since", "阶段开始"), null=True, blank=True)
    enabled = models.BooleanField(both("enabled", "启用"), default=True)
    #: `userdata_mini` of the client this account is logged in at; empty: MINIQMT_QMT_PATH.
    terminal_folder = models.CharField(
        both("terminal folder", "终端文件夹"),
        max_length=260,
        blank=True,
        help_text=both(
            "userdata_mini of the account's QMT client; empty: MINIQMT_QMT_PATH. The gateway reads it when it starts.",
            "该账户所用 QMT 客户端的 userdata_mini；留空则用 MINIQMT_QMT_PATH。网关启动时读取。",
        ),
    )
    trading_state = models.CharField(
        both("trading state", "总开关"),
        max_length=10,
        choices=choices(TradingState),
        default=TradingState.ACTIVE,
    )
    trading_state_reason = models.JSONField(both("reason", "原因"), default=dict, blank=True)
    gateway_status = models.CharField(
        both("gateway", "网关"),
        max_length=10,
        choices=choices(GatewayStatus),
        default=GatewayStatus.OBSERVING,
    )
    gateway_reason = models.JSONField(both("gateway reason", "网关原因"), default=dict, blank=True)
    gateway_seen_at = models.DateTimeField(both("gateway seen", "网关心跳"), null=True, blank=True)

    cash = MoneyField(both("usable cash (yuan)", "可用资金（元）"), null=True, blank=True)
    frozen_cash = MoneyField(both("frozen cash (yuan)", "冻结资金（元）"), null=True, blank=True)
    market_value = MoneyField(both("market value (yuan)", "持仓市值（元）"), null=True, blank=True)
    total_asset = MoneyField(both("total (yuan)", "总资产（元）"), null=True, blank=True)
    previous_total = MoneyField(
        both("total at the previous close (yuan)", "昨日总资产（元）"), null=True, blank=True
    )
    previous_total_on = models.DateField(null=True, blank=True)
    #: Market time of the newest projected snapshot; decisions need it young.
    snapshot_at = models.DateTimeField(both("snapshot", "快照时间"), null=True, blank=True)
    snapshot_wanted_at = models.DateTimeField(null=True, blank=True)
    #: Quotes that arrived up to here are folded into every holding that is not `behind`.
    folded_until = models.DateTimeField(null=True, blank=True)

    commission_rate = RatioField(both("commission rate", "佣金率"), default=Decimal("0.00025"))
    commission_minimum = MoneyField(
        both("minimum commission (yuan)", "最低佣金（元）"), default=Decimal("5")
    )
    fund_commission_minimum = MoneyField(
        both("minimum for funds (yuan)", "基金最低佣金（元）"), default=Decimal(0)
    )
    stamp_duty_rate = RatioField(
        both("stamp duty (empty = public rate)", "印花税率（空=法定）"), null=True, blank=True
    )
    transfer_fee_rate = RatioField(
        both("transfer fee (empty = public rate)", "过户费率（空=法定）"), null=True, blank=True
    )
    transfer_fee_exchanges = models.CharField(
        both("transfer fee charged apart on", "单列过户费的交易所"),
        max_length=16,
        default="SH,SZ,BJ",
    )
    freeze_margin = RatioField(both("freeze margin", "冻结余量"), default=Decimal("0.0001"))

    #: Highest number used in a client order id; only grows.
    order_counter = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = both("account", "账户")
        verbose_name_plural = both("accounts", "账户")
        # Reading is one permission, acting another: every action of the admin asks for this one.
        permissions = [
            ("trade_account", "Can trade: halt, cancel, sell, correct"),
            ("release_account", "Can release the kill switch"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["broker_account_id", "mode"], name="one_ledger_per_mode"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.masked_number})"

    @property
    def standing(self) -> Stage:
        """Where this row stands on the path to live."""
        return standing(AccountMode(self.mode), self.stage)

    @property
    def masked_number(self) -> str:
        """The broker's account number as people may see it: its last four characters."""
        return f"…{self.broker_account_id[-4:]}"

    def mask(self, text: str) -> str:
        """Return a text without the full number of the account."""
        number = self.broker_account_id
        return text.replace(number, self.masked_number) if number else text


class GatewayLease(models.Model):
    """The one submitter of an account: every move of an order past APPROVED names this epoch."""

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, related_name="lease", primary_key=True
    )
    epoch = models.PositiveIntegerField(default=0)
    owner = models.CharField(max_length=64, default="")
    expires_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.account_id} epoch {self.epoch}"


class TickLease(models.Model):
    """Whose turn a tick is: when it last started (real time); claimed by a conditional update in its transaction."""

    name = models.CharField(max_length=64, primary_key=True)
    started_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class MarketClock(models.Model):
    """Market time = base_market + (real − base_real) × speed; live: speed 1, bases equal."""

    environment = models.CharField(max_length=16, primary_key=True)
    base_real = models.DateTimeField()
    base_market = models.DateTimeField()
    speed = RatioField(default=Decimal(1))

    def __str__(self) -> str:
        return self.environment
