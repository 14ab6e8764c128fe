"""The real mix on one SQLite file: does anybody meet "database is locked", and how long does a commit wait?

Paper terminal (demo market, at twice the speed), market data, gateway, worker and beat run as processes, each on a
database backend that writes down how long every transaction waited for the write lock and for its commit; beside them
three readers ask every half second what a page shows. `--minutes` sets how long. Samples are lock plus commit; a
transaction's own work is not in them. The same list counts every "database is locked", and so do the logs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import OperationalError, connection

from tests.benchmarks.ground import Ground, wait_for
from tests.benchmarks.measured import Case, Target, percentile
from tests.benchmarks.timed_sqlite.base import FOLDER
from tests.benchmarks.whole_stack import ROOT, UP_WITHIN, read, stop
from tests.redis_servers import embedded_redis
from trading.models import Account, Denial, Event, Fill, Order, Signal, TickLease
from trading.selectors import open_positions
from trading.services.demo import NAME, ensure_demo_account


@dataclass(frozen=True)
class Parameters:
    minutes: float = 10.0
    readers: int = 3
    speed: float = 2.0


PARAMETERS = Parameters()
QUICK = Parameters(minutes=0.05)

#: Milliseconds.
P99 = 25.0
READ_EVERY = 0.5
CELERY = ("celery", "-A", "miniqmt")
PROCESSES = {
    "market_data": ("django", "market_data"),
    "gateway": ("django", "gateway", NAME),
    "worker": (*CELERY, "worker", "--pool=threads", "-c", "4"),
    "beat": (*CELERY, "beat"),
}


def run(ground: Ground, parameters: Parameters) -> Iterator[Case]:
    ground.fresh()
    ensure_demo_account()
    times = ground.home / "times"
    times.mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(embedded_redis(ground.home.parent))
        terminal = ("django", "paper_terminal", "--speed", str(parameters.speed))
        stack.enter_context(_process(ground.home, "paper_terminal", terminal, server.url))
        wait_for((ground.home / "paper.json").exists, UP_WITHIN, "the paper terminal's start")
        for name, command in PROCESSES.items():
            stack.enter_context(_process(ground.home, name, command, server.url))
        wait_for(lambda: _has_ticked(ground.home), UP_WITHIN, "the first tick")
        readers = _Readers(parameters.readers)
        time.sleep(parameters.minutes * 60)
        readers.stop()
    waits, begins, locked = _times_in(times)
    logs = [log.read_text("utf-8", errors="replace") for log in ground.home.glob("*.log")]
    locked += readers.locked + sum(text.count("database is locked") for text in logs)
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM trading_fill")
        fills = cursor.fetchone()[0]
    yield Case(
        "lock and commit of a transaction",
        waits,
        facts={
            "minutes": parameters.minutes,
            "lock p99": percentile(begins, 99),
            "reads": readers.reads,
            "fills": fills,
            "locked": locked,
        },
        targets=[
            Target("database is locked", locked, 0),
            Target("p99", percentile(waits, 99), P99),
        ],
    )


def _has_ticked(home: Path) -> bool:
    return bool(read(home, "SELECT 1 FROM trading_ticklease WHERE name LIKE 'strategy%'"))


def _times_in(folder: Path) -> tuple[list[float], list[float], int]:
    """Return the waits, the part of them that was for the lock, and how often the database was locked."""
    waits, begins, locked = [], [], 0
    for file in folder.iterdir():
        for line in file.read_text("utf-8").splitlines():
            if line == "locked":
                locked += 1
                continue
            begun, committed = line.split()
            begins.append(float(begun))
            waits.append(float(begun) + float(committed))
    return waits, begins, locked


@contextmanager
def _process(home: Path, name: str, command: tuple[str, ...], redis_url: str) -> Iterator[None]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.benchmarks.timed_settings",
        "REDIS_URL": redis_url,
        FOLDER: str(home / "times"),
    }
    with (home / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    try:
        yield
        said = (home / f"{name}.log").read_text("utf-8", errors="replace")[-2000:]
        assert process.poll() is None, f"{name} ended with {process.returncode}: {said}"
    finally:
        stop(process)


class _Readers:
    """Threads that read what a page shows, each over a connection of its own."""

    def __init__(self, count: int) -> None:
        self.reads = self.locked = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._over.wait(READ_EVERY):
            try:
                _read_a_page()
                self.reads += 1
            except OperationalError as problem:
                self.locked += "locked" in str(problem)
        connection.close()


def _read_a_page() -> None:
    account = Account.objects.get()
    open_positions(account.pk)
    list(TickLease.objects.all())
    for model in (Signal, Denial, Order, Fill, Event):
        list(model.objects.filter(account=account).order_by("-pk")[:20])
