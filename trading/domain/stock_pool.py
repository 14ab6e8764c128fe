"""`stock_pool.json`: a list of symbols as people write it, with comments and names; read and written as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import Symbol, Text

#: A string is left alone; a comment, or a comma before a closing bracket, becomes blanks (lines keep their number).
_TOLERATED = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/|,(?=\s*[\]}])', re.DOTALL)
_CODE_KEYS = ("code", "symbol", "stock_code")
_NAME_KEYS = ("name", "note", "stock_name")


class StockPoolError(ValueError):
    """A stock pool that cannot be used, nothing of it was. `text`: where, what, and the remedy."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


class Entry(NamedTuple):
    """One symbol, and what was written beside it."""

    symbol: Symbol
    note: str


def without_comments(text: str) -> str:
    """Return JSON text without `//` and `/* */` comments and trailing commas; every line keeps its number."""

    def kept(match: re.Match[str]) -> str:
        found = match.group()
        return found if found.startswith('"') else re.sub(r"[^\n]", " ", found)

    # Comments first: a comma may be followed by one.
    return _TOLERATED.sub(kept, _TOLERATED.sub(kept, text.removeprefix("\ufeff")))


def parse_stock_pool(text: str) -> list[Entry]:
    """Return the entries in their order, each symbol once.

    Forms: a list of codes, a list of `{"code": …, "name": …}`, an object of code → name, or one of these under
    "stocks" or "stock_pool". Raises StockPoolError.
    """
    try:
        found = json.loads(without_comments(text))
    except ValueError as problem:
        where = f"line {problem.lineno}" if isinstance(problem, json.JSONDecodeError) else "text"
        raise StockPoolError(
            Text(
                f'{where}: this is no JSON ({problem}); write ["600036.SH", "000001.SZ"]',
                f'{where}：不是有效的 JSON（{problem}），请写成 ["600036.SH", "000001.SZ"]',
            )
        ) from problem
    if isinstance(found, dict):
        found = next((found[key] for key in ("stocks", "stock_pool") if key in found), found)
    entries: dict[Symbol, Entry] = {}
    for place, (code, note) in enumerate(_pairs(found), 1):
        entry = _entry(place, code, note)
        entries.setdefault(entry.symbol, entry)
    return list(entries.values())


def format_stock_pool(entries: Iterable[Entry]) -> str:
    """Return the file's text: one entry a line."""
    lines = [
        json.dumps({"code": entry.symbol, "name": entry.note}, ensure_ascii=False)
        for entry in entries
    ]
    return "[\n" + ",\n".join(f"  {line}" for line in lines) + "\n]\n"


def _pairs(found: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(found, dict):
        yield from found.items()
        return
    if not isinstance(found, list):
        raise StockPoolError(
            Text(
                f"a stock pool is a list of codes, this is {found!r}",
                f"股票池应为代码列表，实际为 {found!r}",
            )
        )
    for one in found:
        if isinstance(one, dict):
            code = next((one[key] for key in _CODE_KEYS if key in one), one)
            yield code, next((one[key] for key in _NAME_KEYS if key in one), "")
        else:
            yield one, ""


def _entry(place: int, code: Any, note: Any) -> Entry:
    if not isinstance(code, str):
        raise StockPoolError(
            Text(
                f'entry {place} is {code!r}, expected a code in quotes such as "600036.SH"',
                f"第 {place} 项为 {code!r}，应为带引号的代码，例如 “600036.SH”",
            )
        )
    try:
        symbol = parse_symbol(code)
    except SymbolError as problem:
        raise StockPoolError(
            Text(
                f"entry {place}: {problem.text.en}; correct or remove it",
                f"第 {place} 项：{problem.text.zh}；请更正或删除",
            )
        ) from problem
    return Entry(symbol, str(note or "")[:100])
