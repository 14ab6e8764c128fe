"""A whole `manage.py up` in a data directory of its own, for tests: start it, look at it from outside, kill parts of it.

Everything is read as a person could: `run.json`, the two databases with plain SQL, the ports. Nothing is imported from
the program, so what runs here is only what the processes do.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from monitoring.left_behind import born

ROOT = Path(__file__).resolve().parents[1]
PRODUCT, TERMINAL, QUOTES = "miniqmt.sqlite3", "paper.sqlite3", "quotes.sqlite3"
#: The children of `up` for the account it makes by itself, in the order they start.
CHILDREN = (
    *("redis", "paper_terminal", "market_data", "gateway-demo"),
    *("worker", "beat", "flower", "web"),
)
CHINA_IS_AHEAD = timedelta(hours=8)

# What the first start of `up` does, done once: it takes as long as everything else together.
_PREPARE = (
    "import django; django.setup();"
    "from django.core.management import call_command;"
    "from trading.services.calendar import fill_calendar;"
    "from trading.services.demo import ensure_demo_account;"
    "call_command('migrate', verbosity=0); fill_calendar(); ensure_demo_account()"
)


def surroundings(home: Path) -> dict[str, str]:
    """The environment of a user who has set nothing but the data directory."""
    known = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "miniqmt.settings",
        "MINIQMT_HOME": str(home),
        "MINIQMT_READ_DOTENV": "false",
        "PYTHONUTF8": "1",
    }
    known.pop("REDIS_URL", None)
    return known


def prepare(home: Path) -> Path:
    """Make a data directory with database, calendar and demo account, to be copied for each start."""
    home.mkdir(mode=0o700, parents=True)
    subprocess.run(
        [sys.executable, "-c", _PREPARE],
        cwd=ROOT,
        env=surroundings(home),
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=120,
    )
    return home


def copy_of(prepared: Path, home: Path, opens_in: float | None = None) -> Path:
    """Copy a prepared directory; `opens_in`: the real seconds until 09:30 of the day `SESSION` in the simulated market."""
    shutil.copytree(prepared, home)
    if opens_in is not None:
        Folder(home).set_clock(OPENING - timedelta(seconds=opens_in))
    return home


#: The session the recorded markets of these tests are of, and its opening in China's time.
SESSION = "2026-08-10"
OPENING = datetime.fromisoformat(f"{SESSION}T09:30:00")


class Folder:
    """A data directory on which processes run, and what is in its databases."""

    #: Market seconds in a real one.
    speed: float = 1

    def __init__(self, home: Path) -> None:
        self.home = home

    def rows(self, query: str, *values: object, file: str = PRODUCT) -> list[Any]:
        with closing(sqlite3.connect(self.home / file, timeout=20)) as database:
            return database.execute(query, values).fetchall()

    def tables(self, *queries: str) -> list[list[dict[str, Any]]]:
        """Rows by the names of their columns, of several questions in one moment: the processes go on writing."""
        with closing(
            sqlite3.connect(self.home / PRODUCT, timeout=20, isolation_level=None)
        ) as database:
            database.row_factory = sqlite3.Row
            database.execute("BEGIN")
            return [[dict(row) for row in database.execute(query)] for query in queries]

    def write(self, query: str, *values: object) -> None:
        """Change rows from outside."""
        with closing(sqlite3.connect(self.home / PRODUCT, timeout=20)) as database, database:
            database.execute(query, values)

    def ask(self) -> None:
        """Wish for a fresh snapshot, as a tick does: an idle gateway would look ten seconds later."""
        now = self.market_now() - CHINA_IS_AHEAD
        self.write("UPDATE trading_account SET snapshot_wanted_at = ?", now.isoformat(" "))

    def set_clock(self, market: datetime, speed: float | None = None) -> None:
        """Let the simulated market be at `market` (China, naive) now: every process follows within a second."""
        real = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
        base = (market - CHINA_IS_AHEAD).isoformat(" ")
        # In one statement: without a row it is real time, years away, and whoever looked just then would wait for it.
        self.write(
            "INSERT INTO trading_marketclock (environment, base_real, base_market, speed) VALUES ('demo', ?, ?, ?)"
            " ON CONFLICT (environment) DO UPDATE SET base_real = excluded.base_real,"
            " base_market = excluded.base_market, speed = excluded.speed",
            *(real, base, round((speed or self.speed) * 1_000_000)),
        )

    def market_now(self) -> datetime:
        """Market time in China, naive, as the clock's row gives it."""
        [(real, market, speed)] = self.rows(
            "SELECT base_real, base_market, speed FROM trading_marketclock"
        )
        passed = datetime.now(UTC).replace(tzinfo=None) - datetime.fromisoformat(real)
        began: datetime = datetime.fromisoformat(market) + CHINA_IS_AHEAD
        return began + passed * (float(speed) / 1_000_000)

    def wait_for_market(self, moment: datetime) -> None:
        """Wait until it is `moment` in the market."""
        while self.market_now() < moment:
            time.sleep(0.02)

    def gateway(self) -> tuple[str, datetime | None, str]:
        """(armed or observing, market time of the newest trusted snapshot, why)."""
        [(status, snapshot, reason)] = self.rows(
            "SELECT gateway_status, snapshot_at, gateway_reason FROM trading_account"
        )
        taken = None if snapshot is None else datetime.fromisoformat(snapshot) + CHINA_IS_AHEAD
        return status, taken, json.loads(reason or "{}").get("en", "")

    def armed_since(self, moment: datetime) -> bool:
        """Whether the gateway is armed and has read the account after this market time: the row alone outlives it."""
        status, taken, _ = self.gateway()
        return status == "armed" and taken is not None and taken > moment

    def fills(self) -> list[Any]:
        return self.rows(
            "SELECT symbol, broker_order_id FROM trading_order"
            " WHERE state = 'filled' AND broker_order_id IS NOT NULL"
        )

    def log_lines(self, name: str) -> list[dict[str, Any]]:
        """What a process has logged."""
        path = self.home / "logs" / f"{name}.jsonl"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def tick_started(self, name: str = "strategy") -> str:
        """When the tick last began, in UTC."""
        query = "SELECT MAX(started_at) FROM trading_ticklease WHERE name LIKE ?"
        return str(self.rows(query, f"{name}:%")[0][0])

    def worker_is_away(self) -> bool:
        """Whether the gateway says that it runs the ticks itself."""
        codes = self.rows(
            "SELECT code FROM trading_event WHERE code LIKE 'PROTECTIVE_PASS%' ORDER BY id"
        )
        return bool(codes) and codes[-1][0] == "PROTECTIVE_PASS"

    def sent(self, symbol: str) -> list[tuple[int, datetime]]:
        """The terminal's own orders of a symbol: number, market time (China, naive) of arrival."""
        found = self.rows(
            "SELECT order_id, json_extract(body, '$.at') FROM paper_order"
            " WHERE json_extract(body, '$.symbol') = ? ORDER BY order_id",
            symbol,
            file=TERMINAL,
        )
        return [(number, datetime.fromisoformat(at).replace(tzinfo=None)) for number, at in found]

    def epoch(self) -> int:
        """Of the lease: each gateway that starts takes the next one."""
        return int(self.rows("SELECT MAX(epoch) FROM trading_gatewaylease")[0][0])


class Stack(Folder):
    """A running `up`, and what it says in its data directory."""

    def __init__(self, home: Path, process: subprocess.Popen[bytes], output: Path) -> None:
        super().__init__(home)
        self.process, self._output = process, output
        self.began = time.monotonic()

    # --- what it says

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

    def pid(self, name: str) -> int:
        pid = self.processes()[name]["pid"]
        assert pid is not None, f"{name} does not run"
        return int(pid)

    def output(self) -> str:
        return self._output.read_text("utf-8")

    # --- whether it works

    def works(self, name: str, since: str, market: datetime, epoch: int = 0) -> bool:
        """Whether a child does its work again; killed at `since` (UTC text), `market` time and lease `epoch`."""
        facts = self.facts()
        match name:
            case "paper_terminal":
                notice = json.loads((self.home / "paper.json").read_text("utf-8"))
                return int(notice["pid"]) == self.pid(name) and _accepts(notice["port"])
            case "gateway-demo":
                return self.epoch() > epoch
            case "redis":
                return _redis_answers(facts["redis_url"])
            case "web":
                return status_of(facts["web"] + "admin/login/") == 200
            case "flower":
                return status_of(facts["flower"]) == 401
            case "worker" | "beat":
                ran = all(self.tick_started(tick) > since for tick in ("orders", "strategy"))
                return ran and not self.worker_is_away()
            case "market_data":
                return _newest_arrival(self.home / QUOTES) > _micros(market)
            case _:
                raise KeyError(name)

    # --- what is done to it

    def kill(self, name: str) -> int:
        """`kill -9` one child; returns the process it was."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def is_back(self, name: str, killed: int) -> bool:
        row = self.processes().get(name, {})
        return row.get("state") == "running" and row["pid"] not in (None, killed)

    @contextmanager
    def kept_away(self, name: str) -> Iterator[list[int]]:
        """Kill a child again and again, the moment it is started; yields the processes killed so far."""
        killed: list[int] = []
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.02):
                pid = self.processes().get(name, {}).get("pid")
                if pid is not None and pid not in killed[-1:]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

        thread = threading.Thread(target=watch, name=f"killing {name}")
        thread.start()
        try:
            yield killed
        finally:
            over.set()
            thread.join()

    def freeze(self, name: str) -> int:
        """SIGSTOP one child; returns the process."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        return pid

    @contextmanager
    def frozen(self, name: str) -> Iterator[int]:
        """Stop a child without ending it (SIGSTOP): it holds its locks and connections and does nothing."""
        pid = self.freeze(name)
        try:
            yield pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextmanager
def running(home: Path, *options: str) -> Iterator[Stack]:
    """Run `up` in a data directory; at the end it and its children are gone, whatever happened."""
    output = home.parent / f"{home.name}.txt"
    with output.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "django", "up", *options],
            cwd=ROOT,
            env=surroundings(home),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    stack = Stack(home, process, output)
    try:
        yield stack
        process.terminate()
        process.wait(15)
    finally:
        children = [row["pid"] for row in stack.processes().values() if row["pid"]]
        process.kill()  # its children end with it; after an orderly stop there are none
        process.wait()
        wait_for(lambda: not any(map(is_there, children)), 15)


def wait_for(condition: Callable[[], object], seconds: float, every: float = 0.05) -> float | None:
    """Wait until something holds; returns the seconds it took, None when it did not happen in time."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(OSError, sqlite3.Error, ValueError, KeyError):
            if condition():
                return time.monotonic() - began
        if time.monotonic() - began > seconds:
            return None
        time.sleep(every)


def is_there(pid: int) -> bool:
    """Whether a process lives; one that ended and was not waited for does not."""
    return born(pid) != ""


def status_of(url: str, headers: Sequence[tuple[str, str]] = ()) -> int:
    """The status a page answers with. Raises OSError where nobody listens."""
    request = urllib.request.Request(url, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def utc_now() -> str:
    """Now as the database writes it."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(" ")


def _accepts(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def _redis_answers(url: str) -> bool:
    where = urlsplit(url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=1) as line:
        for words in (("AUTH", where.password or ""), ("PING",)):
            parts = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
            line.sendall(f"*{len(words)}\r\n{parts}".encode())
        heard = b""
        while heard.count(b"\n") < 2 and (part := line.recv(256)):
            heard += part
    return heard == b"+OK\r\n+PONG\r\n"


def _newest_arrival(path: Path) -> int:
    with closing(sqlite3.connect(path, timeout=20)) as database:
        return int(database.execute("SELECT MAX(at) FROM tape").fetchone()[0] or 0)


def _micros(market: datetime) -> int:
    epoch = datetime(1970, 1, 1) + CHINA_IS_AHEAD  # noqa: DTZ001 - naive like the other times here
    return (market - epoch) // timedelta(microseconds=1)
