"""`manage.py up` on an empty data directory: it trades by itself, comes back, and stops."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from monitoring.restarts import MOST
from tests.redis_servers import wait_until
from tests.stack import ROOT, Stack, is_there, prepare, running, status_of, surroundings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.unattended,
    pytest.mark.usefixtures("whole_machine"),
]

#: The two holdings whose script has an exit in the first minute: which sale fills first depends on the day's book.
STOPPED, PROFITABLE = "000100.SZ", "600100.SH"
POSIX = pytest.mark.skipif(os.name == "nt", reason="processes are looked up as POSIX knows them")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with running(home) as stack:
        yield stack
        print(stack.output())  # noqa: T201 - shown when it fails, or with -rP


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
    assert f"Open {facts['web']} " in stack.output()
    assert status_of(facts["web"]) == 200  # its login
    assert status_of(facts["web"] + "static/monitoring/console.css") == 200
    assert status_of(facts["web"] + "admin/login/") == 200
    assert status_of(facts["web"] + "static/admin/css/base.css") == 200
    wait_until(lambda: _is_served(facts["flower"]), 20)
    assert status_of(facts["flower"]) == 401
    login = base64.b64encode(f"admin:{password}".encode()).decode()
    assert status_of(facts["flower"], [("Authorization", f"Basic {login}")]) == 200

    wait_until(stack.fills, 60)
    filled = time.monotonic() - stack.began
    wait_until(lambda: dict(stack.fills()).keys() >= {STOPPED, PROFITABLE}, 30)

    wait_until(lambda: any("fill" in line for line in _of(stack, STOPPED)), 10)
    assert {"signal", "order", "fill", "tick"} <= {
        name for line in _of(stack, STOPPED) for name in line
    }
    assert len({line["signal"] for line in _of(stack, STOPPED)}) == 1

    killed = stack.processes()["worker"]["pid"]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: stack.processes()["worker"]["pid"] not in (None, killed), 10)
    assert stack.processes()["worker"]["restarts"] == 1
    began = stack.tick_started()
    wait_until(lambda: stack.tick_started() > began, 10)

    second = subprocess.run(
        [sys.executable, "-m", "django", "up"],
        cwd=ROOT,
        env=surroundings(stack.home),
        capture_output=True,
        timeout=30,
    )
    assert second.returncode == 1
    assert b"already running" in second.stderr

    children = [row["pid"] for row in stack.processes().values()]
    asked = time.monotonic()
    stack.process.terminate()
    assert stack.process.wait(20) == 0
    stopped = time.monotonic() - asked
    assert not [pid for pid in children if is_there(pid)]
    print(f"started {started:.1f} s, first fill {filled:.1f} s, stopped {stopped:.1f} s")  # noqa: T201
    assert (
        stopped <= 10
    )  # five stages; the time of a machine that does nothing else is a benchmark
    ended = [line.split()[0] for line in stack.output().splitlines() if "| stopped, " in line]
    stages = (2, 2, 1, 1, 2)  # children that stop together
    rest = iter(ended)
    assert [{next(rest) for _ in range(number)} for number in stages] == [
        *({"web", "flower"}, {"worker", "beat"}, {"gateway-demo"}, {"market_data"}),
        {"paper_terminal", "redis"},
    ]
    assert stack.facts()["redis_url"] == ""


@POSIX
def test_f160_an_up_after_a_killed_one_ends_what_hangs_and_its_starts_count(tmp_path):
    home = prepare(tmp_path / "home")
    with running(home, "--no-web", "--no-flower") as killed:
        wait_until(lambda: killed.is_back("gateway-demo", 0), 45)
        left = killed.freeze(
            "gateway-demo"
        )  # it holds the lock of its account, and does not notice
        killed.process.kill()
        killed.process.wait(10)
        with running(home, "--no-web", "--no-flower") as stack:
            wait_until(lambda: stack.is_back("gateway-demo", left), 60)
            assert not is_there(left)
            assert f"process {left} of an `up` that is gone: killed" in stack.output()
            budget = json.loads((home / "restarts.json").read_text("utf-8"))
            assert budget["in_order"] is False
            assert budget["left"]["gateway-demo"][0] == MOST - 1
            assert "redis" not in budget["left"]


@POSIX
def test_a_web_server_whose_port_another_program_took_serves_at_the_next_one(tmp_path):
    with running(prepare(tmp_path / "home"), "--no-flower") as stack:
        wait_until(stack.all_run, 45)
        before, web = stack.facts()["web"], stack.processes()["web"]["pid"]
        os.kill(web, signal.SIGKILL)
        with _taken(urlsplit(before).port):
            wait_until(lambda: stack.facts()["web"] != before and stack.all_run(), 45)
            after = stack.facts()["web"]
            assert status_of(after + "admin/login/") == 200
            assert f"Open {after} " in stack.output()


def _taken(port: int | None) -> socket.socket:
    """Another program's server at this port, as soon as who was killed has let it go."""
    made: list[socket.socket] = []

    def take() -> bool:
        with suppress(OSError):
            made.append(socket.create_server(("127.0.0.1", port)))
        return bool(made)

    wait_until(take, 2)
    return made[0]


def _of(stack: Stack, symbol: str) -> list[dict[str, Any]]:
    """The lines of the log about one holding."""
    return [line for line in stack.log_lines("worker") if line.get("symbol") == symbol]


def _is_served(url: str) -> bool:
    try:
        return status_of(url) > 0
    except OSError:
        return False
