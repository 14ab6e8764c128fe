"""The page of the alerts and the channels in the admin: who sees what, who may do what, and what is never shown."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from monitoring.alerts.collect import collect
from monitoring.console.paging import PAGE
from monitoring.models import Alert, AlertChannel, Heartbeat
from tests.integration.alert_scenes import NUMBER, AlertDesk
from tests.integration.record_scenes import HOSTILE, person, text, words_of
from tests.loopback import listening
from trading.models import Event, EventLevel

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

SECRET = "topsecretkey"
ADDRESS = f"json://127.0.0.1:9/{SECRET}"


@pytest.fixture
def desk(db, tmp_path) -> AlertDesk:
    return AlertDesk(tmp_path)


@pytest.fixture
def reader(desk) -> Client:
    return person("view_account")


@pytest.fixture
def duty(desk) -> Client:
    return person("view_account", "operate")


@pytest.fixture
def keeper(desk) -> Client:
    names = [f"{act}_alertchannel" for act in ("add", "change", "delete", "view")]
    return person("view_account", *names, staff=True)


def told(desk: AlertDesk, *events: tuple[str, str, str]) -> None:
    for code, words, symbol in events:
        desk.event(code, words, words, symbol=symbol)
    desk.round()


# -- the page


def test_the_page_shows_each_alert_and_what_became_of_it(desk, reader):
    desk.channel(url=ADDRESS)
    told(desk, ("ORDER_UNKNOWN", f"order of {NUMBER} unknown", "600036.SH"))
    page = words_of(text(reader, "alerts"))
    for word in ("critical", "ORDER_UNKNOWN", "600036.SH", "order of …3456 unknown", "ops sent"):
        assert word in page, word
    assert "Critical alerts to be acknowledged: 1" in page


def test_only_what_the_market_clock_timed_is_called_market_time(desk, reader):
    told(desk, ("ORDER_UNKNOWN", "order unknown", ""))
    assert "market time" in words_of(text(reader, "alerts"))
    Alert.objects.update(source="settings")
    page = words_of(text(reader, "alerts"))
    assert "market time" not in page
    assert "happened" in page


def test_neither_an_address_nor_a_number_is_on_the_page(desk, reader):
    desk.channel(url=ADDRESS)
    desk.works = False
    told(desk, ("ORDER_UNKNOWN", f"order of {NUMBER} unknown", ""))
    page = text(reader, "alerts")
    assert SECRET not in page
    assert NUMBER not in page
    assert "json://••••" in page


def test_hostile_words_are_words(desk, reader):
    told(desk, ("ORDER_UNKNOWN", HOSTILE, HOSTILE[:12]))
    assert HOSTILE not in text(reader, "alerts")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, {"ORDER_UNKNOWN", "ORDER_REJECTED", "GRID_STARTED"}),
        ({"severity": "30"}, {"ORDER_UNKNOWN", "ORDER_REJECTED"}),
        ({"category": "grid"}, {"GRID_STARTED"}),
        ({"state": "unacknowledged"}, {"ORDER_UNKNOWN"}),
        ({"state": "acknowledged"}, set()),
        ({"words": "600000"}, {"ORDER_REJECTED"}),
        ({"words": "nothing like it"}, set()),
    ],
)
def test_alerts_can_be_looked_for(desk, reader, query, shown):
    told(
        desk,
        ("ORDER_UNKNOWN", "a", "600036.SH"),
        ("ORDER_REJECTED", "b", "600000.SH"),
        ("GRID_STARTED", "c", ""),
    )
    found = set(
        re.findall(r'<small class="quiet">([A-Z_]+)</small>', text(reader, "alerts", **query))
    )
    assert found == shown


@pytest.mark.parametrize("name", ["severity", "category", "state", "account"])
def test_a_bad_value_is_named_and_not_applied_and_the_others_are(desk, reader, name):
    told(desk, ("ORDER_UNKNOWN", "a", "600036.SH"), ("ORDER_REJECTED", "b", "600000.SH"))
    page = text(reader, "alerts", **{name: "rubbish", "words": "600036"})
    assert "rubbish" in page
    assert "This filter was not applied" in page
    assert re.findall(r'<small class="quiet">([A-Z_]+)</small>', page) == ["ORDER_UNKNOWN"]


def test_pages_go_back_to_the_oldest_and_cost_the_same(
    desk, reader, django_assert_max_num_queries
):
    for number in range(PAGE + 2):
        desk.event("ORDER_REJECTED", symbol=f"{600000 + number}.SH")
    desk.round()
    with django_assert_max_num_queries(15):
        page = text(reader, "alerts")
    [older] = re.findall(r'href="([^"]+)" id="older"', page)
    assert page.count('<li id="a') == PAGE
    rest = reader.get(older.replace("&amp;", "&")).content.decode()
    assert rest.count('<li id="a') == 2
    assert "address of this page is damaged" in text(reader, "alerts", after="x")


def test_whether_the_monitor_outside_hears_us_is_on_the_page(desk, reader):
    Heartbeat.objects.create(at=desk.now, healthy=True, reached=False, answer="HTTP 500")
    page = words_of(text(reader, "alerts"))
    assert "the monitor outside could not be reached: HTTP 500" in page


def test_the_page_speaks_chinese(desk):
    told(desk, ("ORDER_UNKNOWN", "未知委托", ""))
    page = words_of(text(person("view_account", language="zh-hans"), "alerts"))
    assert "待确认的紧急告警： 1" in page
    assert "未知委托" in page


# -- acknowledging


def numbers() -> list[int]:
    return list(Alert.objects.order_by("pk").values_list("pk", flat=True))


def test_a_person_acknowledges_what_he_chose_and_his_name_stays(desk, duty):
    told(desk, ("ORDER_UNKNOWN", "a", "600036.SH"), ("ORDER_UNKNOWN", "b", "600000.SH"))
    chosen, other = numbers()
    response = duty.post(
        reverse("alerts-acknowledge"), {"alert": [chosen], "back": "/alerts/?severity=40"}
    )
    assert (response.status_code, response.url) == (302, "/alerts/?severity=40")
    row = Alert.objects.get(pk=chosen)
    assert row.acknowledged_by.startswith("p")
    assert Alert.objects.get(pk=other).acknowledged_at is None
    assert "Acknowledged: 1." in words_of(text(duty, "alerts"))


def test_looking_is_one_permission_and_acknowledging_another(desk, reader, duty):
    told(desk, ("ORDER_UNKNOWN", "a", ""))
    post = {"alert": numbers()}
    assert "Acknowledge the chosen" in text(duty, "alerts")
    assert "Acknowledge the chosen" not in text(reader, "alerts")
    assert reader.post(reverse("alerts-acknowledge"), post).status_code == 403
    assert person("operate").post(reverse("alerts-acknowledge"), post).status_code == 403
    assert Client().post(reverse("alerts-acknowledge"), post).status_code == 302
    assert person().get(reverse("alerts")).status_code == 403
    assert duty.get(reverse("alerts-acknowledge")).status_code == 405
    guarded = Client(enforce_csrf_checks=True)
    guarded.cookies = duty.cookies
    assert guarded.post(reverse("alerts-acknowledge"), post).status_code == 403
    assert Alert.objects.get().acknowledged_at is None


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "javascript:1", ""])
def test_it_leads_back_to_this_house_only(desk, duty, back):
    response = duty.post(reverse("alerts-acknowledge"), {"alert": ["x", "9" * 40], "back": back})
    assert response.url == reverse("alerts")


# -- channels


ADD = "admin:monitoring_alertchannel_add"
CHANGE = "admin:monitoring_alertchannel_change"


def form(**changed: object) -> dict[str, object]:
    return {"name": "ops", "enabled": "on", "address": ADDRESS, "minimum": "20", "language": "both",
            "quiet_from": "", "quiet_until": "", "escalation_minutes": "0", **changed}  # fmt: skip


def test_an_address_is_kept_used_and_never_shown_again(desk, keeper):
    assert keeper.post(reverse(ADD), form()).status_code == 302
    channel = AlertChannel.objects.get()
    assert channel.url == ADDRESS
    pages = [reverse(CHANGE, args=[channel.pk]), reverse("admin:monitoring_alertchannel_changelist"),
             reverse("admin:monitoring_alertchannel_history", args=[channel.pk]), reverse("alerts")]  # fmt: skip
    for page in pages:
        assert SECRET not in keeper.get(page).content.decode()
    changed = form(address="", minimum="30")
    assert keeper.post(reverse(CHANGE, args=[channel.pk]), changed).status_code == 302
    channel.refresh_from_db()
    assert (channel.url, channel.minimum) == (ADDRESS, 30)


def test_who_made_and_changed_a_channel_is_in_the_journal_and_the_address_is_not(desk, keeper):
    keeper.post(reverse(ADD), form())
    pk = AlertChannel.objects.get().pk
    keeper.post(reverse(CHANGE, args=[pk]), form(address=f"{ADDRESS}2"))
    keeper.post(reverse("admin:monitoring_alertchannel_delete", args=[pk]), {"post": "yes"})
    rows = Event.objects.filter(code="ALERT_CHANNEL_CHANGED").order_by("pk")
    assert [row.text_en.split()[1] for row in rows] == ["made", "changed", "deleted"]
    logged = " ".join(row.change_message for row in LogEntry.objects.all())
    assert SECRET not in logged + " ".join(row.text_en + row.text_zh for row in rows)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"address": ""}, "A channel needs an address"),
        ({"address": f"nonsense://{SECRET}"}, "This address cannot be used"),
        ({"quiet_from": "22:00"}, "Quiet hours need both times"),
        ({"minimum": "99"}, "99"),
    ],
)
def test_a_bad_channel_is_refused_with_its_reason_and_nothing_else_is_lost(
    desk, keeper, changed, said
):
    response = keeper.post(reverse(ADD), form(**changed))
    page = response.content.decode()
    assert response.status_code == 200
    assert said in page
    assert 'value="ops"' in page
    assert SECRET not in page
    assert not AlertChannel.objects.exists()


def test_the_button_sends_at_once_and_shows_what_was_answered(desk, keeper):
    with listening() as there:
        address = f"json://127.0.0.1:{there.port}/{SECRET}"
        response = keeper.post(reverse(ADD), form(address=address, _test="1"), follow=True)
    assert "Ops: sent." in words_of(response.content.decode())
    assert there.came[0][0] == f"/{SECRET}"
    channel = AlertChannel.objects.get()
    post = {"action": "try_it", "_selected_action": [channel.pk]}
    response = keeper.post(reverse("admin:monitoring_alertchannel_changelist"), post, follow=True)
    page = response.content.decode()
    assert "Ops: not sent." in page
    assert "Connection error" in page
    assert SECRET not in page


def test_a_reader_of_channels_sees_no_address_and_cannot_test(desk):
    channel = desk.channel(url=ADDRESS)
    viewer = person("view_alertchannel", staff=True)
    page = viewer.get(reverse(CHANGE, args=[channel.pk])).content.decode()
    assert SECRET not in page
    assert "_test" not in page
    assert viewer.post(reverse(CHANGE, args=[channel.pk]), form(_test="1")).status_code == 403


def test_a_change_of_a_channel_is_an_alert_itself(desk, keeper):
    desk.channel("other")
    keeper.post(reverse(ADD), form())
    collect(desk.now + timedelta(seconds=10), desk.home)
    assert Alert.objects.filter(code="ALERT_CHANNEL_CHANGED").count() == 1
    assert Event.objects.get(code="ALERT_CHANNEL_CHANGED").level == EventLevel.WARNING
