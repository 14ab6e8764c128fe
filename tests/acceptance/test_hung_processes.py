"""The real worker and beat under the real supervisor: one that hangs is told from one that has nothing to do.

The supervisor's clock is the test's, so nobody waits for its deadlines; Redis, worker and beat are the real ones.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitoring import stack
from monitoring.console.health import processes
from monitoring.supervisor import State, Supervisor
from tests.stack import ROOT, Folder, prepare, surroundings
from tests.stack import SESSION as DAY
from trading.management.progress import BEAT_SENT, WORKER_FINISHED
from trading.management.watchdog import EXIT_CODE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.unattended,
    pytest.mark.usefixtures("whole_machine"),
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs a signal Windows lacks"),
]

#: Seconds that pass for the supervisor at every look of a test.
STEP = 5.0


class Three:
    """Redis, worker and beat of a data directory, and a supervisor that is stepped."""

    def __init__(self, home: Path) -> None:
        self.home, self.now = home, 1000.0
        around = stack.Surroundings(ROOT, home, stack.our_redis())
        trading = stack.trading_processes(around, [])
        wanted = [one for one in trading if one.name in ("worker", "beat")]
        self.shown: list[str] = []
        self.supervisor = Supervisor(
            [stack.redis_process(around), *wanted],
            home / "logs",
            wall=lambda: datetime.now(UTC),
            monotonic=lambda: self.now,
            show=lambda name, line: self.shown.append(f"{name} {line}"),
        )

    def row(self, name: str):
        return next(row for row in self.supervisor.statuses() if row.name == name)

    def marked(self, *names: str) -> list[int]:
        return [path.stat().st_mtime_ns for path in (self.home / name for name in names)]

    def step(self, passes: float = 0.0) -> None:
        self.now += passes
        self.supervisor.step()

    def until(self, condition, passes: float = 0.0, seconds: float = 30.0) -> None:
        """Step until something holds; `passes`: seconds for the supervisor in each half second of ours."""
        deadline = time.monotonic() + seconds
        while True:
            self.step(passes)
            if condition():
                return
            assert time.monotonic() < deadline, (self.supervisor.statuses(), self.shown)
            time.sleep(0.5 if passes else 0.05)

    def works(self) -> None:
        """Wait until beat has sent and the worker has finished something after this moment."""
        now = time.time_ns()
        self.until(lambda: self._files() and min(self.marked(BEAT_SENT, WORKER_FINISHED)) > now)

    def _files(self) -> bool:
        return all((self.home / name).exists() for name in (BEAT_SENT, WORKER_FINISHED))


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    home = prepare(tmp_path_factory.mktemp("hung") / "home")
    # An open market: ticks every few seconds.
    Folder(home).set_clock(datetime.fromisoformat(f"{DAY}T10:00:00"))
    three = Three(home)
    try:
        three.works()
        yield three
    finally:
        three.supervisor.stop()


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_f131_a_frozen_process_is_killed_started_again_and_works_and_says_why(three, name):
    three.works()
    before = three.row(name)
    os.kill(before.pid, signal.SIGSTOP)
    began = three.now
    three.until(lambda: three.row(name).restarts > before.restarts, passes=STEP)
    assert stack.PROGRESS_WITHIN <= three.now - began <= stack.PROGRESS_WITHIN + 30
    three.works()
    after = three.row(name)
    assert (after.state, after.hung) == (State.RUNNING, True)
    assert after.pid != before.pid
    assert f"{name} no progress for 45 s: killed" in three.shown
    run = {"processes": [after.as_row() | {"name": "web", "pid": os.getpid()}]}
    [view] = processes(run, None, datetime.now(UTC)) or ()
    assert view.story.en.startswith("ended (it made no progress and was killed) and was started")


def test_f122_while_redis_is_away_nobody_is_started_again_for_it(three):
    three.works()
    before = three.row("worker"), three.row("beat")
    redis = three.supervisor._children[0]
    redis.spec, kept = replace(redis.spec, alive=None), redis.spec  # it is away, and stays
    os.kill(redis.process.pid, signal.SIGSTOP)
    try:
        for _ in range(8):
            three.step(passes=10.0)
            time.sleep(0.1)
    finally:
        os.kill(redis.process.pid, signal.SIGCONT)
        redis.spec = kept
    assert (three.row("worker"), three.row("beat")) == before
    three.works()


def test_f124_the_one_that_took_its_place_is_watched_too(three):
    three.works()
    before = three.row("beat")
    assert before.restarts > 0
    os.kill(before.pid, signal.SIGSTOP)
    three.until(lambda: three.row("beat").restarts > before.restarts, passes=STEP)
    three.works()


# --- a gateway that is asked to end -------------------------------------------------------------

#: The gateway's command over a library that lets in, is asked to end, and never returns from its own end.
ENDS = """
import os, signal, time
from datetime import timedelta
from types import SimpleNamespace
import django
django.setup()
from trading.broker.qmt import QmtBroker
from trading.management.commands import gateway
from trading.management.waiting import StopSignal
from trading.models import Account

class Trader:
    def __init__(self, *_): pass
    def __getattr__(self, name): return lambda *_: 1
    def connect(self): return 0
    def subscribe(self, _):
        os.kill(os.getpid(), signal.SIGTERM)
        return 0
    def stop(self):
        print("stops", flush=True)
        time.sleep(60)

gateway.END_AFTER, gateway.RENEW = timedelta(seconds=1), timedelta(seconds=0.2)
library = SimpleNamespace(XtQuantTrader=Trader, XtQuantTraderCallback=object)
broker = QmtBroker(library, SimpleNamespace(StockAccount=str), "userdata_mini", 1, "1")
gateway.Command()._run(Account.objects.get(), broker, StopSignal(), lambda: None)
"""


def test_f115_a_gateway_whose_library_hangs_at_its_end_ends_all_the_same(three):
    done = subprocess.run(
        [sys.executable, "-c", ENDS],
        cwd=ROOT,
        env=surroundings(three.home),
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == EXIT_CODE, done.stderr.decode()
    assert done.stdout.decode().splitlines()[-1] == "stops"
