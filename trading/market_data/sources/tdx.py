"""Files of a local TDX installation (`vipdoc`): `.day`, `.lc1` and `.lc5`, read with mootdx's readers.

The readers' raw records are used, not their tables: those multiply prices with factors that lack some funds, and
volumes with a hundredth for some kinds. In a `.day` prices are whole units, in `.lc1` and `.lc5` single floats that
name the END of their minutes; volume is in shares, the amount a single float: about seven digits of it are true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from trading.domain.instruments import Category, instrument_for
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import Symbol
from trading.errors import SourceError

#: Bytes of one record in every kind of file.
RECORD = 32
#: Suffix → folder in `vipdoc/sh` and `vipdoc/sz`.
FOLDERS = {".day": "lday", ".lc1": "minline", ".lc5": "fzline"}
HEADER = ("time", "symbol", "open", "high", "low", "close", "volume", "amount", "label")


class Record(NamedTuple):
    """One bar as text: `time` a date (`20210514`) or the end of the minutes (`2021-04-23 09:31`)."""

    time: str
    open: str
    high: str
    low: str
    close: str
    volume: str
    amount: str


def is_tdx(path: Path) -> bool:
    """Whether the name says that the file is one of these."""
    return path.suffix.lower() in FOLDERS


def rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Return (number, cells under HEADER) of each record. Raises SourceError."""
    symbol = symbol_of(path)
    label = "start" if path.suffix.lower() == ".day" else "end"
    for number, record in enumerate(records(path, symbol), 1):
        yield number, [record.time, symbol, *record[1:], label]


def records(path: Path, symbol: Symbol) -> Iterable[Record]:
    """Return the records of a file in their order. Raises SourceError."""
    size = path.stat().st_size
    if size == 0 or size % RECORD:
        expected = f"records of {RECORD} bytes"
        raise SourceError(path.name, None, "size", f"{size} bytes", expected)
    if instrument_for(symbol).category is Category.OTHER:
        expected = "a share, a fund or a convertible bond"
        raise SourceError(path.name, None, "symbol", symbol, expected)
    daily, minutes = _readers(path)
    if path.suffix.lower() == ".day":
        unit = day_unit(symbol)
        return (_day(raw, unit) for raw in daily.parse_data_by_file(path))
    return map(_minute, minutes.parse_data_by_file(path))


def symbol_of(path: Path) -> Symbol:
    """Return the symbol a file is named after: `sh600000.day`. Raises SourceError."""
    try:
        return parse_symbol(path.stem)
    except SymbolError:
        expected = "a name such as sh600000 of a share, a fund or a convertible bond"
        raise SourceError(path.name, None, "file", path.stem, expected) from None


def day_unit(symbol: Symbol) -> Decimal:
    """Return the yuan of one unit in a `.day` file: 0.01, for funds and bonds 0.001 (as TDX's own readers have it)."""
    category = instrument_for(symbol).category
    thousandths = category in (Category.FUND, Category.CONVERTIBLE_BOND)
    return Decimal("0.001") if thousandths else Decimal("0.01")


def _day(raw: tuple[Any, ...], unit: Decimal) -> Record:
    on, *prices = raw[:5]
    opened, high, low, close = (str(price * unit) for price in prices)
    return Record(str(on), opened, high, low, close, str(raw[6]), repr(raw[5]))


def _minute(raw: dict[str, Any]) -> Record:
    opened, high, low, close = (repr(raw[name]) for name in ("open", "high", "low", "close"))
    return Record(raw["date"], opened, high, low, close, str(raw["volume"]), repr(raw["amount"]))


def _readers(path: Path) -> tuple[Any, Any]:
    try:
        # They load pandas, and the package makes a folder in the home of its user.
        from mootdx.contrib.compat import MooTdxDailyBarReader
        from tdxpy.reader import TdxLCMinBarReader
    except (ImportError, OSError) as problem:
        raise SourceError(path.name, None, "reader", str(problem), "mootdx, installed") from None
    return MooTdxDailyBarReader(), TdxLCMinBarReader()
