"""Which backups are due, which are kept, and what a note proves."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from monitoring import backup_files, health
from monitoring.backup_files import Engine, Note, Proof, Why
from monitoring.care.export import cell
from monitoring.care.round import due
from trading.domain.types import CHINA, Text

pytestmark = [pytest.mark.fast, pytest.mark.unattended]

MONDAY = datetime(2026, 8, 10, tzinfo=CHINA)
KEY = "the secret of this installation"


def at(clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return MONDAY.replace(hour=hour, minute=minute)


@pytest.mark.parametrize(
    ("clock", "is_session", "made", "expected"),
    [
        ("08:29", True, {}, None),
        ("08:30", True, {}, Why.BEFORE_OPEN),
        ("08:30", False, {}, None),
        ("09:09", True, {}, Why.BEFORE_OPEN),
        ("09:10", True, {}, None),  # of no use any more, and the market is near
        ("09:00", True, {"08:31": Why.BEFORE_OPEN}, None),
        ("09:00", True, {"08:31": Why.BY_HAND}, Why.BEFORE_OPEN),
        ("15:44", True, {}, None),
        ("15:45", True, {"08:31": Why.BEFORE_OPEN}, Why.AFTER_BOOKS),
        ("22:00", False, {}, Why.AFTER_BOOKS),
        ("22:00", True, {"15:46": Why.AFTER_BOOKS}, None),
        ("23:55", True, {}, None),
    ],
)
def test_a_backup_is_due_before_the_open_and_after_the_books(clock, is_session, made, expected):
    there = [(at(when), why) for when, why in made.items()]
    assert due(at(clock), is_session, there) is expected


def test_yesterdays_backup_is_not_todays():
    assert due(at("16:00"), True, [(at("16:00") - timedelta(days=1), Why.AFTER_BOOKS)])


def test_the_young_stay_and_one_a_week_and_a_month_and_always_the_newest():
    now = at("16:00")
    made = [now - timedelta(days=days) for days in range(400)]

    ages = sorted((now - one).days for one in backup_files.kept(made, now))

    # Six days; the Sundays of the three weeks before; the last days of five months before, July's to March's.
    assert ages == [0, 1, 2, 3, 4, 5, 8, 10, 15, 41, 71, 102, 132]
    assert backup_files.kept([now - timedelta(days=900)], now) == {now - timedelta(days=900)}
    assert backup_files.kept([], now) == set()


def note(size: int) -> Note:
    return Note(MONDAY, Why.BY_HAND, Engine.SQLITE, size, "00", Proof.RESTORED, {"a": 1})


@pytest.fixture
def file(tmp_path):
    folder = backup_files.private_folder(tmp_path)
    path = folder / backup_files.name_for(MONDAY, Why.BY_HAND, Engine.SQLITE)
    path.write_bytes(b"12345")
    return path


def test_a_file_without_its_note_is_no_backup_and_is_said_to_be_none(file, tmp_path):
    assert backup_files.list_backups(tmp_path, KEY) == []
    assert backup_files.halves(tmp_path, KEY) == [file]

    backup_files.write_note(file, note(5), KEY)

    [found] = backup_files.list_backups(tmp_path, KEY)
    assert (found.path, found.note, found.sealed) == (file, note(5), True)
    assert backup_files.halves(tmp_path, KEY) == []


@pytest.mark.parametrize(
    ("change", "sealed"),
    [
        ({"sha256": "11"}, False),
        ({"rows": {"a": 2}}, False),
        ({"seal": ""}, False),
        ({"seal": 5}, False),
        ({"size": 6}, None),
        ({"size": "5"}, None),
        ({"format": 2}, None),
        ({"why": "because"}, None),
        ({"engine": "zip"}, None),
        ({"made_at": "yesterday"}, None),
        ({"rows": 5}, None),
    ],
)
def test_a_changed_note_is_not_ours_and_a_strange_one_is_none(file, tmp_path, change, sealed):
    backup_files.write_note(file, note(5), KEY)
    path = backup_files.note_of(file)
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **change}), "utf-8")

    found = backup_files.list_backups(tmp_path, KEY)

    assert [one.sealed for one in found] == ([] if sealed is None else [sealed])


@pytest.mark.parametrize("content", ["", "[]", "null", "{", '{"size": 5}'])
def test_a_note_that_cannot_be_read_is_none(file, tmp_path, content):
    backup_files.note_of(file).write_text(content, "utf-8")
    assert backup_files.list_backups(tmp_path, KEY) == []


def test_the_note_of_another_secret_key_is_not_ours(file, tmp_path):
    backup_files.write_note(file, note(5), "another")
    assert [one.sealed for one in backup_files.list_backups(tmp_path, KEY)] == [False]


@pytest.mark.skipif(sys.platform == "win32", reason="rights are the folder's there")
def test_only_the_owner_may_read_backups(file, tmp_path):
    backup_files.write_note(file, note(5), KEY)
    private = file.with_name("private")
    backup_files.private_file(private)

    assert file.parent.stat().st_mode & 0o77 == 0
    assert private.stat().st_mode & 0o77 == 0
    assert backup_files.note_of(file).stat().st_mode & 0o77 == 0


@pytest.mark.parametrize(
    ("problem", "age", "codes"),
    [
        (None, None, []),
        (None, timedelta(days=3), []),
        (None, timedelta(days=4, seconds=1), ["BACKUP_OLD"]),
        (Text("No room.", "空间不足。"), timedelta(0), ["BACKUP_FAILED"]),
    ],
)
def test_a_backup_that_failed_or_is_old_is_an_alarm(problem, age, codes):
    calendar = health.CalendarFacts(MONDAY.date(), MONDAY.date() + timedelta(days=300))
    found = health.findings(
        health.Facts(calendar=calendar, backup_problem=problem, backup_age=age)
    )
    assert [one.code for one in found] == codes
    assert all(one.level is health.Level.ALARM for one in found)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (Decimal("-0.0750"), "-0.0750"),
        (Decimal("1E+3"), "1000"),
        (Decimal("123456789012345.6789"), "123456789012345.6789"),
        (-5, "-5"),
        (True, "true"),
        (MONDAY.date(), "2026-08-10"),
        (datetime(2026, 8, 10, 1, 30, 5, tzinfo=UTC), "2026-08-10 09:30:05"),
        ("止损", "止损"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1+1", "'＝1+1"),
        ({"代码": "=1"}, '{"代码": "=1"}'),
    ],
)
def test_a_cell_is_exact_and_never_a_formula(value, expected):
    assert cell(value) == expected
