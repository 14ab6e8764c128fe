"""Replays inside a test: a database of their own, set back to empty for each run, and made-up days.

The services commit for real (a nudge to the gateway follows a commit), so a surrounding test transaction would change
what happens; an in-memory database that is copied back costs a few milliseconds instead.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper

from trading.domain.symbols import parse_symbol
from trading.market_data.sources import Recording
from trading.replay.balance import check_balance
from trading.replay.engine import Options, Replay, Seed
from trading.replay.result import Result, result_of
from trading.services.calendar import fill_calendar

DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "ddb"
MOUTAI = DATA / "600519_20230201_snapshot_orders_trades.zip"
STAR_DAY = DATA / "688293_20230323_snapshot.csv"
THIRTY = DATA / "sh30_20211201_morning_snapshot.zip"

BANK = "600036.SH"
MONDAY, TUESDAY = date(2026, 8, 10), date(2026, 8, 11)
CENT = Decimal("0.01")


def needs(path: Path) -> pytest.MarkDecorator:
    """Skip, saying so, when a recorded file is not there."""
    return pytest.mark.skipif(not path.is_file(), reason=f"{path.name} is not beside the project")


# -- running


@dataclass(frozen=True)
class Played:
    """A replay that has run and balances. Its rows can be read until the next one."""

    replay: Replay
    result: Result

    def signals(self) -> list[tuple[str, str, int]]:
        """Return (kind, time of day, quantity) of each signal."""
        return [(s["kind"], clock_of(s["time"]), s["quantity"]) for s in self.result["signals"]]

    def fills(self) -> list[tuple[str, str, int, str]]:
        """Return (side, time of day, quantity, price) of each fill."""
        rows = self.result["fills"]
        return [(f["side"], clock_of(f["time"]), f["quantity"], f["price"]) for f in rows]

    def orders(self) -> list[tuple[str, int, str, int]]:
        """Return (time of day, quantity, state, filled) of each order."""
        rows = self.result["orders"]
        return [
            (clock_of(o["time"]), o["quantity"], o["state"], o["filled_quantity"]) for o in rows
        ]

    def sold(self) -> int:
        return sum(quantity for side, _, quantity, _ in self.fills() if side == "sell")


Play = Callable[..., Played]


@pytest.fixture(scope="session")
def empty_database(django_db_blocker: Any) -> Iterator[tuple[DatabaseWrapper, sqlite3.Connection]]:
    """A migrated database with nothing but the calendar, and the copy it is set back from."""
    settings = {**connections["default"].settings_dict, "NAME": ":memory:", "OPTIONS": {}}
    settings["ENGINE"] = "django.db.backends.sqlite3"
    database = DatabaseWrapper({**settings, "OPTIONS": {"transaction_mode": "IMMEDIATE"}})
    copy = sqlite3.connect(":memory:")
    with django_db_blocker.unblock(), used(database):
        call_command("migrate", verbosity=0, interactive=False)
        fill_calendar()
        database.connection.backup(copy)
    yield database, copy
    with django_db_blocker.unblock():
        database.inc_thread_sharing()
        database.connection.close()
    copy.close()


@pytest.fixture
def play(
    empty_database: tuple[DatabaseWrapper, sqlite3.Connection], django_db_blocker: Any
) -> Iterator[Play]:
    """A function that replays recordings on an empty database and checks that the books balance."""
    database, copy = empty_database

    def run(
        *recordings: Recording,
        holdings: Sequence[str] = (),
        until: Callable[[datetime], bool] | None = None,
        **options: Any,
    ) -> Played:
        copy.backup(database.connection)
        replay = Replay(recordings, Options(seeds=[seed(text) for text in holdings], **options))
        replay.run(until=until)
        return Played(replay, result_of(replay, check_balance(replay, finished=until is None)))

    with django_db_blocker.unblock(), used(database):
        yield run


@contextmanager
def used(database: DatabaseWrapper) -> Iterator[None]:
    """Make a database the default one for a while."""
    other = connections["default"]
    connections["default"] = database
    try:
        yield
    finally:
        connections["default"] = other


def seed(text: str) -> Seed:
    """Return the holding of `600519:1000@1720`."""
    name, _, rest = text.partition(":")
    quantity, _, cost = rest.partition("@")
    return Seed(parse_symbol(name), int(quantity), Decimal(cost))


def clock_of(time: str) -> str:
    """Return `09:30:05` of `2023-02-01T09:30:05+08:00`."""
    return time[11:19]


def after(clock: str) -> Callable[[datetime], bool]:
    """End a replay when this time of day has passed."""
    return lambda now: f"{now:%H:%M:%S}" >= clock


# -- made-up days

Row = dict[str, str]


def snapshot(
    clock: str,
    last: str,
    *,
    on: date = MONDAY,
    symbol: str = BANK,
    previous_close: str = "10.00",
    bid: tuple[str, int] | str | None = "below",
    ask: tuple[str, int] | str | None = "above",
    **cells: Any,
) -> Row:
    """Return one row of a plain source; without levels the book is 10,000 shares each, a cent around last."""
    price = Decimal(last)
    if bid == "below":
        bid = (str(price - CENT), 10_000)
    if ask == "above":
        ask = (str(price + CENT), 10_000)
    assert not isinstance(bid, str)
    assert not isinstance(ask, str)
    row = {
        "time": f"{on} {clock}",
        "symbol": symbol,
        "last": last,
        "previous_close": previous_close,
    }
    for side, level in (("bid1", bid), ("ask1", ask)):
        row[side], row[f"{side}_quantity"] = (level[0], str(level[1])) if level else ("0", "0")
    return {**row, **{name: str(value) for name, value in cells.items()}}


def steady(first: str, last: str, price: str, *, every: int = 3, **cells: Any) -> list[Row]:
    """Return rows of one price from `first` to before `last`."""
    start, end = (datetime.fromisoformat(f"2000-01-01 {clock}") for clock in (first, last))
    count = -(-int((end - start).total_seconds()) // every)
    clocks = (start + timedelta(seconds=every * number) for number in range(count))
    return [snapshot(f"{clock:%H:%M:%S}", price, **cells) for clock in clocks]


def plain(folder: Path, *rows: Row | Iterable[Row], name: str = "day.csv") -> Path:
    """Write rows as a plain source; the day's volume grows by 100 shares a row unless rows state it."""
    flat: list[Row] = []
    for row in rows:
        flat += [row] if isinstance(row, dict) else list(row)
    columns = list(dict.fromkeys(["volume", *(column for row in flat for column in row)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({"volume": str(number * 100), **row} for number, row in enumerate(flat, 1))
    path = folder / name
    path.write_text(text.getvalue(), encoding="utf-8")
    return path
