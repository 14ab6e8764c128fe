"""The file of ex-rights events a replay may be given (docs/replay-sources.md)."""

from __future__ import annotations

from pathlib import Path

from trading.domain.types import CorporateAction
from trading.errors import SourceError
from trading.market_data.sources.cells import CellError, day, number, symbol
from trading.market_data.sources.files import open_table
from trading.market_data.sources.forms import require

REQUIRED = ("symbol", "date", "factor")


def read_corporate_actions(path: Path) -> list[CorporateAction]:
    """Return the events of a CSV `symbol,date,factor,share_ratio,cash_per_share,note`, by date and symbol.

    `factor` = reference price after / close before; `share_ratio` = shares after / before (default 1);
    `cash_per_share` in yuan per old share (default 0). Raises SourceError.
    """
    actions: dict[tuple[str, str], CorporateAction] = {}
    with open_table(path) as table:
        require(table.name, frozenset(table.header), REQUIRED)
        for line, row in table.rows:
            cells = dict(zip(table.header, row, strict=True))
            action = _action(table.name, line, cells)
            key = (action.on.isoformat(), action.symbol)
            if key in actions:
                expected = f"one event of {action.symbol} a day"
                raise SourceError(table.name, line, "date", cells["date"], expected)
            actions[key] = action
    return [actions[key] for key in sorted(actions)]


def _action(file: str, line: int, cells: dict[str, str]) -> CorporateAction:
    column = "symbol"
    try:
        key = symbol(cells[column])
        column = "date"
        on = day(cells[column])
        column = "factor"
        factor = number(cells[column])
        if not 0 < factor <= 10:
            raise CellError(cells[column], "a factor above 0 and at most 10")
        column = "share_ratio"
        ratio = number(cells.get(column) or "1")
        if not 0 < ratio <= 100:
            raise CellError(cells[column], "a ratio above 0 and at most 100")
        column = "cash_per_share"
        cash = number(cells.get(column, ""))
    except CellError as error:
        raise SourceError(file, line, column, error.value, error.expected) from error
    return CorporateAction(key, on, factor, ratio, cash, cells.get("note", ""))
