"""Daily indicators as rows: what is there is right, what is missing is counted from the newest state on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet

from trading.domain.calendar import TradingCalendar
from trading.domain.daily import DailyBar, Indicators, price_factors
from trading.domain.types import Symbol
from trading.models import CorporateAction, DailyIndicator
from trading.models import DailyBar as DailyBarRow
from trading.services.macd import WINDOWS, Point, State, calculate

#: Rows kept per symbol: about a year. Older ones are counted through, not stored.
KEEP = 250
_AVERAGES = tuple(f"ma{length}" for length in WINDOWS)
_COLUMNS = ("sessions", "close", "ema12", "ema26", "dea", *_AVERAGES)


class Series(NamedTuple):
    """The sessions of a symbol, or index, in one market (`services.clock.environment_of`)."""

    environment: str
    symbol: Symbol


def series_with_bars(environment: str | None = None) -> list[Series]:
    """Return every series that has a daily bar, of one market or of all."""
    rows = DailyBarRow.objects.order_by("environment", "symbol")
    if environment is not None:
        rows = rows.filter(environment=environment)
    found = rows.values_list("environment", "symbol").distinct()
    return [Series(of, Symbol(symbol)) for of, symbol in found]


def are_missing() -> bool:
    """Whether a bar of its market's newest session waits for its indicators; three queries."""
    for environment, newest in (
        DailyBarRow.objects.values_list("environment").annotate(Max("on")).order_by("environment")
    ):
        of = {"environment": environment, "on": newest}
        there = DailyIndicator.objects.filter(**of, symbol=OuterRef("symbol"))
        if DailyBarRow.objects.filter(**of).exclude(Exists(there)).exists():
            return True
    return False


def update(wanted: Iterable[Series], calendar: TradingCalendar) -> int:
    """Count what is missing of each series; returns how many rows were written. Needs pandas."""
    return sum(_update(series, calendar) for series in wanted)


def rebuild(wanted: Iterable[Series], calendar: TradingCalendar) -> int:
    """Count everything again from the bars; returns how many rows were written."""
    written = 0
    for series in wanted:
        with transaction.atomic():
            _indicators(series).delete()
            written += _update(series, calendar)
    return written


def wrong(series: Series, calendar: TradingCalendar) -> list[date]:
    """Return the sessions whose stored row is not, bit for bit, what counting everything from the bars gives."""
    expected = {state.on: state for state in calculate(_points(series, calendar))[-KEEP:]}
    rows = {row.on: _state(row) for row in _indicators(series)}
    recent = {on: state for on, state in rows.items() if not expected or on >= min(expected)}
    return sorted(
        on for on in expected.keys() | recent.keys() if expected.get(on) != recent.get(on)
    )


def indicators_on(
    environment: str, symbols: Iterable[Symbol], days: Sequence[date]
) -> Mapping[tuple[Symbol, date], Indicators]:
    """Return the stored indicators of some sessions of a market; one query."""
    rows = DailyIndicator.objects.filter(
        environment=environment, symbol__in=list(symbols), on__in=days
    )
    return {(Symbol(row.symbol), row.on): indicators_value_of(row) for row in rows}


def indicators_value_of(row: DailyIndicator) -> Indicators:
    """Return the domain value of a row; a float becomes the decimal that it is exactly."""
    return Indicators(
        on=row.on,
        close=row.close,
        sessions=row.sessions,
        ema12=Decimal(row.ema12),
        ema26=Decimal(row.ema26),
        dea=Decimal(row.dea),
        ma10=row.ma10,
        ma20=row.ma20,
        ma30=row.ma30,
        ma60=row.ma60,
    )


def _indicators(series: Series) -> QuerySet[DailyIndicator]:
    return DailyIndicator.objects.filter(environment=series.environment, symbol=series.symbol)


def _update(series: Series, calendar: TradingCalendar) -> int:
    newest = _indicators(series).order_by("-on").first()
    points = _points(series, calendar)
    if newest is None:
        states = calculate(points)
    else:
        earlier = [point for point in points if point.on <= newest.on]
        later = points[len(earlier) :]
        states = calculate(later, _state(newest), earlier[-(max(WINDOWS) - 1) :]) if later else []
    rows = [_row(series, state) for state in states[-KEEP:]]
    DailyIndicator.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["environment", "symbol", "on"],
        update_fields=_COLUMNS,
        batch_size=500,
    )
    if states:
        outlived = states[-1].sessions - KEEP
        _indicators(series).filter(sessions__lte=outlived).delete()
    return len(rows)


def _points(series: Series, calendar: TradingCalendar) -> list[Point]:
    rows = DailyBarRow.objects.filter(environment=series.environment, symbol=series.symbol)
    bars = [_bar(row) for row in rows.order_by("on")]
    actions = CorporateAction.objects.filter(symbol=series.symbol)
    known = dict(actions.values_list("on", "factor"))
    factors = price_factors(bars, calendar, known)
    return [Point(bar.on, bar.close, f) for bar, f in zip(bars, factors, strict=True)]


def _bar(row: DailyBarRow) -> DailyBar:
    return DailyBar(
        symbol=Symbol(row.symbol),
        on=row.on,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        amount=row.amount,
        previous_close=row.previous_close,
    )


def _state(row: DailyIndicator) -> State:
    averages = tuple(getattr(row, name) for name in _AVERAGES)
    return State(row.on, row.close, row.sessions, row.ema12, row.ema26, row.dea, averages)


def _row(series: Series, state: State) -> DailyIndicator:
    return DailyIndicator(
        environment=series.environment,
        symbol=series.symbol,
        on=state.on,
        sessions=state.sessions,
        close=state.close,
        ema12=state.ema12,
        ema26=state.ema26,
        dea=state.dea,
        **dict(zip(_AVERAGES, state.averages, strict=True)),
    )
