"""From the outbox to people, with the real library and a server that answers, fails, hangs or is not there."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from monitoring.alerts import deliver as delivery
from monitoring.alerts import sender
from monitoring.alerts.channels import Answer, check_apart, send_apart
from monitoring.alerts.collect import collect
from monitoring.alerts.deliver import FILE, deliver, file_unsent
from monitoring.alerts.process import end_delivery, start_delivery
from monitoring.alerts.rules import ATTEMPTS, LISTED, MESSAGES, wait_after
from monitoring.models import Alert, AlertChannel, AlertDelivery, Severity
from tests.integration.alert_scenes import AlertDesk, send_here
from tests.loopback import listening
from trading.models import EventLevel

pytestmark = [pytest.mark.unattended, pytest.mark.django_db]

SECRET = "topsecretkey"
HOSTILE = (
    "<script>alert(1)</script> **bold** @all [x](http://evil)\r\nBcc: a@b.c \x00\x1b[31m\u202e 🚀"
)


@pytest.fixture
def desk(db, tmp_path) -> AlertDesk:
    return AlertDesk(tmp_path)


def message(body: str = "words", title: str = "title") -> dict[str, str]:
    return {"title": title, "body": body, "kind": "warning"}


# -- what the other side does


@pytest.mark.parametrize(("code", "ok"), [(200, True), (204, True), (403, False), (500, False)])
def test_what_the_other_side_answers_is_said(code, ok):
    with listening(code) as there:
        [answer] = send_here(f"json://127.0.0.1:{there.port}/{SECRET}", [message()])
    assert answer.ok is ok
    assert ok or str(code) in answer.text
    assert there.bodies()[0]["message"] == "words"


@pytest.mark.parametrize(
    "url",
    [
        f"json://user:{SECRET}@127.0.0.1:9/{SECRET}",
        f"nonsense://{SECRET}",
        SECRET,
        "",
    ],
)
def test_an_address_is_in_no_answer_and_no_log(url, caplog):
    with caplog.at_level(logging.DEBUG):
        [answer] = send_here(url, [message()])
    assert not answer.ok
    assert answer.text
    assert SECRET not in answer.text + caplog.text


def test_f132_a_receiver_that_never_answers_is_given_up_in_time():
    with listening(hangs=True) as there:
        url = f"json://127.0.0.1:{there.port}/{SECRET}?rto=60"
        answers = send_apart(url, [message(), message()], within=3)
    assert answers == [Answer(False, "no answer within 3 s")] * 2


def test_the_sender_runs_apart_and_takes_the_address_from_nobody_s_arguments():
    with listening() as there:
        [answer] = send_apart(f"json://127.0.0.1:{there.port}/{SECRET}", [message("行情 🚀")])
    assert answer.ok
    [(path, _)], [body] = there.came, there.bodies()
    assert (path, body["message"], body["type"]) == (f"/{SECRET}", "行情 🚀", "warning")


@pytest.mark.parametrize(
    ("url", "ok"),
    [("wecombot://abcdefghijklmnopqrstuvwxyz", True), ("tgram://not-a-token", False)],
)
def test_an_address_is_checked_before_it_is_kept(url, ok):
    answer = check_apart(url)
    assert answer.ok is ok
    assert ok or answer.text


def test_hostile_words_arrive_as_words():
    with listening() as there:
        url = f"json://127.0.0.1:{there.port}/"
        [answer] = send_here(url, [message(HOSTILE * 200, HOSTILE)])
    assert answer.ok
    [body] = there.bodies()
    assert len(body["message"]) <= sender.BODY
    assert "\n" not in body["title"]
    for unwanted in ("@", "\x00", "\x1b", "\u202e", "\r"):
        assert unwanted not in body["message"] + body["title"]
    assert "🚀" in body["message"]


def test_form_and_xml_receivers_get_hostile_words_escaped():
    for scheme in ("form", "xml"):
        with listening() as there:
            [answer] = send_here(f"{scheme}://127.0.0.1:{there.port}/", [message(HOSTILE)])
        assert answer.ok
        assert "<script>" not in there.came[0][1]


# -- retries


def test_what_fails_is_tried_again_after_growing_waits_and_then_given_up(desk):
    desk.channel()
    desk.works = False
    desk.event("ORDER_UNKNOWN")
    desk.round()
    waits = []
    row = AlertDelivery.objects.get()
    while row.state == "waiting":
        waits.append((row.next_attempt_at - desk.now).total_seconds())
        desk.round(after=waits[-1])
        row.refresh_from_db()
    assert row.attempts == ATTEMPTS
    assert waits == [30, 60, 120, 240, 480, 960, 1800, 1800]
    assert row.state == "failed"
    assert row.answer == "refused"
    assert wait_after(ATTEMPTS) is None


def test_a_channel_that_works_again_gets_what_waited_once(desk):
    channel = desk.channel()
    desk.works = False
    desk.event("ORDER_UNKNOWN")
    desk.round()
    channel.refresh_from_db()
    assert channel.last_problem == "refused"
    desk.works = True
    for _ in range(3):
        desk.round(after=60)
    assert len(desk.told()) == 1
    channel.refresh_from_db()
    assert channel.last_problem == ""


def test_a_sender_that_died_gives_back_what_it_had_claimed(desk):
    desk.channel()
    desk.event("ORDER_UNKNOWN")
    collect(desk.now + timedelta(seconds=10), desk.home)
    at = desk.now + timedelta(seconds=11)

    def dies(url, messages):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(dies, lambda: at)
    desk.now = at
    desk.round(after=60)
    assert desk.sent == []  # it may be on its way still
    desk.round(after=61)
    assert len(desk.told()) == 1


def test_two_senders_at_once_send_each_alert_once(desk):
    desk.channel()
    desk.event("ORDER_UNKNOWN")
    collect(desk.now + timedelta(seconds=10), desk.home)
    at = desk.now + timedelta(seconds=11)
    second = []

    def slow(url, messages):
        second.append(deliver(lambda *_: pytest.fail("it was claimed"), lambda: at))
        return [Answer(True, "ok") for _ in messages]

    assert deliver(slow, lambda: at) == 1
    assert second == [0]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_inside_a_transaction(desk):
    desk.channel()
    desk.event("ORDER_UNKNOWN")
    collect(desk.now + timedelta(seconds=10), desk.home)
    inside = []

    def send(url, messages):
        inside.append(connection.in_atomic_block)
        return [Answer(True, "ok") for _ in messages]

    deliver(send, lambda: desk.now + timedelta(seconds=11))
    assert inside == [False]


def test_f112_the_process_that_delivers_is_not_waited_for_and_there_is_one_at_a_time():
    hangs = [sys.executable, "-c", "import time; time.sleep(60)"]
    try:
        assert start_delivery(hangs)
        assert not start_delivery(hangs)
    finally:
        end_delivery()
    try:
        assert start_delivery([sys.executable, "-c", ""])
    finally:
        end_delivery()


def test_a_channel_that_failed_of_late_holds_up_no_other(desk):
    for name in ("hangs", "ops"):
        desk.channel(name)
    AlertChannel.objects.filter(name="hangs").update(last_problem="no answer within 20 s")
    desk.event("ORDER_UNKNOWN")
    desk.round()
    assert [url.rsplit("/", 1)[1] for url, _ in desk.sent] == ["ops", "hangs"]


# -- not too much at once


def test_many_alerts_at_once_are_one_message_that_counts_them(desk):
    desk.channel()
    for number in range(LISTED + 5):
        desk.event("ORDER_REJECTED", symbol=f"{600000 + number}.SH")
    desk.round()
    [(_, said)] = desk.sent
    assert f"{LISTED + 5} alerts" in said["title"]
    assert "and 5 more" in said["body"]
    assert set(desk.states()) == {"sent"}


def test_after_many_messages_only_critical_ones_go_out_until_the_time_is_over(desk):
    desk.channel()
    for number in range(MESSAGES + 6):
        desk.event("ORDER_REJECTED", symbol=f"{600000 + number}.SH")
        desk.round()
    assert len(desk.told()) == MESSAGES
    desk.event("ORDER_UNKNOWN")
    desk.round()
    assert "outcome of an order unknown" in desk.told()[-1]
    desk.round(after=600)
    assert "waiting" not in desk.states()
    assert "6 alerts" in desk.told()[-1]  # what waited goes out together


@pytest.mark.parametrize(
    ("language", "has", "lacks"),
    [("zh", "发生", "happened"), ("en", "happened", "发生"), ("both", "发生", "")],
)
def test_a_channel_speaks_its_language(desk, language, has, lacks):
    desk.channel(language=language)
    desk.event("ORDER_UNKNOWN")
    desk.round()
    [(_, said)] = desk.sent
    assert has in said["body"]
    assert not lacks or lacks not in said["body"]


# -- nobody can be reached


@pytest.mark.parametrize("why", ["no channel", "not for any channel", "refused"])
def test_what_no_channel_takes_is_in_a_file_once(desk, why):
    if why == "not for any channel":
        desk.channel(categories=["report"])
    elif why == "refused":
        desk.channel()
        desk.works = False
    desk.event("ORDER_UNKNOWN", "it\nhappened")
    desk.event("GRID_STARTED", level=EventLevel.INFO)
    for _ in range(4):
        desk.round(after=60)
    [line] = (desk.home / FILE).read_text(encoding="utf-8").splitlines()
    assert "ORDER_UNKNOWN" in line
    assert "it happened" in line
    assert Alert.objects.get(code="ORDER_UNKNOWN").filed_at is not None


def test_what_a_channel_takes_or_waits_for_its_hour_is_not_in_the_file(desk):
    desk.channel()
    desk.event("ORDER_UNKNOWN")
    desk.round()
    assert not (desk.home / FILE).exists()


def test_what_nobody_sends_for_five_minutes_is_in_the_file(desk):
    desk.channel()
    desk.event("ORDER_UNKNOWN")
    collect(desk.now + timedelta(seconds=10), desk.home)
    assert file_unsent(desk.now + timedelta(minutes=4), desk.home) == 0
    assert file_unsent(desk.now + timedelta(minutes=6), desk.home) == 1


def test_the_file_is_rotated_and_bounded(desk, monkeypatch):
    monkeypatch.setattr(delivery, "FILE_BYTES", 500)
    monkeypatch.setattr(delivery, "FILES", 2)
    for number in range(12):
        desk.event("ORDER_UNKNOWN", "w" * 100, symbol=f"{600000 + number}.SH")
        desk.round()
    names = sorted(path.name for path in desk.home.glob(f"{FILE}*"))
    assert names == [FILE, f"{FILE}.1", f"{FILE}.2"]
    assert all(path.stat().st_size <= 500 for path in desk.home.glob(f"{FILE}*"))


# -- the command


def test_the_command_tries_a_channel_and_says_what_was_answered(desk, capsys):
    with listening() as there:
        desk.channel(url=f"json://127.0.0.1:{there.port}/{SECRET}")
        call_command("alerts", "test", "ops")
    assert "sent 已送达" in capsys.readouterr().out
    assert "ops" in there.bodies()[0]["message"]
    AlertChannel.objects.update(url=f"json://127.0.0.1:{there.port}/{SECRET}")
    with pytest.raises(CommandError, match="Not sent") as refused:
        call_command("alerts", "test", "ops")
    assert SECRET not in str(refused.value)
    with pytest.raises(CommandError, match="there are: ops"):
        call_command("alerts", "test", "oops")


def test_the_command_lists_alerts_and_channels_without_addresses(desk, capsys):
    desk.channel(url=f"json://127.0.0.1/{SECRET}", minimum=Severity.ALARM)
    desk.event("ORDER_UNKNOWN")
    collect(desk.now + timedelta(seconds=10), desk.home)
    call_command("alerts", "list")
    call_command("alerts", "channels")
    said = capsys.readouterr().out
    assert "CRITICAL demo ORDER_UNKNOWN" in said
    assert "json://••••" in said
    assert SECRET not in said
