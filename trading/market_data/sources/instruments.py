"""The file of instruments that `manage.py instruments --import` reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trading.domain.instruments import Board, Category, Settlement
from trading.errors import SourceError
from trading.market_data.sources.cells import CellError, day, symbol
from trading.market_data.sources.files import open_table
from trading.market_data.sources.forms import require

REQUIRED = ("symbol",)
_YES, _NO = {"1", "true", "yes", "on", "是"}, {"0", "false", "no", "off", "否"}


def read_instruments(path: Path) -> list[dict[str, Any]]:
    """Return what a CSV `symbol,name,board,category,settlement,special_treatment,listed_on,delisting_from,index_board`

    says, by the names of its columns; an empty cell says nothing. Raises SourceError.
    """
    found = []
    with open_table(path) as table:
        require(table.name, frozenset(table.header), REQUIRED)
        for line, row in table.rows:
            try:
                found.append(_row(dict(zip(table.header, row, strict=True))))
            except CellError as error:
                raise SourceError(
                    table.name, line, error.column, error.value, error.expected
                ) from error
    return found


def _row(cells: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column, read in _READERS.items():
        text = (cells.get(column) or "").strip()
        if not text and column != "symbol":
            continue
        try:
            values[column] = read(text)
        except CellError as error:
            raise CellError(error.value, error.expected, column) from error
    return values


def _one_of(kind: Any) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            raise CellError(text, "one of " + ", ".join(one.value for one in kind)) from None

    return read


def _switch(text: str) -> bool:
    word = text.lower()
    if word not in _YES | _NO:
        raise CellError(text, "yes or no")
    return word in _YES


_READERS: dict[str, Callable[[str], Any]] = {
    "symbol": symbol,
    "name": lambda text: text[:32],
    "board": _one_of(Board),
    "category": _one_of(Category),
    "settlement": _one_of(Settlement),
    "special_treatment": _switch,
    "listed_on": day,
    "delisting_from": day,
    "index_board": _one_of(Board),
}
