"""What the chart of one holding shows: daily bars, the line of a day, prices that matter, and our own doings on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from monitoring.console.curve import Point
from monitoring.console.holding_levels import LevelView
from monitoring.models import PricePoint
from trading.domain.types import CHINA, AccountMode, Quote, Side, SignalKind, Text
from trading.domain.wording import yuan
from trading.models import DailyBar, Fill, Order, Position
from trading.models.fields import CHINESE
from trading.selectors import position_value_of
from trading.services.clock import environment_of

#: Sessions, minutes, and deeds of ours, that a chart shows at most.
BARS, MINUTES, DEEDS = 120, 300, 200
_EPOCH = datetime(1970, 1, 1, tzinfo=CHINA)


class Bar(NamedTuple):
    """One session in yuan; `is_over`: it is a completed one, not what the day has seen so far."""

    on: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    is_over: bool = True


class Mark(NamedTuple):
    """A fill or an order of ours, for a reader and for the chart."""

    at: datetime
    is_fill: bool
    side: Side
    quantity: int
    price: Decimal
    kind: str


@dataclass(frozen=True, slots=True)
class ChartView:
    """`minutes`: the newest day there is, up to now. `levels`: only those that have a price."""

    name: str
    bars: tuple[Bar, ...]
    minutes: tuple[Point, ...]
    levels: tuple[LevelView, ...]
    marks: tuple[Mark, ...]

    @property
    def is_empty(self) -> bool:
        return not self.bars and not self.minutes

    @property
    def marks_of_the_day(self) -> tuple[Mark, ...]:
        """What was done on the day of the minutes."""
        if not self.minutes:
            return ()
        day = _day(self.minutes[0].at)
        return tuple(mark for mark in self.marks if _day(mark.at) == day)

    @property
    def first_day(self) -> date:
        return self.bars[0].on

    @property
    def last_day(self) -> date:
        return self.bars[-1].on

    def data(self, language: str) -> Mapping[str, Any]:
        """Return it as JSON takes it: prices as exact texts, times as seconds on China's wall clock."""
        return {
            "name": self.name,
            "bars": [
                {"time": one.on.isoformat(), "open": str(one.open), "high": str(one.high),
                 "low": str(one.low), "close": str(one.close)}
                for one in self.bars
            ],
            "minutes": [{"time": _wall(at), "value": str(value)} for at, value in self.minutes],
            "levels": [
                {"label": one.label.in_language(language), "price": yuan(one.price), "role": role_of(one)}
                for one in self.levels if one.price is not None
            ],
            "days": [
                {"time": _day(one.at).isoformat(), **_mark(one, language)}
                for one in self.marks if one.is_fill
            ],
            "deeds": [
                {"time": _wall(one.at.replace(second=0, microsecond=0)), **_mark(one, language)}
                for one in self.marks_of_the_day
            ],
        }  # fmt: skip


def role_of(level: LevelView) -> str:
    """Return what colour a level's line has: it sells with a loss, with a gain, or is only to be known."""
    if level.kind is SignalKind.STOP_LOSS:
        return "stop"
    return "profit" if level.kind is not None else "plain"


def chart_of(
    row: Position, name: str, levels: Sequence[LevelView], quote: Quote | None, now: datetime
) -> ChartView:
    """Read the chart of a holding, with its account, at `now` (market time); four queries, each with an end."""
    today = _day(now)
    until = today if row.closed_at is None else _day(row.closed_at)
    if row.closed_at is not None or (quote is not None and _day(quote.time) != today):
        quote = None
    return ChartView(
        name=name or row.symbol,
        bars=_bars(row, quote, until, today),
        minutes=_with(quote, _minutes(row.symbol, row.closed_at or now)),
        levels=tuple(one for one in levels or [_cost_of(row)] if one.price is not None),
        marks=_marks(row),
    )


def _cost_of(row: Position) -> LevelView:
    """Return the one level that a holding without rules, a sold one, still has."""
    cost = position_value_of(row).cost_for_decision
    return LevelView(Text("Cost", "成本"), cost, Text("", ""))


def _bars(row: Position, quote: Quote | None, until: date, today: date) -> tuple[Bar, ...]:
    market = environment_of(AccountMode(row.account.mode))
    ours = DailyBar.objects.filter(environment=market, symbol=row.symbol, on__lte=until)
    rows = ours.order_by("-on")[:BARS]
    found = [Bar(one.on, one.open, one.high, one.low, one.close) for one in reversed(rows)]
    has_today = bool(found) and found[-1].on == today
    if quote is not None and not has_today:
        prices = (quote.open, quote.high, quote.low, quote.last)
        if all(price > 0 for price in prices):
            found.append(Bar(today, *prices, is_over=False))
    return tuple(found)


def _minutes(symbol: str, until: datetime) -> tuple[Point, ...]:
    """Return the kept minutes of the newest day that has any; a session is shorter than `MINUTES`."""
    rows = PricePoint.objects.filter(symbol=symbol, at__lte=until).order_by("-at")[:MINUTES]
    points = [Point(at, price) for at, price in rows.values_list("at", "price")]
    return tuple(one for one in reversed(points) if _day(one.at) == _day(points[0].at))


def _with(quote: Quote | None, minutes: tuple[Point, ...]) -> tuple[Point, ...]:
    """Return the minutes with the newest quote of today as the last one: the kept ones are up to a minute behind."""
    if quote is None or quote.last <= 0:
        return minutes
    newest = Point(quote.time.replace(second=0, microsecond=0), quote.last)
    today = [one for one in minutes if _day(one.at) == _day(newest.at) and one.at < newest.at]
    return (*today, newest)


def _marks(row: Position) -> tuple[Mark, ...]:
    fills = Fill.objects.filter(position=row).select_related("order").order_by("-pk")[:DEEDS]
    orders = Order.objects.filter(position=row).order_by("-pk")[:DEEDS]
    found = [
        Mark(one.at, True, Side(one.side), one.quantity, one.price, one.order.kind if one.order else "")
        for one in fills
    ] + [
        Mark(one.approved_at, False, Side(one.side), one.quantity, one.price, one.kind)
        for one in orders
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda mark: mark.at))


def words_of(mark: Mark) -> Text:
    """Say what a mark is: `sold 1,000 at 9.19 (stop loss)`."""
    at, kind = yuan(mark.price), mark.kind
    if mark.is_fill:
        en, zh = ("bought", "买入成交") if mark.side is Side.BUY else ("sold", "卖出成交")
    else:
        en, zh = ("buy order", "买入委托") if mark.side is Side.BUY else ("sell order", "卖出委托")
    why_en = f" ({kind.replace('_', ' ')})" if kind else ""
    why_zh = f"（{CHINESE.get(kind, kind)}）" if kind else ""
    return Text(
        f"{en} {mark.quantity:,} at {at}{why_en}", f"{zh} {mark.quantity:,} 股，{at}{why_zh}"
    )


def _mark(mark: Mark, language: str) -> dict[str, Any]:
    return {
        "fill": mark.is_fill,
        "side": mark.side.value,
        "text": words_of(mark).in_language(language),
        "short": f"{mark.quantity:,} × {yuan(mark.price)}",
    }


def _day(at: datetime) -> date:
    return at.astimezone(CHINA).date()


def _wall(at: datetime) -> int:
    return int((at - _EPOCH) / timedelta(seconds=1))
