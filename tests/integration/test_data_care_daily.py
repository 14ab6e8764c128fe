"""What the day does with the data: its backups, what may be forgotten, the file at night; and the export."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal

import pytest

from monitoring import backup_files, tasks
from monitoring.backup_files import Why
from monitoring.care import backup, retention, round
from monitoring.care.errors import NothingDone
from monitoring.care.export import Wanted, export
from monitoring.models import DayReport
from tests.database_files import NOW, changed, event
from trading.management.one_instance import one_instance
from trading.models import (
    Account,
    BrokerEvent,
    Denial,
    Event,
    Fill,
    TradingConfig,
)

pytestmark = [pytest.mark.system, pytest.mark.unattended]


# --- every day ----------------------------------------------------------------------------------


def test_the_day_makes_one_backup_before_the_open_and_one_after_the_books(home):
    monday = NOW.replace(hour=0)
    moments = [monday + timedelta(minutes=5 * step) for step in range(288)]
    made = [(at, round.care(home, lambda at=at: at).backup) for at in moments]
    assert [(f"{at:%H:%M}", one.note.why) for at, one in made if one] == [
        ("08:30", Why.BEFORE_OPEN),
        ("15:45", Why.AFTER_BOOKS),
    ]


def test_a_backup_that_fails_is_an_alarm_tried_again_and_over_when_one_succeeds(home):
    (home / "backups").write_text("in the way", "utf-8")

    assert round.care(home, lambda: NOW).problem is not None
    assert round.care(home, lambda: NOW + timedelta(minutes=1)) == round.Done()
    assert round.care(home, lambda: NOW + timedelta(minutes=11)).problem is not None
    assert backup_files.read_failure(home) is not None
    assert Event.objects.filter(code="BACKUP_FAILED", level="alarm").count() == 1

    (home / "backups").unlink()
    assert round.care(home, lambda: NOW + timedelta(minutes=22)).backup is not None
    assert backup_files.read_failure(home) is None


def test_each_backup_is_copied_to_the_second_place_as_soon_as_that_is_there(home, settings):
    other = home / "other disk"
    settings.MINIQMT_BACKUP_COPY = str(other)

    first = round.care(home, lambda: NOW)

    assert first.backup is not None
    assert "no folder" in first.problem.en
    assert not other.exists()
    other.mkdir()
    assert round.care(home, lambda: NOW + timedelta(minutes=11)) == round.Done()
    [copied] = backup_files.list_in(other, settings.SECRET_KEY)
    assert (copied.note, copied.sealed) == (first.backup.note, True)
    assert backup.verify(copied, home) == first.backup.note
    assert sorted(one.name for one in other.iterdir()) == [
        copied.path.name,
        f"{copied.path.name}.json",
    ]
    assert backup_files.read_failure(home) is None


def test_the_task_of_the_schedule_does_it(home, monkeypatch):
    monkeypatch.setattr("monitoring.tasks.timezone.now", lambda: NOW)
    tasks.backup()
    assert [one.note.why for one in backup_files.list_backups(home, "x")] == [Why.AFTER_BOOKS]


def test_one_round_at_a_time_so_that_a_disk_that_hangs_holds_one_thread(home):
    with one_instance(home / round.LOCK):
        assert round.care(home, lambda: NOW) == round.Done()
    assert round.care(home, lambda: NOW).backup is not None


# --- what may be forgotten ----------------------------------------------------------------------


def old_and_new(account: Account) -> None:
    for age in (89, 91, 300):
        BrokerEvent.objects.create(
            account=account, epoch=1, kind=str(age), payload={}, received_at=NOW - timedelta(age)
        )
    for symbol, over in (("A", None), ("B", 179), ("C", 181)):
        Denial.objects.create(
            account=account,
            symbol=symbol,
            kind="grid",
            code="NO_CASH",
            at=NOW - timedelta(400),
            cleared_at=None if over is None else NOW - timedelta(over),
        )
    event("OLD", at=NOW - timedelta(4000))
    Fill.objects.create(
        account=account,
        trade_date=date(2016, 1, 4),
        symbol="600036.SH",
        side="buy",
        quantity=100,
        price=Decimal(10),
        amount=Decimal(1000),
        broker_order_id=1,
        traded_id="1",
        key="1",
        at=NOW - timedelta(4000),
        booked_at=NOW,
    )


def test_exactly_what_is_stated_is_forgotten(home):
    old_and_new(Account.objects.get())

    forgotten = retention.forget(NOW)

    assert (forgotten.reports, forgotten.denials, forgotten.more) == (2, 1, False)
    assert list(BrokerEvent.objects.values_list("kind", flat=True)) == ["89"]
    assert list(Denial.objects.order_by("symbol").values_list("symbol", flat=True)) == ["A", "B"]
    assert Event.objects.filter(code="OLD").exists()
    assert Fill.objects.count() == 1
    assert TradingConfig.history.count() == 1
    assert retention.forget(NOW).total == 0


def test_many_old_rows_are_forgotten_in_several_rounds_of_small_transactions(home, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 5)
    monkeypatch.setattr(retention, "BATCHES", 8)
    account = Account.objects.get()
    BrokerEvent.objects.bulk_create(
        BrokerEvent(
            account=account, epoch=1, kind="x", payload={}, received_at=NOW - timedelta(99)
        )
        for _ in range(51)
    )
    runs = [retention.forget(NOW) for _ in range(3)]
    assert [(one.reports, one.more) for one in runs] == [(40, True), (11, False), (0, False)]


def test_rows_are_forgotten_only_once_a_backup_of_the_day_holds_them(home):
    old_and_new(Account.objects.get())

    assert round.care(home, lambda: NOW).backup is not None
    assert BrokerEvent.objects.count() == 3
    assert round.care(home, lambda: NOW + timedelta(minutes=1)) == round.Done()
    assert BrokerEvent.objects.count() == 1
    assert Event.objects.filter(code="OLD_ROWS_FORGOTTEN").exists()


def test_a_file_that_is_mostly_empty_is_written_anew_in_a_closed_market(home, monkeypatch):
    path = home / "miniqmt.sqlite3"
    changed(path, "CREATE TABLE filler (content)")
    changed(path, "INSERT INTO filler VALUES (zeroblob(8000000))")
    assert not round.look_after_file()
    changed(path, "DROP TABLE filler")
    size = path.stat().st_size

    assert not round.look_after_file()  # 8 MB are not worth a lock
    monkeypatch.setattr(round, "EMPTY_BYTES", 1_000_000)
    assert round.look_after_file()

    assert path.stat().st_size < size - 7_000_000
    assert path.with_name(f"{path.name}-wal").stat().st_size == 0


# --- export -------------------------------------------------------------------------------------


def test_an_export_is_exact_and_opens_in_a_spreadsheet(home):
    account = Account.objects.get()
    Account.objects.update(name="=cmd|'/c calc'!A1")
    old_and_new(account)
    DayReport.objects.create(
        account=account,
        on=date(2026, 8, 7),
        orders=1,
        fills=1,
        bought=Decimal("1234567.8901"),
        sold=0,
        commission=0,
        stamp_duty=0,
        transfer_fee=0,
        realised=Decimal("-12.5"),
        made_at=NOW,
    )
    target = home / "out"

    written = export(target, Wanted())

    assert {one.path.name: one.rows for one in written} == {
        "fills.csv": 1,
        "orders.csv": 0,
        "days.csv": 1,
        "settings.csv": 1,
    }
    assert all(one.path.read_bytes().startswith(b"\xef\xbb\xbf") for one in written)
    with (target / "days.csv").open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file)
    assert row["account.name"] == "'=cmd|'/c calc'!A1"
    assert (row["bought"], row["realised"]) == ("1234567.8901", "-12.5000")
    with pytest.raises(NothingDone, match="already holds"):
        export(target, Wanted())
    later = export(home / "later", Wanted(account.pk, date(2026, 8, 8), date(2026, 8, 9)))
    assert sum(one.rows for one in later[:3]) == 0
