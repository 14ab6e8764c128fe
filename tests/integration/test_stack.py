"""The parts of `manage.py up` that need no whole stack: ports, the word with Redis, what is refused."""

from __future__ import annotations

import json
import socket
from datetime import datetime
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from monitoring import stack
from monitoring.loopback import HOST, answers, ask_redis, free_port, serves
from monitoring.management.commands import up
from monitoring.run_file import write_run_file
from tests.redis_servers import PASSWORD, embedded_redis, installed_redis, wait_until
from trading.domain.orders import OrderState
from trading.domain.types import CHINA
from trading.models import Account, Instrument, Order, TradingConfig
from trading.services.demo import ensure_demo_account

pytestmark = [pytest.mark.system, pytest.mark.unattended]

NOW = datetime(2026, 8, 10, 10, 0, tzinfo=CHINA)


def test_a_taken_port_gives_the_next_free_one():
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert answers(port)
        assert port < free_port(port) < port + 50


def test_f131_a_web_server_that_accepts_and_never_answers_does_not_serve():
    # The system goes on accepting for a process that is stopped.
    with socket.socket() as frozen:
        frozen.bind((HOST, 0))
        frozen.listen()
        assert answers(frozen.getsockname()[1])
        with pytest.raises(TimeoutError):
            serves(frozen.getsockname()[1])


def test_f127_who_asks_stops_before_who_answers(tmp_path):
    # The web; tasks and schedule; the gateways, while quotes still come; last the terminal and Redis they talk to.
    around = stack.Surroundings(tmp_path, tmp_path, stack.our_redis())
    specs = [
        stack.redis_process(around),
        stack.paper_terminal(around, ()),
        *stack.trading_processes(
            around, [stack.gateway(around, 1, "one"), stack.gateway(around, 2, "two")]
        ),
        stack.web(around, 8000),
        stack.flower(around, 5555, "admin", "secret"),
    ]
    stages: dict[int, set[str]] = {}
    for spec in specs:
        assert spec.stage is not None
        stages.setdefault(spec.stage, set()).add(spec.name)
    assert [stages[stage] for stage in sorted(stages, reverse=True)] == [
        {"web", "flower"},
        {"worker", "beat"},
        {"gateway-one", "gateway-two"},
        {"market_data"},
        {"paper_terminal", "redis"},
    ]


def test_what_up_starts_runs_on_its_own_settings(tmp_path, settings):
    settings.SETTINGS_MODULE = "somewhere.settings"
    spec = stack.Surroundings(tmp_path, tmp_path, stack.our_redis()).spec("worker", "celery")
    assert spec.env["DJANGO_SETTINGS_MODULE"] == "somewhere.settings"


@pytest.mark.parametrize(
    ("ceiling_mb", "holds_recording", "expected"),
    [
        (None, False, {"worker": 600, "web": 400, "redis": 400, "paper_terminal": 400}),
        (None, True, {"worker": 600, "web": 400, "redis": 400, "paper_terminal": 0}),
        (800, False, {"worker": 800, "web": 800, "redis": 800, "paper_terminal": 800}),
        (0, False, {"worker": 0, "web": 0, "redis": 0, "paper_terminal": 0}),
    ],
)
def test_each_kind_of_process_has_its_ceiling_of_memory(
    tmp_path, ceiling_mb, holds_recording, expected
):
    around = stack.Surroundings(tmp_path, tmp_path, stack.our_redis(), ceiling_mb=ceiling_mb)
    specs = [
        stack.redis_process(around),
        stack.paper_terminal(around, (), holds_recording),
        *stack.trading_processes(around, []),
        stack.web(around, 8000),
    ]
    found = {spec.name: spec.ceiling >> 20 for spec in specs if spec.name in expected}
    assert found == expected


def test_up_refuses_a_ceiling_below_nothing(settings):
    settings.MINIQMT_MEMORY_CEILING_MB = -1
    with pytest.raises(CommandError, match=r"MINIQMT_MEMORY_CEILING_MB is -1.*请填写"):
        up._ceiling()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (OrderState.APPROVED, True),  # not sent yet: the next gateway sends it
        (OrderState.SUBMITTING, False),
        (OrderState.SUBMITTED, True),
        (OrderState.UNKNOWN, True),  # it may take minutes, and waits for a proof whoever runs
    ],
)
def test_an_order_is_under_way_from_its_sending_to_its_answer(state, expected):
    ensure_demo_account()
    account = Account.objects.get()
    other = Account.objects.create(name="other", broker_account_id="8800000002", mode="demo")
    Order.objects.create(
        account=account, client_order_id="q1", decision_key="k", trade_date=NOW.date(),
        symbol="600036.SH", side="sell", kind="stop_loss", purpose="exit", quantity=100,
        chain_quantity=100, price=9, state=state, approved_at=NOW, expires_at=NOW,
        config_revision=1,
    )  # fmt: skip
    assert up._nothing_under_way(account.pk) is expected
    assert up._nothing_under_way(other.pk)


def test_our_redis_answers_only_to_its_password(tmp_path):
    with embedded_redis(tmp_path) as server:
        assert ask_redis(server.port, PASSWORD, "PING") == "+PONG"
        assert ask_redis(server.port, "another", "PING").startswith("-NOAUTH")


def test_a_redis_that_a_killed_start_left_is_ended_and_nobody_elses(tmp_path):
    with installed_redis(tmp_path) as server:
        stack.end_left_redis(server.url.replace(PASSWORD, "another"))
        assert ask_redis(server.port, PASSWORD, "PING") == "+PONG"
        stack.end_left_redis(server.url)
        wait_until(lambda: not answers(server.port))


def test_an_installed_redis_gets_a_password_and_keeps_nothing_on_disk():
    redis = stack.our_redis()
    assert redis.port < 32_768, (
        "outgoing calls of Linux get a port from there on, of Windows from 49,152"
    )
    lines = stack.redis_config(redis).splitlines()
    assert f"requirepass {redis.password}" in lines
    assert {f"bind {HOST}", 'save ""', "appendonly no"} <= set(lines)
    assert redis.url == f"redis://:{redis.password}@{HOST}:{redis.port}/0"


@pytest.mark.django_db
def test_the_demo_account_is_made_once_and_only_where_there_is_none():
    assert ensure_demo_account()
    assert not ensure_demo_account()
    account = Account.objects.get()
    assert (account.name, account.mode) == ("demo", "demo")
    assert TradingConfig.objects.get(account=account).auto_trading_enabled
    assert all(
        name.startswith("演示") for name in Instrument.objects.values_list("name", flat=True)
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"speed": 21.0}, "at most 20"),
        ({"replay": "no-such-file.csv"}, "no file or folder"),
        ({"replay": __file__}, "another market"),
    ],
)
def test_up_refuses_what_cannot_work_before_it_starts_anything(
    tmp_path: Path, settings, options, problem
):
    settings.HOME = tmp_path
    write_run_file(tmp_path, {"source": "demo"})
    (tmp_path / "paper.sqlite3").touch()
    with pytest.raises(CommandError, match=problem):
        call_command("up", **options)
    assert json.loads((tmp_path / "run.json").read_text("utf-8")) == {"source": "demo"}
