"""What programs may ask of the web: is it alive, may it trade, what does it measure; and the sign of life it gives."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from monitoring import views
from monitoring.console.build import build
from monitoring.console.shared import SharedConsole
from monitoring.models import Finding, Heartbeat
from monitoring.ping import ping
from monitoring.services.heartbeat import beat
from monitoring.services.readiness import _against, readiness
from monitoring.task_times import NAME, TaskTimes, read_task_times
from tests.integration.record_scenes import person
from tests.integration.test_health import House
from tests.ledgers import turn_into
from tests.loopback import listening
from trading.domain.calendar import MarketPhase
from trading.models import Account, Order, TradingConfig

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

TOKEN = "a-long-random-text"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def house(calendar, tmp_path, monkeypatch, settings) -> House:
    settings.HOME, settings.MINIQMT_METRICS_TOKEN = tmp_path, TOKEN
    house = House(tmp_path)
    house.look()

    def now():
        return house.real

    for module in ("monitoring.health_views.timezone", "monitoring.views.timezone"):
        monkeypatch.setattr(f"{module}.now", now)
    console = SharedConsole(lambda real: build(real, house.quotes, tmp_path))
    monkeypatch.setattr(views, "console_now", console)
    return house


@pytest.fixture
def anybody() -> Client:
    return Client()


# -- alive


def test_anybody_may_ask_whether_it_lives_and_learns_nothing_else(
    anybody, django_assert_num_queries
):
    with django_assert_num_queries(0):
        response = anybody.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert anybody.post("/healthz").status_code == 405


# -- who may ask for more


@pytest.mark.parametrize("name", ["ready", "metrics"])
def test_more_is_said_only_to_the_token_or_to_whoever_may_view_accounts(house, anybody, name):
    path = reverse(name)
    assert anybody.get(path, headers=BEARER).status_code == 200
    assert person("view_account").get(path).status_code == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"},
                    {"Authorization": "Bearer "}):  # fmt: skip
        response = anybody.get(path, headers=headers)
        assert response.status_code == 401
        assert b"demo" not in response.content
    assert person().get(path).status_code == 401
    assert anybody.post(path, headers=BEARER).status_code == 405


@pytest.mark.parametrize("name", ["ready", "metrics"])
def test_without_a_token_in_the_settings_no_token_opens_anything(house, anybody, settings, name):
    settings.MINIQMT_METRICS_TOKEN = ""
    for shown in ("Bearer ", "Bearer None", f"Bearer {TOKEN}"):
        assert anybody.get(reverse(name), headers={"Authorization": shown}).status_code == 401


# -- ready


def reasons(house: House) -> set[str]:
    state = readiness(house.real)
    return {one.code for one in (*state.reasons, *(r for a in state.accounts for r in a.reasons))}


def test_a_house_that_works_is_ready_and_says_so(house, anybody):
    response = anybody.get("/readyz", headers=BEARER)
    assert response.status_code == 200
    said = response.json()
    assert said["ready"] is True
    assert said["accounts"] == [{"name": "demo", "ready": True, "phase": "morning", "reasons": []}]


def halt(house):
    Account.objects.update(trading_state="halted", trading_state_reason={"en": "by hand", "zh": "人工"})  # fmt: skip


def auto_off(house):
    TradingConfig.objects.update(auto_trading_enabled=False)


def observe(house):
    Account.objects.update(gateway_status="observing", gateway_reason={"en": "no login", "zh": "未登录"})  # fmt: skip


def break_settings(house):
    TradingConfig.objects.update(stop_loss_ratio=3)


def stop_looking(house):
    house.real += timedelta(minutes=5)


def disable(house):
    Account.objects.update(enabled=False)


def feed_silent(house):
    house.dead.add("feed")
    house.look()
    house.look()


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (halt, "TRADING_HALTED"),
        (auto_off, "AUTO_OFF"),
        (observe, "GATEWAY_OBSERVING"),
        (break_settings, "CONFIG_INVALID"),
        (stop_looking, "HEALTH_NOT_CHECKED"),
        (disable, "NO_ACCOUNT"),
        (feed_silent, "FEED_SILENT"),
    ],
)
def test_what_stands_against_trading_is_named_with_503(house, anybody, harm, code):
    harm(house)
    response = anybody.get("/readyz", headers=BEARER)
    assert response.status_code == 503
    assert code in reasons(house)
    assert code in response.content.decode()
    assert response.json()["ready"] is False


def test_what_wants_a_person_later_is_no_reason(house):
    for code, level in (("SOURCE_LATE", "warning"), ("CALENDAR_ENDS_SOON", "alarm")):
        Finding.objects.create(
            account=house.account, code=code, level=level, text_en="x", text_zh="x",
            since=house.begin, seen_at=house.real,
        )  # fmt: skip
    assert reasons(house) == set()


# -- metrics


def measured(client: Client) -> dict[str, float]:
    text = client.get("/metrics", headers=BEARER).content.decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}


def test_metrics_are_those_of_the_rows(house, anybody):
    Order.objects.create(
        account=house.account, client_order_id="u1", decision_key="k", symbol="600036.SH",
        trade_date=house.begin.date(), side="sell", kind="stop_loss", purpose="exit",
        quantity=100, chain_quantity=100, price=10, state="unknown", approved_at=house.begin,
        expires_at=house.begin, config_revision=1,
    )  # fmt: skip
    said = measured(anybody)
    assert said['miniqmt_orders_today{account="demo",state="unknown"}'] == 1
    assert said['miniqmt_orders_unknown{account="demo"}'] == 1
    assert said['miniqmt_account_ready{account="demo"}'] == 1
    assert said['miniqmt_protection_off{account="demo"}'] == 1
    assert said['miniqmt_quote_age_seconds{account="demo"}'] == 0
    assert said['miniqmt_tick_age_seconds{account="demo",tick="strategy"}'] == 0
    assert said["miniqmt_alerts_waiting"] == 0


def test_labels_are_bounded_and_name_neither_symbols_nor_numbers_of_accounts(house, anybody):
    text = anybody.get("/metrics", headers=BEARER).content.decode()
    labels = set(re.findall(r'(\w+)="', text))
    assert labels <= {"account", "tick", "task", "state", "code", "status", "process"}
    assert "600036" not in text
    assert house.account.broker_account_id not in text


def test_a_file_says_how_long_tasks_took_and_how_processes_are(house, anybody, tmp_path):
    times = TaskTimes(tmp_path / NAME)
    times.begin("1")
    times.end("1", "trading.sync")
    times.end("2", "never.begun")
    assert set(read_task_times(tmp_path)) == {"trading.sync"}
    (tmp_path / "run.json").write_text(
        '{"processes": [{"name": "worker", "state": "running", "pid": 0, "restarts": 2}, 7]}'
    )
    said = measured(anybody)
    assert said['miniqmt_task_duration_seconds{task="trading.sync"}'] >= 0
    assert said['miniqmt_process_restarts{process="worker"}'] == 2


# -- the sign of life


def test_the_monitor_outside_is_told_once_a_minute_that_everything_works(house):
    with listening() as there:
        url = f"http://127.0.0.1:{there.port}/secret"
        assert beat(house.real, url)
        assert not beat(house.real + timedelta(seconds=10), url)
    assert there.came == [("/secret", "ok")]
    row = Heartbeat.objects.get()
    assert (row.healthy, row.reached, row.answer) == (True, True, "200")


def test_it_is_told_at_another_address_what_is_wrong_by_codes_alone(house):
    halt(house)
    with listening() as there:
        beat(house.real, f"http://127.0.0.1:{there.port}/secret")
    assert there.came == [("/secret/fail", "TRADING_HALTED")]
    assert Heartbeat.objects.get().healthy is False


def test_a_monitor_that_is_not_there_is_noted_and_not_alarmed(house):
    before = house.events()
    with listening(500) as there:
        beat(house.real, f"http://127.0.0.1:{there.port}/secret")
    row = Heartbeat.objects.get()
    assert (row.reached, row.answer, row.reached_at) == (False, "HTTP 500", None)
    assert house.events() == before


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/secret", "file:///etc/passwd", "nonsense"])
def test_an_address_that_does_not_work_ends_nothing(url):
    said = ping(url, "ok", 1)
    assert said["ok"] is False
    assert "secret" not in said["answer"]


def test_f132_a_monitor_that_never_answers_is_given_up():
    with listening(hangs=True) as there:
        said = ping(f"http://127.0.0.1:{there.port}/", "ok", 0.2)
    assert said == {"ok": False, "answer": "TimeoutError"}


def test_without_an_address_nothing_is_told(house):
    assert not beat(house.real, "")
    assert not Heartbeat.objects.exists()


def test_a_shadow_account_needs_its_gateway_as_any_other_does(house):
    turn_into("shadow")
    Account.objects.update(gateway_status="observing")
    against = _against(Account.objects.get(), MarketPhase.MORNING)
    assert "GATEWAY_OBSERVING" in {one.code for one in against}


def test_an_account_that_was_led_back_from_live_is_not_ready(house):
    turn_into("live")
    assert "WITHDRAWN" not in reasons(house)
    Account.objects.update(stage="withdrawn")
    assert "WITHDRAWN" in reasons(house)
