"""Where benchmarks run: a data directory of their own with a migrated database, in the form of production."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from django.core.management import call_command
from django.db import connections

from trading.services.calendar import fill_calendar

DATABASE = "miniqmt.sqlite3"


class Ground:
    """The data directory of this process and of all it starts. `fresh` sets it back to an empty, migrated one."""

    def __init__(self, home: Path, spare: Path, told: Callable[[str], None]) -> None:
        self.home, self.tell = home, told
        self._spare = spare

    @property
    def database(self) -> Path:
        return self.home / DATABASE

    def fresh(self) -> None:
        """Forget everything; the calendar is filled."""
        connections.close_all()
        if not self._spare.exists():
            self._make_spare()
        for left in self.home.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        shutil.copy(self._spare, self.database)

    def _make_spare(self) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        fill_calendar()
        with connections["default"].cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connections.close_all()
        shutil.copy(self.database, self._spare)


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Return after how many seconds the condition held. Raises TimeoutError."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)
    return time.monotonic() - began
