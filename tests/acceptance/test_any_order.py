"""Each process in a terminal of its own, in any order, as people of Django and Celery expect: all come to life."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from monitoring.loopback import free_port
from monitoring.run_file import write_run_file
from tests.acceptance.test_paper_terminal_process import ROOT, django, environment
from tests.redis_servers import PASSWORD, embedded_redis, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.unattended,
    pytest.mark.usefixtures("whole_machine"),
]

CELERY = ("celery", "-A", "miniqmt")
#: Falls through its stop 26 s after the opening of the demo.
STOPPED = "000100.SZ"
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

    def events(self) -> list[str]:
        return [code for (code,) in self.rows("SELECT code FROM trading_event ORDER BY id")]

    def passed(self, what: str) -> None:
        """Say in the test's output how long something took."""
        seconds = time.monotonic() - self._began
        self.said.append(f"{seconds:6.1f} s  {what}")


def _rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path, timeout=10)) as database:
        return database.execute(query).fetchall()


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


def processes(web: int, flower: int) -> list[tuple[str, ...]]:
    """Name and command of each, in the order in which a person would start them."""
    return [
        ("paper_terminal", "django", "paper_terminal"),
        ("market_data", "django", "market_data"),
        ("gateway", "django", "gateway", "demo"),
        ("worker", *CELERY, "worker", "--pool=threads", "-c", "4"),
        ("beat", *CELERY, "beat"),
        ("web", "django", "runserver", "--noreload", str(web)),
        ("flower", *CELERY, "flower", f"--port={flower}"),
    ]


def answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/admin/login/", timeout=5).close()
    except urllib.error.HTTPError as refusal:  # Flower has no such page, and says so
        refusal.close()
    except OSError:
        return False
    return True


def test_whatever_starts_first_waits_for_the_rest_and_redis_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Told by REDIS_URL, in other orders: the scenario any_order of test_real_processes.py.
    monkeypatch.setenv("FLOWER_UNAUTHENTICATED_API", "false")
    port, web, flower = free_port(), free_port(8100), free_port(5600)
    with a_house(tmp_path) as house:
        write_run_file(house.home, {"redis_url": f"redis://:{PASSWORD}@127.0.0.1:{port}/0"})
        order = processes(web, flower)
        random.Random(4).shuffle(order)
        started = [(name, house.start(name, *command)) for name, *command in order]
        house.passed("started: " + ", ".join(name for name, _ in started))
        with embedded_redis(tmp_path, port):
            house.passed("Redis is there")
            wait_until(lambda: house.sold(STOPPED), 180)
            house.passed("a holding fell through its stop and was sold")
            wait_until(lambda: by_worker(house), 60)
            house.passed("the worker runs the ticks")
            wait_until(lambda: answers(web) and answers(flower), 30)
            house.passed("web and Flower answer")
            assert still_run(started) == [name for name, _ in started]


def by_worker(house: House) -> bool:
    """Whether the worker took the ticks from the gateway, or had them from the beginning."""
    ran = house.rows("SELECT COUNT(*) FROM trading_ticklease WHERE name = 'health'")[0][0]
    codes = house.events()
    return bool(ran) and codes.count("PROTECTIVE_PASS") == codes.count("PROTECTIVE_PASS_OVER")


def still_run(started: Sequence[tuple[str, object]]) -> list[str]:
    return [name for name, process in started if process.poll() is None]  # type: ignore[attr-defined]


def test_without_any_redis_to_know_of_worker_and_beat_say_what_to_do(tmp_path: Path) -> None:
    surroundings = environment(tmp_path)
    surroundings.pop("REDIS_URL", None)
    assert django(tmp_path, "migrate", "-v", "0").returncode == 0
    for command in (("worker", "--pool=threads"), ("beat",)):
        ended = subprocess.run(
            [sys.executable, "-m", *CELERY, *command],
            cwd=ROOT,
            env=surroundings,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        assert ended.returncode == 1
        assert "set REDIS_URL" in ended.stderr, command
        assert "请设置 REDIS_URL" in ended.stderr
