"""The database is locked, refuses to write, or may not grow; and the machine's clock is wrong for a while."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.simulation.processes.harsh import CLOCK, FULL, READ_ONLY
from tests.simulation.processes.house import PAPER
from tests.simulation.processes.stage import Stage
from tests.stack import PRODUCT, wait_for

HARSH = "tests.simulation.processes.harsh.settings"
#: Real seconds that something is wrong.
SHORT, LONG = 3.0, 9.0
#: Steps of the clock in seconds. An hour ahead is not among them: set right again, quotes and gateway wait for that hour.
STEPS = (-3.0, 3.0, -3600.0, 30.0, -30.0)
#: What processes say at the level ERROR meanwhile.
_LOCKED = (r"database is locked", r"the gateway stood still")
_READ_ONLY = (r"attempt to write a readonly database", r"the gateway stood still")
_FULL = (r"database or disk is full", r"the gateway stood still")


def locked(stage: Stage) -> None:
    """Another program holds the write lock, twice."""
    stage.begin()
    stage.armed()
    stage.explain(*_LOCKED)
    for seconds in stage.chance.sample((SHORT, SHORT, LONG), 2):
        with closing(sqlite3.connect(stage.house.home / PRODUCT, timeout=10)) as database:
            database.isolation_level = None
            database.execute("BEGIN IMMEDIATE")
            stage.pause(seconds)
            database.execute("ROLLBACK")
        stage.pause(1.0)


def read_only(stage: Stage) -> None:
    """Every write is refused for a while."""
    _harmed(stage, READ_ONLY, _READ_ONLY)


def full(stage: Stage) -> None:
    """The database may not grow by a single page for a while."""
    _harmed(stage, FULL, _FULL)


def _harmed(stage: Stage, name: str, log: tuple[str, ...]) -> None:
    _begin_harsh(stage)
    stage.explain(*log)
    stage.market(stage.chance.uniform(20, 60))
    file = stage.house.home / name
    file.touch()
    stage.pause(stage.chance.choice([SHORT, LONG]))
    file.unlink()


def clock_steps(stage: Stage) -> None:
    """The clock of the machine is set wrong and then right again; the exchange, which is elsewhere, keeps its own."""
    _begin_harsh(stage)
    file = stage.house.home / CLOCK
    for step in stage.chance.sample(STEPS, 2):
        stage.notes.setdefault("steps", []).append(step)
        file.write_text(str(step), encoding="utf-8")
        stage.pause(stage.chance.choice([SHORT, LONG]))
        file.unlink()
        stage.pause(SHORT)


def _begin_harsh(stage: Stage) -> None:
    stage.house.more["DJANGO_SETTINGS_MODULE"] = HARSH
    stage.begin(environment={PAPER: {"DJANGO_SETTINGS_MODULE": "miniqmt.settings"}})
    wait_for(stage.house.is_armed, 30)
