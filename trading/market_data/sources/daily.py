"""Daily bars from files and from loosely typed rows, as our own values: exact prices, whole shares, real dates.

Whatever a source hands over (text, floats, numpy and pandas scalars, dates in five spellings) goes through `daily_bar`
cell by cell; what cannot be read is an error that names its cell, never a row with a hole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from trading.domain.daily import DailyBar
from trading.domain.instruments import instrument_for, tick_size
from trading.domain.symbols import SymbolError, is_index, parse_series
from trading.domain.types import Symbol
from trading.errors import SourceError
from trading.market_data.sources.cells import CellError, day, number, price, quantity
from trading.market_data.sources.files import open_table
from trading.market_data.sources.forms import require
from trading.market_data.sources.tdx import day_unit

REQUIRED = ("date", "open", "high", "low", "close")
#: Indexes have more decimals than anything that is traded.
INDEX_TICK = Decimal("0.0001")
#: A record of TDX's `.day`: date, open, high, low, close, turnover (yuan, 32-bit float), volume (shares), reserved.
RECORD = struct.Struct("<IIIIIfII")
#: Volumes of a CSV may be counted in these.
UNITS = {"shares": 1, "lots": 100}


def read_daily(path: Path, symbol: str = "", volume_in: str = "shares") -> list[DailyBar]:
    """Return the bars of a `.day` file of TDX (named like sh600036.day) or a CSV, by symbol and date.

    `symbol`: whose bars these are where the file does not say. A CSV has the columns date, open, high, low, close and
    may have symbol (or code), volume, amount, previous_close. Raises SourceError.
    """
    if path.suffix.lower() == ".day":
        bars = _read_day(path, symbol or path.stem)
    else:
        bars = _read_csv(path, symbol, UNITS[volume_in])
    _refuse_doubles(path.name, bars)
    return sorted(bars, key=lambda bar: (bar.symbol, bar.on))


def daily_bar(symbol: str, values: Mapping[str, Any], lot: int = 1) -> DailyBar:
    """Return the bar of one row; `values` by the names of the columns, of any type. Raises CellError.

    `lot`: shares in one unit of its volume.
    """
    column = "symbol"
    try:
        key = parse_series(symbol)
        column = "date"
        on = _day(values["date"])
        tick = INDEX_TICK if is_index(key) else tick_size(instrument_for(key), on)
        prices = {}
        for column in ("open", "high", "low", "close"):
            prices[column] = price(_cell(values[column]), tick)
        column = "previous_close"
        previous = price(_cell(values.get(column)), tick) or None
        column = "volume"
        volume = quantity(_cell(values.get(column))) * lot
        column = "amount"
        amount = number(_cell(values.get(column))).quantize(Decimal("0.01"))
    except SymbolError as error:
        raise CellError(symbol, "a symbol such as 600036.SH", column) from error
    except CellError as error:
        raise CellError(error.value, error.expected, column) from error
    bar = DailyBar(key, on, **prices, volume=volume, amount=amount, previous_close=previous)
    if not bar.is_sound:
        expected = "prices above 0, high the highest and low the lowest of them"
        raise CellError(" ".join(map(str, prices.values())), expected, "open")
    return bar


def _cell(value: Any) -> str:
    """Return any scalar as the text it stands for: a float in its shortest form, nothing for what is missing."""
    if value is None or value != value:  # NaN, NaT
        return ""
    return str(value).strip()


def _day(value: Any) -> date:
    if isinstance(value, datetime):  # pandas' Timestamp too
        return value.date()
    return value if isinstance(value, date) else day(_cell(value).partition(" ")[0])


def _read_csv(path: Path, symbol: str, lot: int) -> list[DailyBar]:
    with open_table(path) as table:
        require(table.name, frozenset(table.header), REQUIRED)
        found = []
        for line, row in table.rows:
            cells = dict(zip(table.header, row, strict=True))
            named = cells.get("symbol") or cells.get("code") or symbol
            try:
                found.append(daily_bar(symbol or named, cells, lot))
            except CellError as error:
                raise SourceError(
                    table.name, line, error.column, error.value, error.expected
                ) from error
        return found


def _read_day(path: Path, symbol: str) -> list[DailyBar]:
    try:
        key = parse_series(symbol)
    except SymbolError as error:
        raise SourceError(
            path.name, None, "name", symbol, "a name such as sh600036.day"
        ) from error
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(path.name, None, "file", str(error), "a readable file") from error
    if len(data) % RECORD.size:
        expected = f"whole records of {RECORD.size} bytes"
        raise SourceError(path.name, None, "file", f"{len(data)} bytes", expected)
    return [
        _record(path.name, number, key, record)
        for number, record in enumerate(RECORD.iter_unpack(data), 1)
    ]


def _record(file: str, number: int, key: Symbol, record: tuple[Any, ...]) -> DailyBar:
    on, *prices, amount, volume, _ = record
    unit = day_unit(key)
    values = dict(zip(("open", "high", "low", "close"), (p * unit for p in prices), strict=True))
    try:
        return daily_bar(key, {"date": on, "amount": amount, "volume": volume, **values})
    except CellError as error:
        raise SourceError(file, number, error.column, error.value, error.expected) from error


def _refuse_doubles(file: str, bars: Iterable[DailyBar]) -> None:
    seen = set()
    for bar in bars:
        if (bar.symbol, bar.on) in seen:
            raise SourceError(
                file, None, "date", f"{bar.symbol} {bar.on} twice", "one bar a session"
            )
        seen.add((bar.symbol, bar.on))
