"""The compressed week's own parts that need no stack: what it draws, how it counts, what it would notice."""

from __future__ import annotations

import itertools
import json
import random
import sqlite3
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from tests.stack import CHILDREN, PRODUCT
from tests.week.checks import errors_logged, i7_t_plus_one, unexplained
from tests.week.faults import deck, kinds
from tests.week.house import WeekHouse
from tests.week.looks import Memory
from tests.week.market import FALLS, sessions, write_week

pytestmark = [pytest.mark.fast, pytest.mark.unattended]


def test_a_seed_draws_the_same_week_and_every_session_has_its_falls():
    first, again = (sessions(random.Random(7), 5) for _ in range(2))
    assert first == again
    assert [f"{one.opens:%a}" for one in first] == ["Mon", "Tue", "Wed", "Thu", "Fri"]
    assert all(len(one.falls) == FALLS and one.silent for one in first)


def test_what_falls_in_a_session_is_quoted_below_its_stop_then_and_not_before(tmp_path):
    week = sessions(random.Random(7), 1, lasts=600)
    market = write_week(tmp_path / "week.csv", week, random.Random(7))
    assert [stock.falls_at for stock in market.stocks if stock.falls_at] == list(week[0].falls)
    assert market.fallen(week[0].opens) == []
    assert len(market.fallen(week[0].closes)) == len(week[0].falls)


def test_every_fault_happens_before_one_happens_again_and_each_child_is_killed():
    names = [fault.name for fault in itertools.islice(deck(random.Random(1)), len(kinds()))]
    assert len(set(names)) == len(names)
    assert {f"kill -9 {child}" for child in CHILDREN} <= set(names)
    silent = [fault.name for fault in kinds() if not fault.shows]
    assert silent == ["redis emptied"]


def test_the_slope_of_memory_is_that_within_lives_and_not_between_them():
    memory = Memory()
    for life, level in enumerate((50.0, 80.0)):
        memory.lives["worker", life] = [
            (60.0 + at + 1000 * life, level + at / 3600) for at in range(0, 600, 10)
        ]
    found = memory.slopes()["worker"]
    assert found["mb_per_hour"] == pytest.approx(1.0, abs=0.01)
    assert found["lives"] == 2


@pytest.mark.parametrize(
    ("trades", "broken"),
    [
        ([("2026-08-10", "buy", 100), ("2026-08-11", "sell", 600)], 0),
        ([("2026-08-10", "buy", 100), ("2026-08-10", "sell", 600)], 1),
        ([("2026-08-10", "sell", 500), ("2026-08-11", "sell", 100)], 1),
    ],
)
def test_t_plus_one_is_asked_day_by_day(trades, broken):
    rows = [
        {"at": f"{on}T10:00:00", "symbol": "600100.SH", "side": side, "quantity": quantity}
        for on, side, quantity in trades
    ]
    market = SimpleNamespace(opening={"600100.SH": 500})
    found: Any = SimpleNamespace(
        house=SimpleNamespace(market=market), there_trades=rows, there={"positions": []}
    )
    assert len(list(i7_t_plus_one(found))) == broken


def test_an_error_that_no_fault_explains_is_named(tmp_path):
    lines = [
        {"at": "2026-08-10T02:00:00", "level": "error", "process": "worker", "event": "Error 111 connecting: Connection refused."},
        {"at": "2026-08-10T02:00:01", "level": "error", "process": "worker", "event": "order 17 is lost"},
        {"at": "2026-08-10T01:00:00", "level": "error", "process": "worker", "event": "before"},
    ]  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "worker.jsonl").write_text(text + '0.5\n{"at": "cut', encoding="utf-8")
    house: Any = SimpleNamespace(logs=tmp_path)
    found = errors_logged(house, "2026-08-10T01:30:00")
    assert sum(found.values()) == 2
    assert unexplained(found) == Counter({"worker: order # is lost": 1})


def test_frames_that_are_cut_off_take_the_newest_commits_with_them(tmp_path):
    database = sqlite3.connect(tmp_path / PRODUCT)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE one (number INTEGER)")
    for number in range(20):
        database.execute("INSERT INTO one VALUES (?)", (number,))
        database.commit()
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    database.close()
    for name, body in files.items():
        if not name.endswith("-shm"):
            (tmp_path / name).write_bytes(body)
    house = object.__new__(WeekHouse)
    house.home = tmp_path
    assert house.drop_last_frames(5) == 5
    left = sqlite3.connect(tmp_path / PRODUCT)
    assert left.execute("SELECT MAX(number) FROM one").fetchone() == (14,)
    assert left.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    left.close()
