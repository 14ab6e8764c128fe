"""`manage.py status`: what runs, what was started again and why, protection; its exit code says whether to worry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from monitoring.doctor.signs import Up
from monitoring.processes import only_instance
from monitoring.run_file import write_run_file
from monitoring.status import plain, status_of
from tests.integration.ill_house import House, database_away, unprotected
from tests.redis_servers import ROOT
from trading.domain.types import CHINA
from trading.models import Account, TickLease, TradingConfig, TradingDay
from trading.services import shared_quotes
from trading.services.clock import set_clock

pytestmark = [pytest.mark.system, pytest.mark.unattended]

OPEN = datetime(2026, 8, 10, 10, 0, tzinfo=CHINA)


@pytest.fixture
def house(home, settings, monkeypatch) -> House:
    monkeypatch.setattr(shared_quotes, "_of_thread", shared_quotes._OfThread())
    return House(home, settings)


def in_open_market(house: House) -> None:
    """Ten o'clock of a session, everything around the account at work."""
    TradingDay.objects.update_or_create(
        pk=OPEN.date(), defaults={"is_session": True, "source": "test"}
    )
    set_clock("demo", house.now - timedelta(hours=1), OPEN - timedelta(hours=1))
    Account.objects.update(gateway_status="armed", gateway_seen_at=OPEN, snapshot_at=OPEN)
    for name in ("sync", "strategy", "orders"):
        TickLease.objects.update_or_create(
            name=f"{name}:{house.account.pk}", defaults={"started_at": house.now}
        )


def runs(house: House, **worker: object) -> None:
    at = (house.now - timedelta(hours=2)).isoformat()
    rows = [
        {"name": "redis", "state": "running", "since": at, "restarts": 0, "last_exit": None},
        {"name": "worker", "state": "running", "since": at, "restarts": 0, **worker},
    ]
    write_run_file(house.home, {"web": "http://127.0.0.1:8000/", "processes": rows})


def test_all_runs_and_is_protected(house):
    runs(house)
    in_open_market(house)
    status = status_of(house.home, house.now)
    assert (status.up, status.exit_code) == (Up.RUNS, 0)
    told = plain(status)
    assert told["uptime_seconds"] == 7200
    assert [one["name"] for one in told["processes"]] == ["redis", "worker"]
    [account] = told["accounts"]
    assert (account["holdings"], account["unprotected"], account["gateway_alive"]) == (0, 0, True)
    assert {tick["name"] for tick in account["ticks"]} == {"sync", "strategy", "orders"}
    assert all(tick["started"] for tick in account["ticks"])


@pytest.mark.parametrize(
    ("worker", "why"),
    [
        ({"restarts": 2, "last_exit": -9}, "killed"),
        ({"restarts": 1, "last_exit": 1}, "exit code 1"),
        ({"restarts": 1, "last_exit": -9, "hung": True}, "no progress"),
        ({"restarts": 1, "last_exit": 0, "heavy": 650}, "650 MB"),
        (
            {
                "restarts": 30,
                "last_exit": 1,
                "state": "held back",
                "due": "2026-08-11T02:00:00+00:00",
            },
            "stays down until 10:00:00",
        ),
    ],
)
def test_what_was_started_again_is_told_with_how_often_and_why(house, worker, why):
    runs(house, **worker)
    in_open_market(house)
    told = plain(status_of(house.home, house.now))
    [row] = [one for one in told["processes"] if one["name"] == "worker"]
    assert row["restarts"] == worker["restarts"]
    assert why in row["why_en"]
    assert row["why_zh"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda house: runs(house, state="backing off", last_exit=1), 1),
        (
            lambda house: Account.objects.update(
                gateway_seen_at=OPEN - timedelta(hours=1), snapshot_at=None
            ),
            1,
        ),
        (lambda house: TickLease.objects.update(started_at=house.now - timedelta(hours=1)), 1),
        (unprotected, 1),
        (lambda house: house.old("up.lock"), 2),
        (database_away, 2),
    ],
    ids=[
        "a process down",
        "a silent gateway",
        "late ticks",
        "unprotected",
        "up is gone",
        "database",
    ],
)
def test_the_exit_code_says_whether_to_worry(house, change, code):
    runs(house)
    in_open_market(house)
    change(house)
    assert status_of(house.home, house.now).exit_code == code


def test_f157_each_account_shows_its_own_holdings_and_is_judged_by_them(house):
    runs(house)
    in_open_market(house)
    other = Account.objects.create(name="other", broker_account_id="2", mode="demo")
    TradingConfig.objects.create(account=other)
    Account.objects.filter(pk=other.pk).update(
        gateway_status="armed", gateway_seen_at=OPEN, snapshot_at=OPEN
    )
    unprotected(house)  # the first one holds something
    Account.objects.filter(pk=other.pk).update(trading_state="active")
    first, second = plain(status_of(house.home, house.now))["accounts"]
    assert (first["name"], first["holdings"], first["reasons"]) == (
        "paper",
        1,
        {"halted": ["600036.SH"]},
    )
    assert (second["name"], second["holdings"], second["reasons"]) == ("other", 0, {})


def test_an_up_that_hangs_is_the_worst(house):
    runs(house)
    with only_instance(house.home / "up.lock"):
        house.old("up.lock")
        status = status_of(house.home, house.now)
    assert (status.up, status.exit_code) == (Up.HANGS, 2)


def test_processes_started_by_hand_are_named(house):
    house.old("up.lock")
    (house.home / "market_data.lock").touch()
    status = status_of(house.home, house.now)
    assert (status.up, status.by_hand, status.processes) == (Up.NONE, ("market_data",), [])


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("has run for", "started again", "not protected")),
        ("zh", ("已运行", "重新启动", "未受保护")),
    ],
)
def test_a_person_reads_it_in_words(house, language, words):
    runs(house, restarts=2, last_exit=-9)
    unprotected(house)
    out = StringIO()
    call_command("status", "--lang", language, stdout=out)  # at night: nothing to worry about
    shown = out.getvalue()
    for word in words:
        assert word in shown, shown


@pytest.mark.parametrize("command", [["status", "--json"], ["up", "--status"]])
def test_where_nothing_ever_ran_it_says_so_and_makes_nothing(tmp_path, command):
    known = {**os.environ, "MINIQMT_HOME": str(tmp_path), "MINIQMT_READ_DOTENV": "false"}
    done = subprocess.run(
        [sys.executable, "-m", "django", *command, "--settings", "miniqmt.settings"],
        cwd=ROOT,
        env=known,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert not (tmp_path / "miniqmt.sqlite3").exists()
    if "--json" in command:
        told = json.loads(done.stdout)
        assert (told["schema"], told["up"], told["processes"]) == (1, "none", [])
    else:
        assert "manage.py up" in done.stdout
