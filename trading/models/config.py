"""What an operator may change during a day: one row per account, every version kept."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from simple_history.models import HistoricalRecords

from trading.models.accounts import Account
from trading.models.fields import MoneyField, RatioField, both


def default_tiers() -> list[list[str]]:
    """Trailing tiers as [gain, coefficient] pairs, text so that no float ever holds them."""
    return [
        ["0.05", "0.96"],
        ["0.10", "0.93"],
        ["0.15", "0.90"],
        ["0.20", "0.87"],
        ["0.30", "0.85"],
        ["0.40", "0.83"],
        ["0.50", "0.80"],
    ]


class TradingConfig(models.Model):
    """配置: the settings of one account; validated by building the domain's rules, whole row or nothing."""

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, related_name="config", primary_key=True
    )
    revision = models.PositiveIntegerField(default=1)
    changed_why = models.CharField(
        both("reason of the change", "变更原因"), max_length=200, default="initial"
    )

    # switches
    auto_trading_enabled = models.BooleanField(
        both("automatic trading", "自动交易"), default=False
    )
    stop_loss_enabled = models.BooleanField(both("stop-loss", "止损"), default=True)
    take_profit_enabled = models.BooleanField(both("take-profit", "止盈"), default=True)
    sell_monitor_enabled = models.BooleanField(both("watch sell orders", "卖单监控"), default=True)
    grid_enabled = models.BooleanField(both("grid trading", "网格交易"), default=False)
    pause_grid_after_full_exit = models.BooleanField(
        both("pause a grid after a full exit", "清仓后暂停网格"), default=True
    )
    add_on_enabled = models.BooleanField(both("add-on buying", "补仓"), default=False)
    strategy_execution_enabled = models.BooleanField(
        both("strategy signals may trade", "策略信号可下单"), default=False
    )
    buy_enabled = models.BooleanField(both("buying allowed", "允许买入"), default=True)
    sell_enabled = models.BooleanField(both("selling allowed", "允许卖出"), default=True)

    # exits
    stop_loss_ratio = RatioField(both("stop-loss ratio", "止损比例"), default=Decimal("-0.075"))
    first_take_profit_ratio = RatioField(
        both("first take-profit ratio", "首次止盈比例"), default=Decimal("0.06")
    )
    first_take_profit_sell_ratio = RatioField(
        both("first take-profit sells", "首次止盈卖出比例"), default=Decimal("0.6")
    )
    first_take_profit_pullback = RatioField(
        both("first take-profit pullback", "首次止盈回撤"), default=Decimal("0.005")
    )
    trailing_tiers = models.JSONField(
        both("trailing tiers", "动态止盈档位"), default=default_tiers
    )
    trailing_never_lowers = models.BooleanField(
        both("trailing level never lowers", "动态止盈价只升不降"), default=True
    )
    add_on_drop = RatioField(both("add-on drop", "补仓跌幅"), default=Decimal("0.07"))
    buy_amount = MoneyField(
        both("amount of one buy (yuan)", "单次买入金额（元）"), default=Decimal(35000)
    )

    # signals
    signal_max_age = models.PositiveSmallIntegerField(
        both("exit signal lives (s)", "退出信号有效期（秒）"), default=120
    )
    grid_signal_max_age = models.PositiveSmallIntegerField(
        both("grid signal lives (s)", "网格信号有效期（秒）"), default=60
    )
    signal_max_drift = RatioField(
        both("signal price drift", "信号价格漂移"), default=Decimal("0.01")
    )

    # orders
    price_mode = models.CharField(
        both("order price", "委托价格"),
        max_length=10,
        default="opponent",
        choices=[
            ("opponent", both("opponent", "对手价")),
            ("last", both("last", "最新价")),
            ("limit", both("limit", "触发价")),
        ],
    )
    sell_order_timeout = models.PositiveSmallIntegerField(
        both("sell timeout (s)", "卖单超时（秒）"), default=30
    )
    take_profit_order_timeout = models.PositiveSmallIntegerField(
        both("take-profit timeout (s, empty = sell timeout)", "止盈单超时（秒，空=卖单超时）"),
        default=300,
        null=True,
        blank=True,
    )
    grid_order_timeout = models.PositiveSmallIntegerField(
        both("grid timeout (s)", "网格单超时（秒）"), default=90
    )
    buy_order_timeout = models.PositiveSmallIntegerField(
        both("buy timeout (s)", "买单超时（秒）"), default=60
    )
    reorder_max_attempts = models.PositiveSmallIntegerField(
        both("re-orders at most", "最多重挂次数"), default=3
    )

    # risk
    max_order_value = MoneyField(
        both("order value at most (yuan)", "单笔金额上限（元）"), null=True, blank=True
    )
    max_position_value = MoneyField(
        both("position value at most (yuan)", "单股市值上限（元）"), default=Decimal(70000)
    )
    max_total_position_ratio = RatioField(
        both("all positions at most", "总仓位上限"), default=Decimal("0.95")
    )
    daily_loss_ratio = RatioField(
        both("daily loss limit", "单日亏损上限"), default=Decimal("0.05")
    )
    max_buy_orders_per_day = models.PositiveIntegerField(
        both("buys a day at most", "每日买单上限"), default=200
    )
    orders_per_second = models.PositiveSmallIntegerField(
        both("orders a second at most", "每秒委托上限"), default=2
    )
    allow_mootdx_trading = models.BooleanField(
        both("mootdx quotes may trade", "允许 mootdx 行情交易"), default=False
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = both("configuration", "配置")
        verbose_name_plural = both("configurations", "配置")

    def __str__(self) -> str:
        return f"{self.account.name} r{self.revision}"
