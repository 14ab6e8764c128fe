"""Instruments, trading days, daily bars and what is counted from them."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from trading.domain import instruments
from trading.models.fields import LevelField, MoneyField, RatioField, both, choices

#: Whose prices they are (`services.clock.environment_of`): a simulated market plays real codes.
MARKETS = (
    ("demo", both("simulated market", "模拟市场")),
    ("live", both("real market", "真实市场")),
)


def market_field() -> models.CharField[str, str]:
    """Return the field of a row that is of one market alone."""
    return models.CharField(both("market", "市场"), max_length=16, choices=MARKETS)


class Instrument(models.Model):
    """标的: what the rules need to know of one symbol."""

    symbol = models.CharField(both("symbol", "代码"), max_length=12, primary_key=True)
    name = models.CharField(both("name", "名称"), max_length=32, blank=True)
    board = models.CharField(
        both("board", "板块"), max_length=10, choices=choices(instruments.Board)
    )
    category = models.CharField(
        both("category", "类别"), max_length=20, choices=choices(instruments.Category)
    )
    settlement = models.CharField(
        both("settlement", "交收"), max_length=4, choices=choices(instruments.Settlement)
    )
    special_treatment = models.BooleanField(
        both("special treatment (ST)", "风险警示"), default=False
    )
    listed_on = models.DateField(both("listed on", "上市日"), null=True, blank=True)
    delisting_from = models.DateField(both("delisting from", "退市整理起"), null=True, blank=True)
    index_board = models.CharField(
        both("index board", "指数板块"),
        max_length=10,
        choices=choices(instruments.Board),
        blank=True,
    )
    #: Who said so last: empty = the code alone.
    source = models.CharField(both("source", "来源"), max_length=32, blank=True)
    updated_at = models.DateTimeField(both("updated", "更新时间"), null=True, blank=True)
    #: Field → what a person set; no source changes these.
    corrections = models.JSONField(both("corrected by hand", "人工修正"), default=dict, blank=True)
    #: The limits a terminal stated for one day; they hold for that day only.
    stated_on = models.DateField(both("limits stated for", "涨跌停价日期"), null=True, blank=True)
    stated_up = MoneyField(
        both("stated limit-up (yuan)", "终端涨停价（元）"), null=True, blank=True
    )
    stated_down = MoneyField(
        both("stated limit-down (yuan)", "终端跌停价（元）"), null=True, blank=True
    )

    class Meta:
        verbose_name = both("instrument", "标的")
        verbose_name_plural = both("instruments", "标的")

    def __str__(self) -> str:
        return f"{self.symbol} {self.name}".strip()


class QuoteSource(Instrument):
    """行情源: no rows of its own; its page shows what each source says of each symbol, and its permission who may look."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = both("quotes by source", "行情源")
        verbose_name_plural = both("quotes by source", "行情源")


class TradingDay(models.Model):
    """One calendar day the house knows; a day without a row is unknown, and closed."""

    on = models.DateField(both("day", "日期"), primary_key=True)
    is_session = models.BooleanField(both("session", "交易日"))
    source = models.CharField(both("source", "来源"), max_length=32)

    class Meta:
        # Every look at the calendar asks how many days each source says what of: it is counted in this index alone.
        indexes = [models.Index(fields=["is_session", "source"], name="days_by_source")]
        verbose_name = both("trading day", "交易日历")
        verbose_name_plural = both("trading days", "交易日历")

    def __str__(self) -> str:
        return f"{self.on} {'session' if self.is_session else 'closed'}"


class Close(models.Model):
    """The close we recorded of a session, to notice an ex-rights morning by.

    A simulated market has other prices under the same codes, and days that are yet to come: nobody else's.
    """

    environment = market_field()
    symbol = models.CharField(max_length=12)
    on = models.DateField()
    close = MoneyField()
    #: The previous close that was quoted that day: a feed one session late quotes it again.
    previous_close = MoneyField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "symbol", "on"], name="one_close_per_session"
            )
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.on} {self.close}"


class DailyBar(models.Model):
    """日线: one completed session of one symbol as it was traded, nothing adjusted."""

    environment = market_field()
    symbol = models.CharField(both("symbol", "代码"), max_length=12)
    on = models.DateField(both("session", "交易日"))
    open = MoneyField(both("open", "开盘"))
    high = MoneyField(both("high", "最高"))
    low = MoneyField(both("low", "最低"))
    close = MoneyField(both("close", "收盘"))
    #: The exchange's, ex-rights included; empty where the source does not say.
    previous_close = MoneyField(both("previous close", "昨收"), null=True, blank=True)
    volume = models.BigIntegerField(both("volume (shares)", "成交量（股）"))
    amount = MoneyField(both("turnover (yuan)", "成交额（元）"), exact=False)
    source = models.CharField(both("source", "来源"), max_length=32)

    class Meta:
        verbose_name = both("daily bar", "日线")
        verbose_name_plural = both("daily bars", "日线")
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "symbol", "on"], name="one_bar_per_session"
            )
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.on}"


class DailyIndicator(models.Model):
    """日线指标 after one session, prices as they count after it. Floats are the state the next session goes on from."""

    environment = market_field()
    symbol = models.CharField(both("symbol", "代码"), max_length=12)
    on = models.DateField(both("session", "交易日"))
    #: How many sessions it was counted over; the first few dozen still remember where they began.
    sessions = models.PositiveIntegerField(both("sessions", "累计交易日"))
    close = MoneyField(both("close", "收盘"))
    ema12 = models.FloatField("EMA12")
    ema26 = models.FloatField("EMA26")
    dea = models.FloatField("DEA")
    ma10 = LevelField("MA10", null=True, blank=True)
    ma20 = LevelField("MA20", null=True, blank=True)
    ma30 = LevelField("MA30", null=True, blank=True)
    ma60 = LevelField("MA60", null=True, blank=True)

    class Meta:
        verbose_name = both("daily indicators", "日线指标")
        verbose_name_plural = both("daily indicators", "日线指标")
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "symbol", "on"], name="one_indicator_per_session"
            )
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.on}"


class CorporateAction(models.Model):
    """除权除息: known price factors; `factor` = reference price after / close before."""

    symbol = models.CharField(max_length=12)
    on = models.DateField()
    factor = RatioField(scale=10)
    share_ratio = RatioField(scale=8, default=Decimal(1))
    cash_per_share = MoneyField(default=Decimal(0))
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["symbol", "on"], name="one_corporate_action_per_day")
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.on} × {self.factor}"
