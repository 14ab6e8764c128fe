"""The folder of the former system, read once; nothing in it is changed."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from monitoring.moving_in.constants import read_constants
from trading.domain.stock_pool import without_comments
from trading.domain.types import Text

#: A file of settings is small; a larger one is not what its name says.
_LARGEST = 5_000_000
_NUMBER_KEYS = ("account_id", "accountId", "account", "QMT_ACCOUNT_ID")
#: What is read of the database, and in which order; a table or a column may be missing in an older one.
TABLES: Mapping[str, str] = {
    "system_config": "config_key",
    "positions": "stock_code",
    "trade_records": "id",
    "grid_trading_sessions": "id",
    "grid_lots": "id",
    "grid_orders": "order_id",
    "grid_config_templates": "id",
}
#: Only counted: history that is fetched anew, or that only its own program reads.
COUNTED = (
    "stock_daily_data",
    "stock_indicators",
    "grid_trades",
    "grid_lot_matches",
    "config_history",
    "premarket_sync_history",
)

Row = Mapping[str, Any]


class NotAnInstallation(ValueError):
    """The folder cannot be read as the former system's. `text`: what is wrong, and the remedy."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


@dataclass(frozen=True, slots=True)
class Installation:
    """What was found. `constants`: of config.py, with the file `.env`; `problems`: what could not be read, and why."""

    numbers: Sequence[str]
    constants: Mapping[str, Any]
    environment: Mapping[str, str]
    stock_pool: str | None
    tables: Mapping[str, Sequence[Row]]
    counts: Mapping[str, int]
    has_candidates: bool
    problems: Sequence[tuple[str, Text]] = field(default_factory=list)


def read_installation(folder: Path, number: str | None) -> Installation:
    """Read a folder; `number`: whose data, when it has several accounts. Raises NotAnInstallation."""
    if not folder.is_dir():
        raise NotAnInstallation(
            Text(
                f"{folder} is no folder; name the one with config.py and data",
                f"{folder} 不是文件夹；请指定含 config.py 与 data 的文件夹",
            )
        )
    problems: list[tuple[str, Text]] = []
    environment = _environment(folder / ".env")
    numbers = _numbers(folder, environment, problems)
    database = _database(folder, number or (numbers[0] if len(numbers) == 1 else None))
    if database is None and not (folder / "config.py").exists():
        raise NotAnInstallation(
            Text(
                f"{folder} has neither config.py nor data/trading.db; name the folder of the installation",
                f"{folder} 中既没有 config.py 也没有 data/trading.db；请指定原系统的安装文件夹",
            )
        )
    constants = _constants(folder / "config.py", environment, problems)
    tables, counts = _tables(database, problems)
    return Installation(
        numbers=[number] if number else numbers,
        constants=constants,
        environment=environment,
        stock_pool=_text(folder / "stock_pool.json", problems),
        tables=tables,
        counts=counts,
        has_candidates=(folder / "data" / "stock2buy.json").exists(),
        problems=problems,
    )


def _text(path: Path, problems: list[tuple[str, Text]]) -> str | None:
    """Return a text file, None when there is none; UTF-8, else the Chinese code page of Windows."""
    if not path.exists():
        return None
    if path.stat().st_size > _LARGEST:
        problems.append(
            (path.name, Text("larger than a file of settings is", "文件过大，不像配置文件"))
        )
        return None
    raw = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    problems.append(
        (path.name, Text("neither UTF-8 nor GBK text", "既不是 UTF-8 也不是 GBK 文本"))
    )
    return None


def _environment(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in (_text(path, []) or "").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = value.strip().strip("\"'")
    return found


def _constants(
    path: Path, environment: Mapping[str, str], problems: list[tuple[str, Text]]
) -> Mapping[str, Any]:
    source = _text(path, problems)
    if source is None:
        return {}
    try:
        found = read_constants(source, environment)
    except (SyntaxError, ValueError, RecursionError) as problem:
        problems.append(
            (path.name, Text(f"no Python ({problem})", f"不是有效的 Python（{problem}）"))
        )
        return {}
    for name, line in found.unread.items():
        text = Text("only running it could tell its value", "需运行原程序才能得知其值")
        problems.append((f"{path.name}:{line} {name}", text))
    return found.values


def _numbers(
    folder: Path, environment: Mapping[str, str], problems: list[tuple[str, Text]]
) -> list[str]:
    """Return the broker accounts that are named, each once."""
    found: list[str] = []
    text = _text(folder / "account_config.json", problems)
    if text is not None:
        try:
            found += _account_numbers(json.loads(without_comments(text)))
        except ValueError as problem:
            problems.append(("account_config.json", Text(f"no JSON ({problem})", f"不是有效的 JSON（{problem}）")))  # fmt: skip
    if environment.get("QMT_ACCOUNT_ID"):
        found.insert(0, environment["QMT_ACCOUNT_ID"])
    return list(dict.fromkeys(found))


def _account_numbers(found: Any) -> Iterator[str]:
    if isinstance(found, list):
        for one in found:
            yield from _account_numbers(one)
    elif isinstance(found, dict):
        for key, value in found.items():
            if key in _NUMBER_KEYS and isinstance(value, str | int) and str(value).strip():
                yield str(value).strip()
            elif isinstance(value, list | dict):
                yield from _account_numbers(value)


def _database(folder: Path, number: str | None) -> Path | None:
    places = [folder / "data" / "trading.db"]
    if (
        number and number.isalnum()
    ):  # it may come out of a file: it names a folder here, and no way to another
        places.insert(0, folder / f"data_{number}" / "trading.db")
    return next((place for place in places if place.exists()), None)


@contextmanager
def _copied(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a copy with its write-ahead log: reading the original in place would write beside it."""
    with tempfile.TemporaryDirectory(prefix="moving-in-") as folder:
        for suffix in ("", "-wal"):
            part = database.with_name(database.name + suffix)
            if part.exists():
                shutil.copyfile(part, Path(folder) / (database.name + suffix))
        with closing(sqlite3.connect(Path(folder) / database.name)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA trusted_schema = OFF")
            yield connection


def _tables(
    database: Path | None, problems: list[tuple[str, Text]]
) -> tuple[dict[str, list[Row]], dict[str, int]]:
    tables: dict[str, list[Row]] = {name: [] for name in TABLES}
    counts: dict[str, int] = {}
    if database is None:
        return tables, counts
    try:
        with _copied(database) as connection:
            # Tables alone: a view may compute for ever.
            found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            there = {row[0] for row in found}
            for name, order in TABLES.items():
                if name in there:
                    rows = connection.execute(f"SELECT * FROM {name} ORDER BY {order}")
                    tables[name] = [dict(row) for row in rows]
            for name in COUNTED:
                if name in there:
                    counts[name] = connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0]
    except sqlite3.DatabaseError as problem:
        text = Text(
            f"cannot be read ({problem}); copy it while the former system is stopped",
            f"无法读取（{problem}）；请在原系统停止时复制",
        )
        problems.append((f"{database.parent.name}/{database.name}", text))
    return tables, counts


def stored_settings(rows: Sequence[Row]) -> Iterator[tuple[str, Any]]:
    """Return the keys and values of `system_config`; a value that is no JSON is taken as the text it is."""
    for row in rows:
        text = row.get("config_value")
        try:
            yield str(row["config_key"]), json.loads(str(text), parse_float=Decimal)
        except ValueError:
            yield str(row["config_key"]), text
