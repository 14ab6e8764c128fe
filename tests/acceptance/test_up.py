"""`manage.py up` on an empty data directory: it trades by itself, comes back, and stops."""

from __future__ import annotations

import base64
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_paper_terminal_process import ROOT, environment
from tests.redis_servers import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.unattended,
    pytest.mark.usefixtures("whole_machine"),
]

STOPPED = "000100.SZ"
POSIX = pytest.mark.skipif(os.name == "nt", reason="processes are looked up as POSIX knows them")


class Stack:
    """A running `up`, and what it says in its data directory."""

    def __init__(self, home: Path, process: subprocess.Popen[bytes]) -> None:
        self.home, self.process, self.began = home, process, time.monotonic()

    def facts(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads((self.home / "run.json").read_text("utf-8"))
        except OSError:
            return {}
        return facts

    def processes(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.facts().get("processes", ())}

    def all_run(self) -> bool:
        rows = self.processes().values()
        return bool(rows) and all(row["state"] == "running" for row in rows)

    def fills(self) -> list[Any]:
        query = (
            "SELECT o.symbol, o.broker_order_id FROM trading_order o"
            " JOIN trading_account a ON a.id = o.account_id"
            " WHERE a.name = 'demo' AND o.state = 'filled' AND o.broker_order_id IS NOT NULL"
        )
        with closing(sqlite3.connect(self.home / "miniqmt.sqlite3", timeout=10)) as database:
            return database.execute(query).fetchall()

    def tick_started(self) -> str:
        """When the worker last began the strategy tick, in UTC."""
        query = "SELECT MAX(started_at) FROM trading_ticklease WHERE name LIKE 'strategy%'"
        with closing(sqlite3.connect(self.home / "miniqmt.sqlite3", timeout=10)) as database:
            return str(database.execute(query).fetchone()[0])

    def output(self) -> str:
        return (self.home.parent / "up.txt").read_text("utf-8")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    surroundings = environment(home)
    surroundings.pop("REDIS_URL", None)
    with (tmp_path / "up.txt").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "django", "up"],
            cwd=ROOT,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    stack = Stack(home, process)
    try:
        yield stack
    finally:
        process.kill()  # its children end with it
        process.wait()
        print(stack.output())  # noqa: T201 - shown when it fails, or with -rP


def status_of(url: str, login: str = "") -> int:
    request = urllib.request.Request(url)
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@POSIX
def test_the_demo_trades_by_itself_a_killed_worker_comes_back_and_a_stop_leaves_nothing(stack):
    wait_until(stack.all_run, 45)
    started = time.monotonic() - stack.began
    facts = stack.facts()
    password_file = stack.home / "admin-password.txt"
    password = password_file.read_text("utf-8").strip()
    assert password_file.stat().st_mode & 0o077 == 0
    # run.json says that all run just before the terminal does.
    wait_until(lambda: "Ctrl-C stops everything." in stack.output(), 5)
    assert stack.output().count(password) == 1
    assert status_of(facts["web"] + "admin/login/") == 200
    assert status_of(facts["web"] + "static/admin/css/base.css") == 200
    wait_until(lambda: _is_served(facts["flower"]), 20)
    assert status_of(facts["flower"]) == 401
    assert status_of(facts["flower"], f"admin:{password}") == 200

    wait_until(stack.fills, 60)
    filled = time.monotonic() - stack.began
    assert STOPPED in dict(stack.fills())

    killed = stack.processes()["worker"]["pid"]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: stack.processes()["worker"]["pid"] not in (None, killed), 10)
    assert stack.processes()["worker"]["restarts"] == 1
    began = stack.tick_started()
    wait_until(lambda: stack.tick_started() > began, 10)

    second = subprocess.run(
        [sys.executable, "-m", "django", "up"],
        cwd=ROOT,
        env=environment(stack.home),
        capture_output=True,
        timeout=30,
    )
    assert second.returncode == 1
    assert b"already running" in second.stderr

    children = [row["pid"] for row in stack.processes().values()]
    asked = time.monotonic()
    stack.process.terminate()
    assert stack.process.wait(10) == 0
    stopped = time.monotonic() - asked
    assert not [pid for pid in children if is_there(pid)]
    print(f"started {started:.1f} s, first fill {filled:.1f} s, stopped {stopped:.1f} s")  # noqa: T201
    assert stopped <= 5
    assert stack.facts()["redis_url"] == ""


def _is_served(url: str) -> bool:
    try:
        return status_of(url) > 0
    except OSError:
        return False
