"""The whole stack as `manage.py up` runs it, for benchmarks: started, watched through /proc, and stopped."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.ground import DATABASE, wait_for
from tests.benchmarks.measured import Skipped

ROOT = Path(__file__).resolve().parents[2]
PROC = Path("/proc")
#: Seconds everything has to come up, and to go.
UP_WITHIN, DOWN_WITHIN = 90.0, 30.0


class Stack:
    """A running `up`. `pids` are those it has said it runs, and its own."""

    def __init__(self, home: Path, process: subprocess.Popen[bytes]) -> None:
        self.home, self.process = home, process

    def facts(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads((self.home / "run.json").read_text("utf-8"))
        except OSError:
            return {}
        return facts

    def children(self) -> dict[str, int]:
        """The processes by name."""
        rows = self.facts().get("processes", ())
        return {row["name"]: row["pid"] for row in rows if row["pid"] is not None}

    def all_run(self) -> bool:
        assert self.process.poll() is None, "`up` ended by itself"
        rows = self.facts().get("processes", ())
        return bool(rows) and all(row["state"] == "running" for row in rows)

    def first_tick(self, name: str = "") -> datetime | None:
        """When the newest of the ticks of a name (any, without one) began."""
        query = "SELECT MAX(started_at) FROM trading_ticklease WHERE name LIKE ?"
        found = read(self.home, query, f"{name}%")[0][0]
        return None if found is None else datetime.fromisoformat(f"{found}+00:00")


@contextmanager
def running(home: Path, *options: str) -> Iterator[Stack]:
    """Start `up`; it is gone at the end, whatever happened."""
    log = home.parent / "up.txt"
    (home / "run.json").unlink(missing_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "django", "up", *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    try:
        yield Stack(home, process)
    finally:
        if process.poll() is None:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and wait until it has."""
    process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))
    try:
        process.wait(DOWN_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_terminal_until_ready(home: Path, *options: str) -> None:
    """Start the paper terminal alone and stop it: its store and the market's clock stay behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "django", "paper_terminal", *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    try:
        wait_for((home / "paper.json").exists, UP_WITHIN, "the paper terminal's start")
    finally:
        stop(process)


def read(home: Path, query: str, *values: Any) -> list[Any]:
    """Read the system's database beside it."""
    with closing(sqlite3.connect(home / DATABASE, timeout=10)) as database:
        return database.execute(query, values).fetchall()


# -- what processes use (Linux)


@dataclass(frozen=True)
class Usage:
    """What one process has used: CPU seconds since its start, and its part of memory (PSS) in MB."""

    cpu: float
    memory: float


def need_proc() -> None:
    """Raises Skipped where there is no /proc."""
    if not (PROC / "self" / "smaps_rollup").exists():
        raise Skipped("processes are measured through /proc, which only Linux has")


def family_of(pid: int) -> dict[int, list[int]]:
    """Return a process and all below it, each with its direct children."""
    parents: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields is not None:
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = {}, [pid]
    while waiting:
        one = waiting.pop()
        found[one] = parents.get(one, [])
        waiting += found[one]
    return found


def usage_of(pid: int) -> Usage | None:
    """Return what a process uses; None when it is gone."""
    fields = _stat(pid)
    if fields is None or sys.platform == "win32":
        return None
    ticks = int(fields[11]) + int(fields[12])
    memory = 0.0
    for line in (PROC / str(pid) / "smaps_rollup").read_text("utf-8").splitlines():
        if line.startswith("Pss:"):
            memory = int(line.split()[1]) / 1024
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), memory)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name, which may contain anything: state, parent …"""
    try:
        return (PROC / str(pid) / "stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return None
