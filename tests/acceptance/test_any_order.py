"""Each process in a terminal of its own, in any order, as people of Django and Celery expect: all come to life."""

from __future__ import annotations

import random
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitoring.loopback import free_port
from monitoring.run_file import write_run_file
from tests.acceptance.test_paper_terminal_process import ROOT, django, environment
from tests.acceptance.test_processes import STOPPED, House, a_house
from tests.redis_servers import PASSWORD, embedded_redis, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.unattended,
    pytest.mark.usefixtures("whole_machine"),
]

CELERY = ("celery", "-A", "miniqmt")


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


@pytest.mark.parametrize("told", [True, False], ids=["REDIS_URL is set", "found in run.json"])
def test_whatever_starts_first_waits_for_the_rest_and_redis_comes_last(
    tmp_path: Path, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWER_UNAUTHENTICATED_API", "false")
    port, web, flower = free_port(), free_port(8100), free_port(5600)
    url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    with a_house(tmp_path, url if told else "") as house:
        if not told:
            write_run_file(house.home, {"redis_url": url})
        order = processes(web, flower)
        if told:
            order.reverse()  # beat and worker before anything they need
        else:
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
