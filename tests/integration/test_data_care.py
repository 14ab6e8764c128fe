"""Backups, restoring, export and what may be forgotten, on a real database file with others at work on it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from monitoring import backup_files
from monitoring.backup_files import Why
from monitoring.care import backup, sqlite_file
from monitoring.care.errors import NothingDone
from monitoring.care.restore import restore
from monitoring.care.soundness import problem_of_database
from tests.database_files import NOW, changed, event
from tests.redis_servers import ROOT
from trading.management.one_instance import one_instance
from trading.models import (
    Event,
)

pytestmark = [pytest.mark.system, pytest.mark.unattended]

# --- a backup -----------------------------------------------------------------------------------


def test_a_backup_holds_what_was_committed_and_nothing_that_came_later(home):
    event("BEFORE")

    made = backup.make(home, Why.BY_HAND, NOW)

    event("AFTER")
    assert made.note.rows["trading_event"] == 1
    assert [one.path for one in backup_files.list_backups(home, "x")] == [made.path]
    with closing(sqlite3.connect(made.path)) as copy:
        assert copy.execute("SELECT code FROM trading_event").fetchall() == [("BEFORE",)]
    left = sorted(one.name for one in made.path.parent.iterdir())
    assert left == [made.path.name, f"{made.path.name}.json"]
    assert backup.verify(made, home) == made.note


def test_nobody_waits_for_a_backup(home):
    event()
    path = home / "big.sqlite3"
    with closing(sqlite3.connect(path)) as big, big:
        big.execute("PRAGMA journal_mode = WAL")
        big.execute("CREATE TABLE filler (content)")
        big.executemany("INSERT INTO filler VALUES (?)", [(os.urandom(4000),)] * 8000)
    waits, over = [], threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            while not over.is_set():
                began = time.perf_counter()
                other.execute("INSERT INTO filler VALUES (1)")
                waits.append(time.perf_counter() - began)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            sqlite_file.copy(path, home / f"copy{number}.sqlite3", 10**9)
    finally:
        over.set()
        writer.join(10)

    assert len(waits) > 10
    assert max(waits) < 2.0  # SQLite's own timeout is 20 s, and a tick's period 2 s


def test_a_full_disk_ends_a_backup_and_leaves_nothing(home):
    event()
    with pytest.raises(NothingDone, match="no room"):
        sqlite_file.copy(home / "miniqmt.sqlite3", home / "copy", 100_000)

    with pytest.raises(NothingDone, match="no room"):
        backup.make(home, Why.BY_HAND, NOW, reserve=10**15)
    free = shutil.disk_usage(home).free
    with pytest.raises(NothingDone, match="no room"):
        backup.make(home, Why.BY_HAND, NOW, reserve=free - 200_000)

    assert list((home / "backups").iterdir()) == []


_DIES = """
import os, sqlite3, sys
import django
django.setup()
from datetime import UTC, datetime
from pathlib import Path
from monitoring.care import backup, sqlite_file

def die(*_):
    os._exit(9)

setattr(*{"copied": (sqlite_file, "check", die),
          "renamed": (backup.backup_files, "write_note", die)}[sys.argv[1]])
backup.make(Path(sys.argv[2]), backup.Why.BY_HAND, datetime.now(UTC))
"""


@pytest.mark.parametrize("moment", ["copied", "renamed"])
def test_a_backup_that_was_killed_in_the_middle_is_never_listed_and_is_swept_away(home, moment):
    event()
    known = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "miniqmt.settings",
        "MINIQMT_HOME": str(home),
        "MINIQMT_READ_DOTENV": "false",
    }
    ended = subprocess.run(
        [sys.executable, "-c", _DIES, moment, str(home)], cwd=ROOT, env=known, timeout=60
    )

    assert ended.returncode == 9
    assert list((home / "backups").iterdir()) != []
    assert backup_files.list_backups(home, "x") == []

    made = backup.make(home, Why.BY_HAND, NOW)

    assert [one.path for one in backup_files.list_backups(home, "x")] == [made.path]
    assert not list((home / "backups").glob(".*"))


def test_a_second_backup_at_the_same_time_says_so(home):
    with one_instance(home / backup.LOCK), pytest.raises(NothingDone, match="Another backup"):
        backup.make(home, Why.BY_HAND, NOW)


def test_old_backups_go_by_the_rule_with_their_notes(home):
    days = [NOW - timedelta(days=age) for age in (3, 2, 1, 0)]
    old = backup.make(home, Why.BY_HAND, NOW - timedelta(days=20))
    older = backup.make(home, Why.BY_HAND, NOW - timedelta(days=21))
    assert older.path.exists()  # the same week: the newer of both will stay
    for at in days:
        backup.make(home, Why.AFTER_BOOKS, at)

    names = {one.path for one in backup_files.list_backups(home, "x")}

    assert old.path in names
    assert older.path not in names
    assert not backup_files.note_of(older.path).exists()


# --- what is refused ----------------------------------------------------------------------------


def text_file(path: Path) -> None:
    path.write_text("drop table trading_order;", "utf-8")


def empty_file(path: Path) -> None:
    path.write_bytes(b"")


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scratched(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 * 20 : 4096 * 40] = b"\xff" * 4096 * 20
    path.write_bytes(content)


def of_another_program(path: Path) -> None:
    path.unlink()
    changed(path, "CREATE TABLE notes (text)")


def of_another_site(path: Path) -> None:
    changed(path, "DELETE FROM django_migrations WHERE app = 'trading'")


def newer(path: Path) -> None:
    changed(
        path,
        "INSERT INTO django_migrations (app, name, applied)"
        " VALUES ('trading', '0999_of_next_year', '2027-01-01')",
    )


def orphaned(path: Path) -> None:
    changed(path, "UPDATE trading_tradingconfig SET account_id = 77")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


STRANGE = {
    text_file: "is not a database",
    empty_file: "is not a database",
    torn: "damaged",
    scratched: "damaged",
    of_another_program: "another program",
    of_another_site: "another program",
    newer: "newer version of the program .trading 0999_of_next_year",
    orphaned: "names a row of trading_account that is not there",
    folder: "no backup",
}


@pytest.mark.parametrize("harm", STRANGE, ids=lambda harm: harm.__name__)
def test_a_hostile_or_foreign_file_is_refused_and_nothing_is_touched(home, harm):
    event("MINE")
    file = home / "theirs.sqlite3"
    shutil.copyfile(backup.make(home, Why.BY_HAND, NOW).path, file)
    harm(file)

    with pytest.raises(NothingDone, match=STRANGE[harm]):
        restore(home, str(file), NOW, unsealed=True)

    assert Event.objects.get().code == "MINE"
    assert not list(home.glob("*.replaced-*"))
    assert not list((home / "backups").glob(".*"))


def test_a_file_that_nobody_here_made_needs_a_word(home):
    made = backup.make(home, Why.BY_HAND, NOW)
    shutil.copyfile(made.path, home / "copy.sqlite3")
    with pytest.raises(NothingDone, match="Nothing proves"):
        restore(home, str(home / "copy.sqlite3"), NOW)


@pytest.mark.parametrize("unsealed", [False, True])
def test_a_file_that_was_changed_after_its_note_is_refused_whatever_is_said(home, unsealed):
    made = backup.make(home, Why.BY_HAND, NOW)
    content = bytearray(made.path.read_bytes())
    content[-1] ^= 1
    made.path.write_bytes(content)

    with pytest.raises(NothingDone, match="is not what it was"):
        restore(home, made.path.name, NOW, unsealed)
    with pytest.raises(NothingDone, match="is not what it was"):
        backup.verify(made, home)


@pytest.mark.parametrize(
    "name", ["../../secret_key", "..", ".", "backups", "nothere", "/dev/null"]
)
def test_a_path_leads_nowhere_but_to_a_file(home, name):
    (home / "secret_key").write_text("key", "utf-8")
    with pytest.raises(NothingDone):
        restore(home, name, NOW)


@pytest.mark.parametrize(
    "lock", ["up.lock", "paper.lock", "market_data.lock", "gateway-1.lock", "gateway-27.lock"]
)
def test_nothing_is_restored_while_a_process_of_this_folder_runs(home, lock):
    made = backup.make(home, Why.BY_HAND, NOW)
    with one_instance(home / lock), pytest.raises(NothingDone, match="stop everything"):
        restore(home, made.path.name, NOW)


# --- restoring ----------------------------------------------------------------------------------


def test_a_restored_database_is_the_backups_and_the_replaced_one_is_kept(home):
    event("KEPT")
    made = backup.make(home, Why.BY_HAND, NOW)
    event("LOST")
    with closing(sqlite3.connect(home / "miniqmt.sqlite3")) as worker:  # started by hand: no lock
        worker.execute("SELECT count(*) FROM trading_event").fetchone()
        with pytest.raises(NothingDone, match="Somebody works with the database"):
            restore(home, made.path.name, NOW)
    assert Event.objects.count() == 2

    done = restore(home, made.path.name, NOW)

    assert done.made_at == NOW
    assert [one.code for one in Event.objects.all()] == ["KEPT"]
    assert done.kept is not None
    with closing(sqlite3.connect(done.kept)) as replaced:
        codes = replaced.execute("SELECT code FROM trading_event ORDER BY id").fetchall()
    assert codes == [("KEPT",), ("LOST",)]
    event("NEW")  # it is written to as before
    with pytest.raises(TypeError, match="append-only"):
        Event.objects.all().delete()
    assert problem_of_database(home) is None


TRIGGER = (
    "CREATE TRIGGER event_stays BEFORE DELETE ON trading_event"
    " BEGIN SELECT RAISE(ABORT, 'append-only'); END"
)
THEIRS = "CREATE TRIGGER theirs AFTER INSERT ON trading_event BEGIN DELETE FROM trading_fill; END"
VIEW = "CREATE VIEW trading_seen AS SELECT 1"
VIRTUAL = "CREATE VIRTUAL TABLE words USING fts5(text)"


def test_triggers_are_part_of_a_backup(home):
    changed(home / "miniqmt.sqlite3", TRIGGER)
    event()

    path = backup.make(home, Why.BY_HAND, NOW).path

    names = [one[0] for one in sqlite_file.triggers(path)]
    assert "event_stays" in names
    assert set(names) == {one[0] for one in sqlite_file.triggers(home / "miniqmt.sqlite3")}
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        changed(path, "DELETE FROM trading_event")


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ((TRIGGER,), None),
        ((), "lacks what protects"),
        ((TRIGGER.replace("BEFORE", "AFTER"),), "no program of ours"),
        ((TRIGGER, THEIRS), "no program of ours"),
        ((TRIGGER, VIEW), "no program of ours"),
        ((TRIGGER, VIRTUAL), "no program of ours"),
    ],
)
def test_nothing_runs_by_itself_in_a_restored_file_but_what_we_made(home, statements, said):
    changed(home / "miniqmt.sqlite3", TRIGGER)
    known = sqlite_file.triggers(home / "miniqmt.sqlite3")
    changed(home / "miniqmt.sqlite3", "DROP TRIGGER event_stays")
    file = home / "file.sqlite3"
    shutil.copyfile(backup.make(home, Why.BY_HAND, NOW).path, file)
    changed(file, *statements)

    if said is None:
        sqlite_file.check_schema(file, known, complete=True)
    else:
        with pytest.raises(NothingDone, match=said):
            sqlite_file.check_schema(file, known, complete=True)


def test_a_strange_trigger_is_not_restored_even_when_a_person_vouches_for_the_file(home):
    event("MINE")
    file = home / "theirs.sqlite3"
    shutil.copyfile(backup.make(home, Why.BY_HAND, NOW).path, file)
    changed(file, THEIRS)

    with pytest.raises(NothingDone, match="theirs"):
        restore(home, str(file), NOW, unsealed=True)
    assert Event.objects.get().code == "MINE"


def test_the_wal_of_a_damaged_database_never_meets_the_restored_one(home):
    event("KEPT")
    made = backup.make(home, Why.BY_HAND, NOW)
    database = home / "miniqmt.sqlite3"
    connection.close()
    database.write_bytes(b"SQLite format 3\x00" + b"\xff" * 8000)
    (home / "miniqmt.sqlite3-wal").write_bytes(b"of the old one")

    done = restore(home, made.path.name, NOW)

    assert done.kept is not None
    assert done.kept.with_name(f"{done.kept.name}-wal").read_bytes() == b"of the old one"
    assert Event.objects.get().code == "KEPT"


# --- the start ----------------------------------------------------------------------------------


def test_a_damaged_database_is_not_started_and_the_newest_backup_is_named(home):
    event()
    made = backup.make(home, Why.BY_HAND, NOW)
    scratched(home / "miniqmt.sqlite3")
    problem = problem_of_database(home)
    assert problem is not None
    assert f"manage.py restore {made.path.name}" in problem.en
    assert f"manage.py restore {made.path.name}" in problem.zh


def test_a_database_of_a_newer_program_is_not_started(home):
    newer(home / "miniqmt.sqlite3")
    problem = problem_of_database(home)
    assert problem is not None
    assert "0999_of_next_year" in problem.en


def test_a_first_start_has_nothing_to_look_at(home):
    first = home / "first"
    first.mkdir()
    assert problem_of_database(first) is None


# --- commands -----------------------------------------------------------------------------------


def test_the_commands_say_in_both_languages_what_they_did(home, capsys):
    event()
    call_command("backup", "now", lang="zh")
    assert "已试恢复" in capsys.readouterr().out
    (home / "backups" / "miniqmt-20260101-000000-by_hand.sqlite3").write_bytes(b"half")
    call_command("backup", "list", lang="en")
    said = capsys.readouterr().out
    assert "by hand" in said
    assert "miniqmt-20260101-000000-by_hand.sqlite3 is no backup" in said
    call_command("backup", "verify", lang="en")
    assert "whole." in capsys.readouterr().out
    [made] = backup_files.list_backups(home, "x")
    scratched(made.path)
    with pytest.raises(CommandError, match="1 of 1 are not good"):
        call_command("backup", "verify", lang="en")
    with pytest.raises(CommandError, match="未做任何改动"):
        call_command("restore", made.path.name, lang="zh")
    call_command("export", str(home / "out"), lang="zh")
    assert "配置历史" in capsys.readouterr().out
