"""From events to alerts: none is lost, none is told twice, repeats are one matter, and people answer for critical ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command

from monitoring.alerts import rules
from monitoring.alerts.collect import collect
from monitoring.alerts.rules import ChannelRules
from monitoring.models import Alert, AlertCursor, AlertDelivery, DayReport, Severity
from monitoring.run_file import read_run_file, started_again
from monitoring.services.alerting import acknowledge
from tests.integration.alert_scenes import NUMBER, REAL, AlertDesk
from tests.integration.scenes import STOCK, falling
from trading.domain.types import CHINA
from trading.models import Denial, Event, EventLevel, TradingConfig
from trading.services import config

pytestmark = [pytest.mark.unattended, pytest.mark.fast, pytest.mark.django_db]


@pytest.fixture
def desk(db, tmp_path) -> AlertDesk:
    return AlertDesk(tmp_path)


# -- never lost, never doubled


def test_each_event_is_told_once_however_often_one_looks(desk):
    desk.channel()
    desk.event("ORDER_UNKNOWN", symbol="600036.SH")
    desk.event("GRID_STARTED", level=EventLevel.INFO)
    for _ in range(4):
        desk.round()
    assert desk.alerts() == ["ORDER_UNKNOWN", "GRID_STARTED"]
    assert len(desk.sent) == 2


def test_two_rounds_of_one_moment_make_one(desk):
    desk.event("ORDER_UNKNOWN")
    later = desk.now + timedelta(seconds=10)
    assert collect(later, desk.home)
    assert not collect(later, desk.home)
    assert desk.alerts() == ["ORDER_UNKNOWN"]


def test_a_round_that_fails_has_read_nothing(desk, monkeypatch):
    desk.event("ORDER_UNKNOWN")
    desk.event("FEED_SILENT")
    with monkeypatch.context() as patch:
        patch.setattr(Alert.objects, "filter", None)  # whatever breaks in the middle of a round
        with pytest.raises(TypeError):
            desk.round()
    desk.round()
    assert desk.alerts() == ["ORDER_UNKNOWN", "FEED_SILENT"]


def test_an_event_whose_number_comes_late_is_waited_for(desk):
    """A number is given before its row can be seen: another row may be seen first."""
    desk.event("ORDER_UNKNOWN")
    first = Event.objects.get().pk
    values = {"account": desk.account, "at": desk.now, "level": "alarm", "text_en": "x", "text_zh": "x"}  # fmt: skip
    Event.objects.create(pk=first + 2, code="FEED_SILENT", **values)
    desk.round()
    assert desk.alerts() == ["ORDER_UNKNOWN"]
    Event.objects.create(pk=first + 1, code="QUOTE_OLD", **values)
    desk.round()
    assert desk.alerts() == ["ORDER_UNKNOWN", "QUOTE_OLD", "FEED_SILENT"]


def test_a_number_that_was_given_back_holds_nothing_up(desk):
    desk.event("ORDER_UNKNOWN")
    values = {"account": desk.account, "at": desk.now, "level": "alarm", "text_en": "x", "text_zh": "x"}  # fmt: skip
    Event.objects.create(pk=Event.objects.get().pk + 5, code="FEED_SILENT", **values)
    desk.round()
    desk.round()
    assert desk.alerts() == ["ORDER_UNKNOWN", "FEED_SILENT"]


def test_the_number_of_an_account_is_never_in_an_alert(desk):
    desk.channel()
    desk.event("BOOKS_DIFFER", f"account {NUMBER} differs", f"账户 {NUMBER} 有差异")
    desk.round()
    said = json.dumps([message for _, message in desk.sent], ensure_ascii=False)
    assert NUMBER not in said + Alert.objects.get().text_zh
    assert "…3456" in said


def test_a_code_that_nobody_has_classified_goes_out_by_its_level(desk):
    for level in EventLevel:
        desk.event("SOMETHING_NEW", symbol=level.value, level=level)
    desk.round()
    rows = Alert.objects.order_by("pk").values_list("severity", "category")
    assert list(rows) == [(10, "system"), (20, "system"), (30, "system")]


# -- repeats


def test_eleven_rejections_are_one_message_and_one_more_that_counts_them(desk):
    desk.channel()
    for number in range(11):
        desk.event("ORDER_REJECTED", f"order {number} rejected", symbol="600036.SH")
        desk.round()
    assert desk.alerts() == ["ORDER_REJECTED"]
    assert len(desk.told()) == 1
    desk.round(after=600)
    desk.round(after=600)
    assert len(desk.told()) == 2
    assert "×11" in desk.told()[1]


def test_after_its_time_the_same_matter_is_a_new_one(desk):
    desk.channel()
    for _ in range(2):
        desk.event("ORDER_REJECTED", symbol="600036.SH")
        desk.round(after=700)
    assert desk.alerts() == ["ORDER_REJECTED"] * 2
    assert len(desk.told()) == 2


@pytest.mark.parametrize(
    ("one", "other", "alerts"),
    [
        (("ORDER_REJECTED", "a", "600036.SH"), ("ORDER_REJECTED", "b", "600036.SH"), 1),
        (("ORDER_REJECTED", "a", "600036.SH"), ("ORDER_REJECTED", "a", "600000.SH"), 2),
        (("TICK_LATE", "The tick sync is late", ""), ("TICK_LATE", "The tick orders is late", ""), 2),
        (("TICK_LATE", "late for 30 s", ""), ("TICK_LATE", "late for 45 s", ""), 1),
    ],
)  # fmt: skip
def test_what_the_same_matter_is(desk, one, other, alerts):
    for code, words, symbol in (one, other):
        desk.event(code, words, symbol=symbol)
    desk.round()
    assert Alert.objects.count() == alerts


# -- the end of a matter


def test_whoever_was_told_of_a_matter_is_told_of_its_end(desk):
    desk.channel("ops", minimum=Severity.ALARM)
    desk.channel("reports", minimum=Severity.INFO, categories=["report"])
    desk.event("FEED_SILENT", "No quote")
    desk.round()
    desk.event("FEED_SILENT_OVER", "Over: No quote", level=EventLevel.INFO)
    desk.round()
    begun, ended = desk.told()
    assert "行情中断 ·" in begun
    assert "已恢复：行情中断 ·" in ended
    assert desk.told("reports") == []
    begun, ended = Alert.objects.order_by("pk")
    assert begun.over_at is not None
    assert ended.about == begun


def test_of_several_matters_of_one_code_the_right_one_ends(desk):
    desk.event("TICK_LATE", "The tick sync is late")
    desk.event("TICK_LATE", "The tick orders is late")
    desk.event("TICK_LATE_OVER", "Over: The tick sync is late", level=EventLevel.INFO)
    desk.round()
    over = Alert.objects.filter(over_at__isnull=False)
    assert [one.text_en for one in over] == ["The tick sync is late"]


def test_what_was_over_before_it_was_told_is_not_told(desk):
    night = datetime(2026, 8, 10, 15, 0, tzinfo=UTC)  # 23:00 in China
    desk.now = night
    desk.channel(quiet_from=time(22), quiet_until=time(8))
    desk.event("SNAPSHOT_OLD", "old")
    desk.round()
    desk.event("SNAPSHOT_OLD_OVER", "Over: old", level=EventLevel.INFO)
    desk.round()
    desk.round(after=12 * 3600)
    assert desk.sent == []
    assert desk.states() == ["dropped"]


# -- to whom, and when

QUIET = ChannelRules(20, quiet_from=time(22), quiet_until=time(8))


@pytest.mark.parametrize(
    ("local", "pages", "sent_at"),
    [
        ("2026-08-10 12:00", False, "2026-08-10 12:00"),
        ("2026-08-10 22:00", False, "2026-08-11 08:00"),
        ("2026-08-11 07:59", False, "2026-08-11 08:00"),
        ("2026-08-11 08:00", False, "2026-08-11 08:00"),
        ("2026-08-11 03:00", True, "2026-08-11 03:00"),
    ],
)
def test_quiet_hours_hold_back_what_pages_nobody(local, pages, sent_at):
    at = datetime.fromisoformat(local).replace(tzinfo=CHINA)
    expected = datetime.fromisoformat(sent_at).replace(tzinfo=CHINA)
    assert rules.not_before(QUIET, pages, at) == expected


def test_quiet_hours_within_one_day():
    lunch = ChannelRules(20, quiet_from=time(12), quiet_until=time(13))
    at = datetime(2026, 8, 10, 12, 30, tzinfo=CHINA)
    assert rules.not_before(lunch, False, at) == at.replace(hour=13, minute=0)


@pytest.mark.parametrize(
    ("channel", "severity", "category", "wanted"),
    [
        (ChannelRules(30), 20, "trade", False),
        (ChannelRules(30), 30, "trade", True),
        (ChannelRules(10, ["quotes"]), 40, "trade", False),
        (ChannelRules(10, ["quotes", "trade"]), 40, "trade", True),
    ],
)
def test_a_channel_gets_its_categories_from_its_severity_on(channel, severity, category, wanted):
    assert rules.wants(channel, severity, category) is wanted


def test_a_critical_alert_nobody_acknowledges_goes_to_further_channels(desk):
    desk.channel("ops")
    desk.channel("boss", minimum=Severity.CRITICAL, escalation_minutes=5)
    desk.event("ORDER_UNKNOWN")
    desk.event("ORDER_REJECTED")
    desk.round()
    desk.round(after=270)
    assert desk.told("boss") == []
    desk.round(after=30)
    desk.round(after=600)
    assert len(desk.told("boss")) == 1
    assert Alert.objects.get(code="ORDER_UNKNOWN").escalated_at is not None
    assert Alert.objects.get(code="ORDER_REJECTED").escalated_at is None


@pytest.mark.parametrize("how", ["acknowledged", "over"])
def test_what_somebody_has_seen_or_what_is_over_is_not_escalated(desk, how):
    desk.channel("boss", minimum=Severity.CRITICAL, escalation_minutes=5)
    desk.event("FEED_SILENT", "silent")
    desk.round()
    if how == "acknowledged":
        assert acknowledge([Alert.objects.get().pk], "ann", desk.now) == 1
    else:
        desk.event("FEED_SILENT_OVER", "Over: silent", level=EventLevel.INFO)
    desk.round(after=600)
    assert desk.told("boss") == []


def test_acknowledging_twice_keeps_the_first_name(desk):
    desk.event("ORDER_UNKNOWN")
    desk.round()
    pk = Alert.objects.get().pk
    assert acknowledge([pk], "ann", desk.now) == 1
    assert acknowledge([pk], "bob", desk.now) == 0
    assert Alert.objects.get().acknowledged_by == "ann"


def test_a_channel_that_is_switched_off_does_not_bring_old_news_later(desk):
    channel = desk.channel()
    desk.works = False
    desk.event("ORDER_UNKNOWN")
    desk.round()
    type(channel).objects.update(enabled=False)
    desk.works = True
    desk.round()
    type(channel).objects.update(enabled=True)
    desk.round(after=3600)
    assert desk.sent == []
    assert desk.states() == ["failed"]


# -- what alerts come from, beside the journal


@pytest.mark.usefixtures("calendar")
def test_a_stop_loss_that_fires_is_told_with_its_reason_and_its_fill(tmp_path):
    world = falling(book={})
    world.run(until="09:32:00")
    assert collect(REAL, tmp_path)
    order, fill = Alert.objects.filter(code__in=("STOP_LOSS", "FILL")).order_by("pk")
    assert (order.code, order.severity) == ("STOP_LOSS", Severity.ALARM)
    assert world.signals()[0].reason_zh in order.text_zh
    assert (fill.code, fill.symbol) == ("FILL", STOCK)
    assert "1,000 股" in fill.text_zh
    assert "Sold 1,000" in fill.text_en


def test_changed_settings_say_who_what_and_why(desk):
    TradingConfig.objects.create(account=desk.account)
    user = get_user_model().objects.create_user("ann")
    config.change(desk.account.pk, {"stop_loss_ratio": "-0.06"}, actor=user, why="calmer market")
    desk.round()
    [alert] = Alert.objects.filter(code="CONFIG_CHANGED")
    assert "ann changed the settings (stop-loss ratio: -0.075000 → -0.060000)" in alert.text_en
    assert "止损" in alert.text_zh
    for text in (alert.text_en, alert.text_zh):
        assert "calmer market" in text
        assert "_" not in text  # no name of a column


def test_who_may_do_what_is_told_when_it_changes_and_nothing_else_of_the_admin(desk):
    user = get_user_model().objects.create_user("ann")
    for model in (get_user_model(), Event):
        LogEntry.objects.create(
            user=user,
            content_type=ContentType.objects.get_for_model(model),
            object_id="1",
            object_repr="bob",
            action_flag=CHANGE,
        )
    desk.round()
    assert desk.alerts() == ["ACCESS_CHANGED"]
    assert "ann changed user bob" in Alert.objects.get().text_en


def test_a_protective_sale_that_is_held_back_is_an_alarm_and_other_denials_are_for_who_wants_them(
    desk,
):
    for kind, code in (
        ("stop_loss", "SUSPENDED"),
        ("add_on", "MARKET_CLOSED"),
        ("add_on", "CASH"),
    ):
        Denial.objects.create(
            account=desk.account, symbol="600036.SH", kind=kind, code=code, text_en="x",
            text_zh="x", at=desk.now, cleared_at=desk.now,
        )  # fmt: skip
    desk.event("SUSPENDED", "600036.SH is not sold: suspended", symbol="600036.SH")
    desk.round()
    rows = Alert.objects.order_by("pk").values_list("code", "severity", "category")
    assert list(rows) == [("EXIT_HELD_BACK", 30, "protection"), ("DENIED", 10, "trade")]


def test_the_day_report_goes_out_when_it_is_made(desk):
    DayReport.objects.create(
        account=desk.account, on="2026-08-10", orders=3, fills=2, bought=0, sold=0, commission=0,
        stamp_duty=0, transfer_fee=0, made_at=desk.now,
    )  # fmt: skip
    desk.round()
    assert desk.alerts() == ["DAY_REPORT"]
    assert "2 fills of 3 orders" in Alert.objects.get().text_en


def test_a_start_is_told_once_and_so_is_each_restart(desk):
    def runs(restarts: int, since: str) -> None:
        rows = [
            {"name": name, "restarts": number, "since": f"2026-08-10T{at}+00:00", "pid": 1}
            for name, number, at in (("worker", 0, "03:59:00"), ("web", restarts, since))
        ]
        (desk.home / "run.json").write_text(json.dumps({"processes": rows}), encoding="utf-8")

    runs(0, "03:59:00")
    desk.round()
    desk.round()
    assert desk.alerts() == ["STARTED"]
    runs(1, "04:05:00")
    desk.round()
    desk.round()
    assert desk.alerts() == ["STARTED", "PROCESS_RESTARTED"]
    assert "web" in Alert.objects.last().text_en


def test_a_restart_that_nobody_was_told_of_before_up_was_killed_is_told_by_the_next(desk):
    def row(name: str, restarts: int, at: str) -> dict[str, object]:
        return {"name": name, "restarts": restarts, "since": f"2026-08-10T{at}+00:00", "pid": 1}

    def runs(**content: object) -> None:
        (desk.home / "run.json").write_text(json.dumps(content), encoding="utf-8")

    runs(processes=[row("worker", 0, "03:59:00"), row("web", 1, "03:59:30")])
    desk.round()
    runs(processes=[row("worker", 1, "04:01:00"), row("web", 2, "04:00:30")])
    for at in ("04:02:00", "04:03:00"):  # killed twice, and no round in between
        earlier = started_again(read_run_file(desk.home))
        runs(earlier=earlier, processes=[row("worker", 0, at), row("web", 0, at)])
    desk.round()
    desk.round()

    said = {f"{one.code} {one.text_en.split()[2]}": one.count for one in Alert.objects.all()}
    again = "PROCESS_RESTARTED"
    assert said == {"STARTED has": 2, f"{again} web": 2, f"{again} worker": 1}


def test_processes_whose_long_names_begin_alike_are_told_apart_and_by_their_whole_names(desk):
    names = ("gateway-savings-of-anna", "gateway-savings-of-otto")
    for number, name in enumerate(names):
        row = {"name": name, "restarts": 1, "since": f"2026-08-10T04:0{number}:00+00:00"}
        rows = {
            "processes": [row, {**row, "name": names[0], "since": "2026-08-10T04:00:00+00:00"}]
        }
        (desk.home / "run.json").write_text(json.dumps(rows), encoding="utf-8")
        desk.round()
    said = Alert.objects.order_by("pk").values_list("text_en", flat=True)
    assert [text.split()[2] for text in said] == list(names)


def test_without_a_worker_the_command_makes_the_alerts_and_tells_once(desk, settings):
    settings.HOME = desk.home
    desk.event("PROTECTIVE_PASS")
    for _ in range(2):
        call_command("alerts", "round")
    assert desk.alerts() == ["PROTECTIVE_PASS"]
    assert (desk.home / "alerts.log").read_text("utf-8").count("PROTECTIVE_PASS") == 1


def test_alerts_are_kept_half_a_year(desk):
    desk.event("ORDER_UNKNOWN")
    desk.round()
    desk.now += timedelta(days=181)
    desk.event("FEED_SILENT")
    desk.round()
    assert desk.alerts() == ["FEED_SILENT"]
    assert AlertCursor.objects.get(source="event").position == Event.objects.last().pk


def test_deliveries_of_a_round_are_in_the_outbox_before_anything_is_sent(desk):
    desk.channel()
    desk.event("ORDER_UNKNOWN")
    collect(desk.now + timedelta(seconds=10), desk.home)
    [delivery] = AlertDelivery.objects.all()
    assert (delivery.state, delivery.attempts) == ("waiting", 0)
