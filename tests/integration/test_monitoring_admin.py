"""The admin of monitoring: tasks are paused by a person with a reason; reports and findings are read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask, PeriodicTasks
from django_celery_beat.schedulers import DatabaseScheduler

from miniqmt.celery import app
from monitoring.models import DayReport, Finding
from trading.models import Account, Event, TradingConfig

pytestmark = [pytest.mark.system, pytest.mark.django_db]

NUMBER = "8800123456"


@pytest.fixture
def account(db) -> Account:
    account = Account.objects.create(name="one", broker_account_id=NUMBER, mode="demo")
    TradingConfig.objects.create(account=account)
    return account


@pytest.fixture
def tasks(connection_kept) -> None:
    start_beat()


def start_beat() -> DatabaseScheduler:
    """What beat does at its start: write the schedule of the code into its tables."""
    scheduler = DatabaseScheduler(app=app, lazy=False)
    scheduler._finalize.cancel()  # else it writes when the tests end, and not to the tests' database
    return scheduler


def client_of(language: str = "en", *, superuser: bool = True) -> Client:
    users = get_user_model().objects
    name = f"boss-{superuser}"
    user = users.filter(username=name).first() or users.create_user(
        name, password="x", is_staff=True, is_superuser=superuser
    )
    client = Client(headers={"accept-language": language})
    client.force_login(user)
    return client


def task_page(name: str) -> str:
    row = PeriodicTask.objects.get(name=name)
    return reverse("admin:django_celery_beat_periodictask_change", args=[row.pk])


def switch(client: Client, name: str, on: bool, why: str = "maintenance", **more: str):
    data = {"why": why, **({"enabled": "on"} if on else {}), **more}
    return client.post(task_page(name), data, follow=True)


def events() -> list[tuple[str, str, str]]:
    return list(Event.objects.order_by("pk").values_list("code", "level", "actor"))


@pytest.mark.usefixtures("tasks")
def test_a_paused_tick_is_an_alarm_that_names_who_and_stays_paused_when_beat_starts_again(account):
    client = client_of()
    before = PeriodicTasks.last_change()
    switch(client, "strategy", False)
    assert not PeriodicTask.objects.get(name="strategy").enabled
    assert PeriodicTasks.last_change() > before  # a running beat reads its tables again
    assert events() == [("TASK_PAUSED", "alarm", "boss-True")]
    event = Event.objects.get()
    assert "maintenance" in event.text_en
    assert "网关" in event.text_zh

    assert "strategy" not in start_beat().schedule
    assert not PeriodicTask.objects.get(name="strategy").enabled

    switch(client, "strategy", True, "done")
    assert "strategy" in start_beat().schedule
    assert [code for code, _, _ in events()] == ["TASK_PAUSED", "TASK_RESUMED"]


@pytest.mark.usefixtures("tasks", "account")
def test_pausing_what_no_order_depends_on_is_no_alarm():
    switch(client_of(), "day_report", False)
    assert events() == [("TASK_PAUSED", "warning", "boss-True")]


@pytest.mark.usefixtures("tasks", "account")
def test_nothing_but_the_switch_can_be_changed_and_only_with_a_reason():
    client, before = client_of(), PeriodicTask.objects.get(name="orders")
    switch(client, "orders", False, why="")
    assert PeriodicTask.objects.get(name="orders").enabled
    switch(client, "orders", False, task="os.system", queue="other", interval="1")
    after = PeriodicTask.objects.get(name="orders")
    assert not after.enabled
    for field in ("task", "queue", "interval_id", "expire_seconds"):
        assert getattr(after, field) == getattr(before, field)


@pytest.mark.usefixtures("tasks", "account")
def test_a_switch_that_changes_nothing_says_so_and_is_no_event():
    response = switch(client_of(), "orders", True)
    assert "It was so already" in response.content.decode()
    assert events() == []


@pytest.mark.usefixtures("tasks")
def test_who_may_not_trade_may_not_pause():
    assert switch(client_of(superuser=False), "orders", False).status_code == 403
    assert PeriodicTask.objects.get(name="orders").enabled


@pytest.mark.usefixtures("tasks")
@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ("Periods and queues belong to the code", "does not stop trading")),
        ("zh-hans", ("周期与队列由代码", "并不会停止交易")),
    ],
)
def test_the_page_says_whose_the_period_is_and_what_a_pause_means(language, said):
    page = client_of(language).get(task_page("strategy")).content.decode()
    for sentence in said:
        assert sentence in page


def test_the_pages_of_schedules_are_gone():
    for model in ("crontabschedule", "clockedschedule", "solarschedule", "intervalschedule"):
        with pytest.raises(NoReverseMatch):
            reverse(f"admin:django_celery_beat_{model}_changelist")
    assert PeriodicTask in admin.site._registry


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_reports_and_findings_are_read_in_both_languages(account, language):
    now = timezone.now()
    amounts = dict.fromkeys(("bought", "sold", "commission", "stamp_duty", "transfer_fee"), 0)
    report = DayReport.objects.create(
        account=account, on=now.date(), orders=1, fills=1, made_at=now, **amounts,
        equity=Decimal("1000.50"), equity_before=Decimal("1001"), denials={"AUTO_OFF": 2},
        positions=[{"symbol": "600036.SH", "quantity": 100, "cost": "10", "close": None, "value": None}],
    )  # fmt: skip
    finding = Finding.objects.create(
        account=account, code="FEED_SILENT", level="alarm", since=now, seen_at=now,
        text_en=f"No quote for {NUMBER}.", text_zh=f"{NUMBER} 没有行情。",
    )  # fmt: skip
    client = client_of(language)
    for row in (report, finding):
        name = row._meta.model_name
        for url in (
            reverse(f"admin:monitoring_{name}_changelist"),
            reverse(f"admin:monitoring_{name}_change", args=[row.pk]),
        ):
            response = client.get(url)
            assert response.status_code == 200
            assert NUMBER not in response.content.decode()
            assert client.post(url, {}).status_code in (200, 302, 403)
    page = client.get(reverse("admin:monitoring_dayreport_change", args=[report.pk]))
    html = page.content.decode()
    assert "600036.SH" in html
    assert "AUTO_OFF × 2" in html
    assert "-0.50" in html
