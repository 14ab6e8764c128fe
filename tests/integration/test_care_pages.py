"""The pages of backups and of logs: what they tell, who may make a backup, and what is never handed out."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from monitoring import backup_files
from monitoring.care.backup import LOCK
from monitoring.care.listing import age
from monitoring.console.paging import PAGE
from monitoring.models import LogLine
from tests.integration.care_scenes import a_backup
from tests.integration.record_scenes import HOSTILE, person, text, words_of
from trading.domain.types import Text
from trading.management.one_instance import one_instance

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "HOME", tmp_path)
    return tmp_path


# -- backups


def test_each_backup_is_told_with_its_age_its_size_and_how_it_was_verified(home):
    a_backup(home, timedelta(hours=30))
    newest = a_backup(home, timedelta(hours=3))
    page = words_of(text(person("view_account"), "backups"))
    for words in (
        newest.name,
        "3 h ago",
        "1 d ago",
        "after the books",
        "3.0 MB",
        "1,234",
        "✓ restored",
    ):
        assert words in page, words
    assert "The newest: 3 h ago" in page


def test_a_backup_of_somebody_elses_is_told_apart_and_half_ones_are_named(home):
    a_backup(home, timedelta(hours=3), key="another installation")
    half = a_backup(home, timedelta(hours=5))
    backup_files.note_of(half).unlink()
    page = words_of(text(person("view_account"), "backups"))
    assert "⚠ not of this installation, or changed" in page
    assert f"{half.name}: no backup" in page


@pytest.mark.parametrize(
    ("ago", "words"),
    [(None, "There is no backup yet."), (timedelta(days=3), "more than two days old")],
)
def test_no_backup_or_an_old_one_is_said_in_words(home, ago, words):
    if ago is not None:
        a_backup(home, ago)
    assert words in words_of(text(person("view_account"), "backups"))


def test_why_the_newest_one_failed_is_said(home):
    backup_files.remember_failure(home, Text("no room", "空间不足"), timezone.now())
    assert "The newest one failed:" in (page := words_of(text(person("view_account"), "backups")))
    assert "no room" in page


def test_whoever_operates_makes_one_and_nobody_else(home):
    reader, operator = person("view_account"), person("view_account", "operate")
    assert "Make a backup now" not in text(reader, "backups")
    assert reader.post(reverse("backups-make")).status_code == 403
    assert operator.get(reverse("backups-make")).status_code == 405
    assert backup_files.list_backups(home, settings.SECRET_KEY) == []
    assert "Make a backup now" in text(operator, "backups")
    with one_instance(home / LOCK):  # another one is on its way
        answer = operator.post(reverse("backups-make"), follow=True)
    assert "Another backup is being made." in words_of(answer.content.decode())
    assert backup_files.list_backups(home, settings.SECRET_KEY) == []


def test_a_backup_cannot_be_had_from_the_page(home):
    path = a_backup(home, timedelta(hours=3))
    page = text(person("view_account", "operate"), "backups")
    assert not [link for link in re.findall(r'href="([^"]+)"', page) if path.name in link]


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=59), "刚刚"),
        (timedelta(seconds=60), "1 分钟前"),
        (timedelta(hours=23, minutes=59), "23 小时前"),
        (timedelta(hours=49), "2 天前"),
        (timedelta(seconds=-5), "刚刚"),
    ],
)
def test_an_age_is_said_in_its_largest_unit(passed, words):
    assert age(passed).zh == words


# -- logs


def line(level: str = "warning", ago: timedelta = timedelta(), **more: object) -> LogLine:
    fields = {"process": "worker", "logger": "trading.tasks", "text": "slow", **more}
    return LogLine.objects.create(at=timezone.now() - ago, level=level, **fields)


@pytest.fixture
def reader():
    return person("view_account", "view_logline")


def shown(client: Client, **query: str) -> list[str]:
    """Return the lines of the page, by their words."""
    page = text(client, "logs", None, **query)
    return re.findall(r"<p><bdi>([^<]*)</bdi></p>", page)


def test_lines_stand_newest_first_with_how_many_there_are_of_each_kind(reader):
    line(text="older", ago=timedelta(minutes=5))
    line("error", text="newer", process="gateway-1", trace="Traceback (most recent call last)")
    line("warning", text="newest", repeated=4)
    page = words_of(text(reader, "logs"))
    assert shown(reader) == ["newest", "newer", "older"]
    for words in (
        "3 lines:",
        "error 1",
        "warning 2",
        "worker 2",
        "gateway-1 1",
        "repeated ×4",
        "Traceback (most",
    ):
        assert words in page, words


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"level": "error"}, ["new error"]),
        ({"process": "gateway-1"}, ["new error"]),
        ({"since": "hour"}, ["slow", "new error"]),
        ({"words": "1f0c2a77"}, ["slow"]),
        ({"words": "KEYERROR"}, ["new error"]),
        ({"words": "nothing like it"}, []),
        ({"level": "error", "process": "worker"}, []),
    ],
)
def test_a_filter_finds_what_it_says(reader, query, found):
    line("warning", text="old", ago=timedelta(hours=2))
    line(
        "error",
        text="new error",
        process="gateway-1",
        trace="KeyError: 'x'",
        ago=timedelta(seconds=9),
    )
    line(tick="1f0c2a77-0000-0000-0000-000000000000")
    assert shown(reader, **query) == found


def test_a_filter_that_makes_no_sense_is_named_and_the_others_are_applied(reader):
    line("error", text="bad")
    line("warning", text="mild")
    page = text(reader, "logs", since="yesterday", level="error")
    assert "“yesterday” is none of the choices." in words_of(page)
    assert shown(reader, since="yesterday", level="error") == ["bad"]


def test_a_page_ends_and_the_older_ones_follow(reader):
    for number in range(PAGE + 1):
        line(text=f"line {number}", ago=timedelta(seconds=number))
    page = text(reader, "logs")
    [older] = re.findall(r'href="/logs/\?after=([^"]+)" id="older"', page)
    assert shown(reader)[-1] == f"line {PAGE - 1}"
    assert shown(reader, after=older) == [f"line {PAGE}"]
    assert "address of this page is damaged" in text(reader, "logs", after="nonsense")


def test_hostile_lines_are_words(reader):
    line(text=HOSTILE, process=HOSTILE[:20], trace=HOSTILE, logger=HOSTILE)
    assert HOSTILE not in text(reader, "logs")


def test_logs_are_for_whoever_may_read_them():
    assert person("view_account").get(reverse("logs")).status_code == 403


def test_both_pages_are_whole_in_chinese(home):
    line(text="慢")
    chinese = person("view_account", "view_logline", "operate", language="zh-hans")
    assert "还没有备份" in text(chinese, "backups")
    assert "按进程" in text(chinese, "logs")
