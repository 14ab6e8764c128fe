"""The whole stack of a week: `up` on settings that can be harmed, started as autostart would, and looked at from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import redis

from tests.simulation.processes.market import Market
from tests.stack import (
    CHILDREN,
    PRODUCT,
    ROOT,
    TERMINAL,
    Stack,
    is_there,
    surroundings,
    wait_for,
)

SETTINGS = "tests.week.settings"
#: Real seconds: until everything runs after a start, and after which who was ended must be gone.
STARTED, GONE = 90.0, 30.0


class WeekHouse(Stack):
    """One data directory and the `up` that runs on it now. `misbehave`: what the next start tells the terminal to do."""

    process: subprocess.Popen[bytes]

    def __init__(self, home: Path, market: Market, speed: int) -> None:
        self.market, self.speed, self.misbehave = market, speed, ""
        self.launches = 0
        super().__init__(home, self._launch(home), home.parent / "up.txt")
        self._pids: list[int] = []

    # --- starting and ending

    def _launch(self, home: Path) -> subprocess.Popen[bytes]:
        options = ["--replay", str(self.market.path), "--speed", str(self.speed)]
        options += [*self.market.positions, *self._misbehaving()]
        self.launches += 1
        with (home.parent / "up.txt").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "django", "up", *options],
                cwd=ROOT,
                env={**surroundings(home), "DJANGO_SETTINGS_MODULE": SETTINGS},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _misbehaving(self) -> list[str]:
        return ["--misbehave", self.misbehave] if self.misbehave else []

    def start(self) -> None:
        """Start `up` again."""
        self.process = self._launch(self.home)

    def pids(self) -> list[int]:
        """Of `up` and everything it says it runs."""
        children = [row["pid"] for row in self.processes().values() if row["pid"]]
        self._pids = [*self._pids, *children]  # one that was frozen outlives the `up` that ran it
        return [self.process.pid, *filter(is_there, self._pids)]

    def end(self) -> None:
        """End `up` and all it runs in one instant."""
        pids = self.pids()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_for(lambda: not any(map(is_there, pids)), GONE)
        self._pids = []

    def stop(self) -> int | None:
        """Ask `up` to stop in order; returns what it ended with, None when it had to be killed."""
        pids = self.pids()
        self.process.terminate()
        try:
            code: int | None = self.process.wait(GONE)
        except subprocess.TimeoutExpired:
            code = None
            self.end()
        wait_for(lambda: not any(map(is_there, pids)), GONE)
        return code

    # --- what is seen of it

    def facts(self) -> dict[str, Any]:
        """What this `up` says; what an earlier one said is for the next one alone."""
        facts = super().facts()
        return facts if facts.get("pid") == self.process.pid else {}

    def refresh(self) -> None:
        """The file of the database is what its processes see."""

    def is_armed(self) -> bool:
        return self.gateway()[0] == "armed"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def works_again(self) -> bool:
        running = self.processes()
        return self.all_run() and running.keys() >= set(CHILDREN) and self.is_armed()

    def there_now(self) -> datetime:
        """The market time of the terminal's own books (China, naive): where a week that was interrupted goes on."""
        [(body,)] = self.rows("SELECT body FROM state WHERE name = 'exchange'", file=TERMINAL)
        return datetime.fromisoformat(json.loads(body)["now"]).replace(tzinfo=None)

    # --- what is done to it

    def empty_redis(self) -> None:
        client = redis.Redis.from_url(self.facts()["redis_url"], protocol=2)
        with closing(client):
            client.flushall()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Another program holds the database's write lock."""
        with closing(sqlite3.connect(self.home / PRODUCT, timeout=10)) as database:
            database.isolation_level = None
            database.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                database.execute("ROLLBACK")

    @contextmanager
    def harmed(self, name: str, words: str = "") -> Iterator[None]:
        """One of the harms of `processes.harsh` is so."""
        file = self.home / name
        file.write_text(words, encoding="utf-8")
        try:
            yield
        finally:
            file.unlink()

    def drop_last_frames(self, frames: int) -> int:
        """Cut the newest frames off the database's WAL, as a disk that lied does; returns how many there were to cut."""
        wal = self.home / f"{PRODUCT}-wal"
        if not wal.exists():
            return 0
        with (self.home / PRODUCT).open("rb") as file:
            header = file.read(100)
        size = 24 + int.from_bytes(header[16:18])  # a frame: its header and a page
        there = max(0, (wal.stat().st_size - 32) // size)
        cut = min(frames, there)
        with wal.open("r+b") as file:
            file.truncate(32 + (there - cut) * size)
        return cut
