"""The processes of one run: started, kept running as `up` does, killed, frozen and kept away, and ended by their ids."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from monitoring.loopback import free_port
from monitoring.processes import ORPHAN_GRACE, PARENT_PIPE
from tests.simulation.processes.market import Market
from tests.stack import PRODUCT, ROOT, TERMINAL, Folder, surroundings

#: Market seconds in a real one.
SPEED = 20
PASSWORD = "for-tests-only"
#: What a process ends with that met an armed `kill` (trading/faults.py).
KILLED = 137
#: Real seconds a process has to stop in order: it needs less than one, a busy machine more.
STOPS_WITHIN = 8.0
#: Real seconds between two looks at the processes.
LOOK = 0.05
#: How often a process is stopped anew that was in the middle of a write.
_TRIES = 40
#: Seconds it then has before it is frozen again.
_GOES_ON = 0.2

REDIS, PAPER, QUOTES, GATEWAY, WORKER, BEAT = (
    *("redis", "terminal", "market_data", "gateway"),
    *("worker", "beat"),
)


@dataclass
class Process:
    """One process and those that took its place. `faults`: what MINIQMT_FAULTS says to the first, second … of them."""

    name: str
    command: Sequence[str]
    faults: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    kept_away: bool = False
    popen: subprocess.Popen[bytes] | None = None
    #: What each one ended with, and the fault that it was told.
    exits: list[tuple[int, str]] = field(default_factory=list)
    told: str = ""

    @property
    def pid(self) -> int:
        assert self.popen is not None, f"{self.name} was not started"
        return self.popen.pid

    @property
    def hits(self) -> list[str]:
        """The crash points that ended it."""
        return [
            part.split(":")[0]
            for code, told in self.exits
            if code == KILLED
            for part in told.split(",")
            if part.endswith(":kill")
        ]


class House(Folder):
    """A data directory and the processes that run on it. Use inside `in_use`."""

    def __init__(self, home: Path, market: Market, speed: int = SPEED) -> None:
        super().__init__(home)
        self.market, self.speed = market, speed
        self.logs = home.parent / "logs"
        self.logs.mkdir(exist_ok=True)
        self.processes: dict[str, Process] = {}
        self.more: dict[str, str] = {}
        #: The one that is to be armed.
        self.gateway_name = GATEWAY
        self.redis_port = _port_of_our_own()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._watch = threading.Thread(target=self._keep, name="supervisor")

    @property
    def redis_url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.redis_port}/0"

    @contextmanager
    def in_use(self) -> Iterator[House]:
        """At the end every process that was started here is gone, whatever happened."""
        self._watch.start()
        try:
            yield self
        finally:
            self._over.set()
            self._watch.join()
            for process in self.processes.values():
                _end(process)

    # --- starting

    def start(
        self,
        name: str,
        faults: Sequence[str] = (),
        *,
        options: Sequence[str] = (),
        key: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a process by its name; `key` tells it from another one of the same kind."""
        command = [*self._command(name), *options]
        process = Process(key or name, command, list(faults), dict(environment or {}))
        self.processes[process.name] = process
        self._launch(process)
        return process

    def _command(self, name: str) -> list[str]:
        django, celery = ["-m", "django"], ["-m", "celery", "-A", "miniqmt"]
        match name:
            case "redis":
                password = self.home.parent / "password"
                password.write_text(PASSWORD, encoding="utf-8")
                embedded = ["-m", "monitoring.embedded_redis", "--port", str(self.redis_port)]
                return [*embedded, "--password-file", str(password)]
            case "terminal":
                store = ["--store", str(self.home / TERMINAL), "--speed", str(self.speed)]
                source = ["--source", str(self.market.path), *store]
                port = str(_port_of_our_own())
                return [*django, "paper_terminal", *source, "--port", port, *self.market.positions]
            case "market_data":
                return [*django, "market_data"]
            case "gateway":
                return [*django, "gateway", "demo"]
            case "worker":
                return [*celery, "worker", "--pool=threads", "-c", "4"]
            case "beat":
                return [*celery, "beat"]
            case _:
                raise KeyError(name)

    def _launch(self, process: Process) -> None:
        number = len(process.exits)
        process.told = process.faults[number] if number < len(process.faults) else ""
        environment = {
            **surroundings(self.home),
            "REDIS_URL": self.redis_url,
            "MINIQMT_SPEED": str(self.speed),
            "MINIQMT_FAULTS": process.told,
            PARENT_PIPE: ORPHAN_GRACE,  # it ends with us, however we end
            **self.more,
            **process.environment,
        }
        with (self.logs / f"{process.name}.txt").open("ab") as log:
            process.popen = subprocess.Popen(
                [sys.executable, *process.command],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def _keep(self) -> None:
        """Start again what ended, as a supervisor does."""
        while not self._over.wait(LOOK):
            with self._lock:
                for process in list(self.processes.values()):
                    self._look_at(process)

    def _look_at(self, process: Process) -> None:
        if process.popen is None:
            return
        code = process.popen.poll()
        if code is not None:
            process.exits.append((code, process.told))
            _close(process)
            process.popen = None
            if not process.kept_away:
                self._launch(process)

    # --- what is done to them

    def kill(self, name: str) -> None:
        """`kill -9`; the supervisor starts it again."""
        with self._lock:
            popen = self.processes[name].popen
            if popen is not None:
                popen.kill()

    @contextmanager
    def away(self, name: str) -> Iterator[None]:
        """Kill a process and let nobody start it again meanwhile."""
        process = self.processes[name]
        process.kept_away = True
        self.kill(name)
        try:
            yield
        finally:
            with self._lock:
                self._look_at(process)
                process.kept_away = False
                if process.popen is None:
                    self._launch(process)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """SIGSTOP: it keeps its locks and connections, and does nothing until SIGCONT."""
        pid = self.processes[name].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    @contextmanager
    def frozen_between_writes(self, name: str) -> Iterator[None]:
        """As `frozen`, but it holds no lock of the database: with SQLite's nobody else could write."""
        with contextlib.ExitStack() as held:
            for _ in range(_TRIES):
                held.enter_context(self.frozen(name))
                if self.can_be_written():
                    break
                held.close()  # it goes on, and ends what it writes
                time.sleep(_GOES_ON)
            else:
                raise AssertionError(f"{name} writes all the time")
            yield

    def can_be_written(self) -> bool:
        """Whether nobody keeps the write lock of the product's database for longer than a write takes."""
        try:
            with closing(
                sqlite3.connect(self.home / PRODUCT, timeout=1, isolation_level=None)
            ) as here:
                here.execute("BEGIN IMMEDIATE")
                here.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
        return True

    def stop_in_order(self) -> list[str]:
        """Ask gateway, market data and terminal to stop, in this order; returns who did not within its time, or failed."""
        wrong = []
        for process in self.processes.values():
            process.kept_away = True
        for name in (self.gateway_name, QUOTES, PAPER):
            popen = self.processes[name].popen
            if popen is None:
                continue
            popen.send_signal(signal.SIGTERM)
            try:
                code = popen.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                code = None
            if code:
                wrong.append(f"{name}, asked to stop, ended with {code}")
            elif code is None:
                wrong.append(f"{name}, asked to stop, did not in {STOPS_WITHIN:.0f} s")
        return wrong

    # --- what is seen of them

    @property
    def hits(self) -> list[str]:
        return [name for process in self.processes.values() for name in process.hits]

    def exits(self) -> dict[str, list[int]]:
        """What the processes ended with, those that did."""
        return {
            name: [code for code, _ in process.exits]
            for name, process in self.processes.items()
            if process.exits
        }

    @property
    def waits_for_a_fault(self) -> bool:
        """Whether a process has been told of a fault that has not happened yet."""
        return any(
            process.popen is not None and process.told for process in self.processes.values()
        )

    def holds_lease(self, name: str) -> bool:
        """Whether the process of this name that runs now took the gateway's lease last."""
        process = self.processes.get(name)
        popen = None if process is None else process.popen
        owners = self.rows("SELECT owner FROM trading_gatewaylease")
        return popen is not None and any(f":{popen.pid}:" in owner for (owner,) in owners)

    def is_armed(self) -> bool:
        """Whether the gateway that runs now says so, and not one before it."""
        return self.holds_lease(self.gateway_name) and self.gateway()[0] == "armed"

    def refresh(self) -> None:
        """Make the file of the database what its processes see; here it is theirs."""


_given: set[int] = set()
_giving = threading.Lock()


def _port_of_our_own() -> int:
    """A free port that no other run of this campaign was given."""
    with _giving:
        port = free_port(20_000 + os.getpid() % 10_000)
        while port in _given:
            port = free_port(port + 1)
        _given.add(port)
        return port


def _end(process: Process) -> None:
    if process.popen is None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.popen.kill()
    process.popen.wait()
    _close(process)


def _close(process: Process) -> None:
    if process.popen is not None and process.popen.stdin is not None:
        process.popen.stdin.close()
