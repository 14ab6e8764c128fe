"""Minute and day bars as quotes: a bar becomes four quotes, so that the exit rules can live on them (rules §4)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple, cast

from trading.domain.types import CHINA, ZERO, Level, Quote
from trading.errors import SourceError
from trading.market_data.sources.cells import CellError, Desk, Desks, day, moment, number, quantity
from trading.market_data.sources.files import Table
from trading.market_data.sources.forms import require
from trading.market_data.status import by_the_clock

#: Which edge of the bar its time names.
Label = Literal["start", "end"]

REQUIRED = ("time", "symbol", "open", "high", "low", "close")
COLUMNS = (*REQUIRED, "volume", "amount", "previous_close", "label")
MINUTES = (1, 5, 15, 30, 60)

#: A day bar's quotes: opening, a third and two thirds of the four hours of trading, close.
DAY_TIMES = (time(9, 30), time(10, 50), time(13, 40), time(15, 0))
DAY_SECONDS = 5 * 3600 + 30 * 60
SESSIONS = ((time(9, 30), time(11, 30)), (time(13, 0), time(15, 0)))


class Bar(NamedTuple):
    """One row: prices in yuan, volume in shares, amount in yuan; `at` is a date for a day bar."""

    line: int
    desk: Desk
    at: datetime | date
    label: Label
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    amount: Decimal
    previous_close: Decimal

    @property
    def on(self) -> date:
        return self.at.date() if isinstance(self.at, datetime) else self.at


class BarReader:
    """Reads one table of bars. All bars of a table are equally long."""

    def __init__(self, table: Table, label: Label) -> None:
        require(table.name, frozenset(table.header), REQUIRED)
        self.table, self.label = table, label
        #: Seconds of one bar, known after `read`.
        self.length = 60
        self._columns = {
            column: index for index, column in enumerate(table.header) if column in COLUMNS
        }
        self._desks = Desks()

    def read(self) -> list[Quote]:
        """Return four quotes a bar, in the order of the file. Raises SourceError."""
        bars = [self._bar(line, row) for line, row in self.table.rows]
        self.length = self._length(bars)
        quotes: list[Quote] = []
        so_far: dict[tuple[Desk, date], _Day] = {}
        for bar in bars:
            session = so_far.setdefault((bar.desk, bar.on), _Day(bar))
            quotes += session.quotes(bar, self._times(bar), self.length)
        return quotes

    def _bar(self, line: int, row: list[str]) -> Bar:
        cells = {column: row[index] for column, index in self._columns.items()}
        column = "time"
        try:
            text = cells[column]
            at = moment(text) if ":" in text else day(text)
            self._desks.on = at.date() if isinstance(at, datetime) else at
            column = "symbol"
            desk = self._desks[cells[column]]
            prices: dict[str, Decimal] = {}
            for column in ("open", "high", "low", "close"):
                prices[column] = _positive(desk, cells[column])
            column = "high"
            if prices["high"] < max(prices.values()) or prices["low"] > min(prices.values()):
                raise CellError(
                    cells[column], "high the highest and low the lowest of the four prices"
                )
            column = "volume"
            volume = quantity(cells.get(column, ""))
            column = "amount"
            amount = number(cells.get(column, "")).quantize(desk.tick)
            column = "previous_close"
            previous = desk.prices[cells.get(column, "")]
            column = "label"
            label = cells.get(column) or self.label
            if label not in ("start", "end"):
                raise CellError(label, "start or end")
        except CellError as error:
            raise SourceError(
                self.table.name, line, column, error.value, error.expected
            ) from error
        return Bar(
            line,
            desk,
            at,
            cast(Label, label),
            **prices,
            volume=volume,
            amount=amount,
            previous_close=previous,
        )

    def _length(self, bars: list[Bar]) -> int:
        """Return the seconds of one bar: the smallest step between two labels of a symbol in one session."""
        kinds = {isinstance(bar.at, datetime) for bar in bars}
        if len(kinds) > 1:
            raise SourceError(
                self.table.name,
                None,
                "time",
                "",
                "only dates (day bars) or only times (minute bars)",
            )
        before: dict[Desk, Bar] = {}
        steps = set()
        for bar in bars:
            earlier = before.get(bar.desk)
            if earlier is not None:
                if bar.at <= earlier.at:
                    expected = f"a time after {earlier.at.isoformat()}, the bar before"
                    raise SourceError(
                        self.table.name, bar.line, "time", bar.at.isoformat(), expected
                    )
                if bar.on == earlier.on:
                    steps.add(bar.at - earlier.at)
            before[bar.desk] = bar
        if not kinds.pop():
            return DAY_SECONDS
        step = min(steps, default=timedelta(minutes=1))
        if step not in [timedelta(minutes=minutes) for minutes in MINUTES]:
            raise SourceError(
                self.table.name, None, "time", str(step), f"bars of {MINUTES} minutes"
            )
        return int(step.total_seconds())

    def _times(self, bar: Bar) -> tuple[datetime, ...]:
        """Return the four times of a bar's quotes: start, a third, two thirds, end."""
        if not isinstance(bar.at, datetime):
            return tuple(datetime.combine(bar.on, clock, CHINA) for clock in DAY_TIMES)
        length = timedelta(seconds=self.length)
        start = bar.at if bar.label == "start" else bar.at - length
        end = start + length
        if not any(first <= start.time() and end.time() <= last for first, last in SESSIONS):
            other = "end" if bar.label == "start" else "start"
            expected = (
                f"a bar inside 09:30-11:30 or 13:00-15:00 (perhaps the label names its {other})"
            )
            raise SourceError(self.table.name, bar.line, "time", bar.at.isoformat(), expected)
        return start, start + length / 3, start + length * 2 / 3, end


def _positive(desk: Desk, text: str) -> Decimal:
    value = desk.prices[text]
    if not value:
        raise CellError(text, "a price above 0")
    return value


class _Day:
    """The running totals of one symbol's session."""

    def __init__(self, first: Bar) -> None:
        self.open = self.high = self.low = first.open
        self.volume, self.amount = 0, ZERO
        self.previous_close = ZERO

    def quotes(self, bar: Bar, times: tuple[datetime, ...], length: int) -> list[Quote]:
        rising = bar.close >= bar.open
        path = (
            (bar.open, bar.low, bar.high, bar.close)
            if rising
            else (bar.open, bar.high, bar.low, bar.close)
        )
        self.previous_close = bar.previous_close or self.previous_close
        tick = bar.desk.tick
        made = []
        for part, (at, price) in enumerate(zip(times, path, strict=True), 1):
            self.high, self.low = max(self.high, price), min(self.low, price)
            shown = bar.volume // 4  # a quarter of the bar may be matched
            made.append(
                Quote(
                    symbol=bar.desk.symbol,
                    time=at,
                    last=price,
                    previous_close=self.previous_close,
                    open=self.open,
                    high=self.high,
                    low=self.low,
                    volume=self.volume + bar.volume * part // 4,
                    amount=self.amount + (bar.amount * part / 4).quantize(tick),
                    bids=_level(price - tick, shown),
                    asks=_level(price + tick, shown),
                    status=by_the_clock(at),
                    fresh_for=length,
                )
            )
        self.volume += bar.volume
        self.amount += bar.amount
        return made


def _level(price: Decimal, shown: int) -> tuple[Level, ...]:
    return (Level(price, shown),) if price > 0 and shown else ()
