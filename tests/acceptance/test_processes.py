"""All processes together, each started alone: the demo sells by itself, with the worker and without it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from datetime import time as clock_time
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_paper_terminal_process import ROOT, django
from tests.redis_servers import RedisServer, embedded_redis, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.unattended,
    pytest.mark.usefixtures("whole_machine"),
]

SPEED = 2
#: The second holding falls through its stop 0:26 after the opening; the third passes its peak at 1:40.
STOPPED, LATER = "000100.SZ", "600200.SH"
#: In UTC, as the database keeps it: when the third has its peak, and 15 s of real time after it has turned.
TURNED, LATEST = clock_time(1, 31, 40), clock_time(1, 32, 20)
HOLDINGS = (f"{STOPPED}:1000@26.30", f"{LATER}:3000@9.62", "300100.SZ:500@37.60")
ORDERS = (
    "SELECT o.symbol, o.client_order_id, o.quantity, o.price, e.at, e.new_state"
    " FROM trading_order o JOIN trading_orderevent e ON e.order_id = o.id ORDER BY e.id"
)
CREATE = (
    "from trading.models import Account, TradingConfig;"
    "a = Account.objects.create(name='demo', broker_account_id='8800000001', mode='demo');"
    "TradingConfig.objects.create(account=a, auto_trading_enabled=True)"
)


class House:
    """A data directory and the processes that run on it; each has a log of its own.

    `redis_url`: what they are told, empty = they have to find it in run.json.
    """

    def __init__(self, home: Path, stack: ExitStack, redis_url: str = "") -> None:
        self.home, self._redis_url, self._stack = home, redis_url, stack
        self._began = time.monotonic()
        self.said: list[str] = []

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        return self._stack.enter_context(self._running(name, *command))

    def manage(self, *command: str) -> subprocess.Popen[bytes]:
        return self.start(command[0], "django", *command)

    @contextmanager
    def _running(self, name: str, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        inherited = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
        environment = {
            **inherited,
            "DJANGO_SETTINGS_MODULE": "miniqmt.settings",
            "MINIQMT_HOME": str(self.home),
            "MINIQMT_READ_DOTENV": "false",
            "PYTHONUTF8": "1",
            **({"REDIS_URL": self._redis_url} if self._redis_url else {}),
        }
        with (self.home / f"{name}.log").open("ab") as log:
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
                yield process
            finally:
                process.kill()
                process.wait()

    def rows(self, query: str) -> list[Any]:
        return _rows(self.home / "miniqmt.sqlite3", query)

    def sold(self, symbol: str) -> tuple[int, str, str] | None:
        """The first filled sell of a symbol: the broker's number, our id, and when it was decided, in market time."""
        found = self.rows(
            "SELECT broker_order_id, client_order_id, approved_at FROM trading_order"
            f" WHERE symbol = '{symbol}' AND side = 'sell' AND filled_quantity > 0 ORDER BY id"
        )
        return found[0] if found else None

    def at_terminal(self, broker_order_id: int) -> dict[str, Any]:
        """The order in the terminal's own books."""
        [(body,)] = _rows(
            self.home / "paper.sqlite3",
            f"SELECT body FROM paper_order WHERE order_id = {broker_order_id}",
        )
        order: dict[str, Any] = json.loads(body)
        return order

    def events(self) -> list[str]:
        return [code for (code,) in self.rows("SELECT code FROM trading_event ORDER BY id")]

    def passed(self, what: str) -> None:
        """Say in the test's output how long something took."""
        seconds = time.monotonic() - self._began
        self.said.append(f"{seconds:6.1f} s  {what}")


def _rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path, timeout=10)) as database:
        return database.execute(query).fetchall()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with embedded_redis(tmp_path) as server:
        yield server


@pytest.fixture
def house(tmp_path: Path, server: RedisServer) -> Iterator[House]:
    with a_house(tmp_path, server.url) as house:
        fill = "from trading.services.calendar import fill_calendar; fill_calendar()"
        assert django(house.home, "shell", "-v", "0", "-c", fill).returncode == 0
        yield house


@contextmanager
def a_house(folder: Path, redis_url: str = "") -> Iterator[House]:
    """A migrated data directory with a demo account, and nothing else: no calendar, no process."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    for command in (("migrate", "-v", "0"), ("shell", "-v", "0", "-c", CREATE)):
        made = django(home, *command)
        assert made.returncode == 0, made.stderr
    with ExitStack() as stack:
        house = House(home, stack, redis_url)
        yield house
        print("\n".join(house.said))  # noqa: T201 - shown when it fails, or with -rP
        print(*house.rows(ORDERS), sep="\n")  # noqa: T201
        for log in sorted(home.glob("*.log")):
            print(f"--- {log.name}", log.read_text(encoding="utf-8")[-4000:], sep="\n")  # noqa: T201


def test_the_demo_sells_with_the_worker_and_without_worker_scheduler_and_redis(house, server):
    positions = [word for one in HOLDINGS for word in ("--position", one)]
    terminal = house.manage("paper_terminal", "--speed", str(SPEED), *positions)
    market_data = house.manage("market_data")
    gateway = house.manage("gateway", "demo")
    celery = ("celery", "-A", "miniqmt")
    worker = house.start("worker", *celery, "worker", "--pool=threads", "-c", "4")
    beat = house.start("beat", *celery, "beat")

    wait_until(lambda: house.sold(STOPPED), 60)
    house.passed("a holding fell through its stop and was sold")
    number, name, _ = house.sold(STOPPED)
    assert name in json.dumps(house.at_terminal(number))
    assert "PROTECTIVE_PASS" not in house.events()

    for process in (beat, worker, server.process):
        process.kill()
    house.passed("scheduler, worker and Redis killed")
    wait_until(lambda: house.sold(LATER), 60)
    house.passed("another passed its first take-profit and was sold")
    number, name, decided = house.sold(LATER)
    assert name in json.dumps(house.at_terminal(number))
    late = datetime.fromisoformat(decided).time().replace(tzinfo=None)
    assert TURNED <= late <= LATEST
    assert house.events().count("PROTECTIVE_PASS") == 1

    for process in (gateway, market_data, terminal):
        began = time.monotonic()
        process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))
        assert process.wait(10) == 0
        assert time.monotonic() - began <= 2
    house.passed("gateway, market data and terminal stopped when asked")
