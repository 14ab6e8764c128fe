"""Rows of recorded snapshots as quotes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from operator import itemgetter

from trading.domain.types import BookStatus, Quote, Text
from trading.errors import SourceError
from trading.market_data.sources.cells import (
    CACHE_BOUND,
    CellError,
    Desk,
    Desks,
    moment,
    number,
    quantity,
)
from trading.market_data.sources.files import Table
from trading.market_data.sources.forms import FOLDER, SnapshotForm, require
from trading.market_data.status import at_its_time, by_the_clock

#: Exchanges send a limit this high when a symbol has none (first sessions of an IPO).
NO_LIMIT = Decimal(99_999)

Row = Sequence[str]


class Times(dict[str, datetime]):
    """Times by their text; many symbols share each."""

    def __missing__(self, text: str) -> datetime:
        if len(self) >= CACHE_BOUND:
            self.clear()
        value = self[text] = moment(text)
        return value


class SnapshotReader:
    """Reads one table of snapshots: every column is resolved once, every row is then a few dictionary look-ups."""

    def __init__(self, form: SnapshotForm, table: Table) -> None:
        self.form, self.table = form, table
        self.warnings: list[Text] = []
        self._columns = {column: index for index, column in enumerate(table.header)}
        # A column the file does not have reads the empty cell that is put behind every row.
        self._absent = len(table.header)
        self._desks, self._times = Desks(form.exchange), Times()
        self._symbol, self._time, self._status = map(
            self._at, (form.symbol, form.time, form.status)
        )
        self._prices = itemgetter(
            *map(self._at, (form.last, form.previous_close, form.open, form.high, form.low)),
            *map(self._at, (form.limit_up, form.limit_down)),
        )
        self._volume, self._amount = self._at(form.volume), self._at(form.amount)
        self._bids, self._asks = (self._side(*columns) for columns in form.sides)
        self._stamp = self._stamper()
        self._strange: set[str] = set()

    def read(self) -> list[Quote]:
        """Return every row as a quote, in the order of the file. Raises SourceError."""
        quotes = []
        for line, row in self.table.rows:
            row.append("")
            try:
                quotes.append(self._quote(row))
            except CellError as error:
                raise self._explained(line, row, error) from error
        return quotes

    def _quote(self, row: Row) -> Quote:
        stamp = self._stamp(row)
        time = self._times[stamp]
        self._desks.on = time.date()
        desk = self._desks[row[self._symbol]]
        if desk.last_time is not None and time < desk.last_time:
            raise CellError(
                stamp,
                f"no time before {desk.last_time.isoformat()}, the row before",
                self.form.time,
            )
        desk.last_time = time
        last, previous, opened, high, low, up, down = map(
            desk.prices.__getitem__, self._prices(row)
        )
        levels = desk.levels.__getitem__
        return Quote(
            symbol=desk.symbol,
            time=time,
            last=last,
            previous_close=previous,
            open=opened,
            high=high,
            low=low,
            volume=quantity(row[self._volume]),
            amount=number(row[self._amount]).quantize(desk.tick),
            bids=tuple(filter(None, map(levels, self._bids(row)))),
            asks=tuple(filter(None, map(levels, self._asks(row)))),
            status=self._status_of(row[self._status], time),
            limit_up=up if 0 < up < NO_LIMIT else None,
            limit_down=down if down > 0 else None,
        )

    def _at(self, column: str) -> int:
        return self._columns.get(column, self._absent)

    def _side(
        self, prices: tuple[str, ...], quantities: tuple[str, ...]
    ) -> Callable[[Row], Sequence[tuple[str, str]]]:
        """Return a function that gives the (price, quantity) texts of one side of a row."""
        there = [pair for pair in zip(prices, quantities, strict=True) if pair[0] in self._columns]
        require(self.table.name, frozenset(self._columns), tuple(column for _, column in there))
        if not there:
            return lambda row: ()
        # The absent cell keeps itemgetter returning a tuple when there is one level; it reads as no level.
        price = itemgetter(*(self._at(column) for column, _ in there), self._absent)
        size = itemgetter(*(self._at(column) for _, column in there), self._absent)
        return lambda row: tuple(zip(price(row), size(row), strict=True))

    def _stamper(self) -> Callable[[Row], str]:
        """Return a function that gives the text of a row's time, with the day wherever the form keeps it."""
        time, form = self._time, self.form
        if not form.date:
            return lambda row: row[time]
        if form.date == FOLDER:
            folder = self.table.folder
            if not (len(folder) == 8 and folder.isdecimal()):
                raise SourceError(
                    self.table.name, None, "folder", folder, "a day such as 20230201"
                )
            return lambda row: f"{folder} {row[time]}"
        day = self._at(form.date)
        return lambda row: f"{row[day]} {row[time]}"

    def _status_of(self, word: str, time: datetime) -> BookStatus:
        if not word:
            return by_the_clock(time)
        status = self.form.statuses.get(word)
        if status is not None:
            return at_its_time(status, time)
        if self.form.strict_status:
            raise CellError(word, "one of " + ", ".join(self.form.statuses), self.form.status)
        if word not in self._strange:
            self._strange.add(word)
            name = self.table.name
            self.warnings.append(
                Text(
                    f"{name}: the status {word!r} is unknown; nothing is decided on such rows",
                    f"{name}：状态 {word!r} 未知，此类行情不参与决策",
                )
            )
        return BookStatus.UNKNOWN

    def _explained(self, line: int, row: Row, error: CellError) -> SourceError:
        """Find the column of a bad cell: read the row again, cell by cell."""
        column = error.column or next((name for name, bad in self._cells(row) if bad), "row")
        return SourceError(self.table.name, line, column, error.value, error.expected)

    def _cells(self, row: Row) -> list[tuple[str, bool]]:
        form = self.form
        checks: list[tuple[str, Callable[[str], object]]] = []
        if form.date in self._columns:
            checks.append((form.date, lambda text: moment(f"{text} 09:30:00")))
        checks.append((form.time, lambda _: moment(self._stamp(row))))
        checks.append((form.symbol, self._desks.__getitem__))
        desk: Desk | None = self._desks.get(row[self._symbol])
        if desk is not None:
            price = desk.prices.__getitem__
            named = (
                form.last,
                form.previous_close,
                form.open,
                form.high,
                form.low,
                form.limit_up,
                form.limit_down,
            )
            checks += [(column, price) for column in (*named, *form.bid_prices, *form.ask_prices)]
        checks += [
            (column, quantity)
            for column in (form.volume, *form.bid_quantities, *form.ask_quantities)
        ]
        checks.append((form.amount, number))
        return [(column, _is_bad(check, row[self._at(column)])) for column, check in checks]


def _is_bad(check: Callable[[str], object], text: str) -> bool:
    try:
        check(text)
    except CellError:
        return True
    return False
