"""The daily report: everything of the day on one page that prints, kept as one file that needs nothing else."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from monitoring import tasks
from monitoring.audit import chain
from monitoring.console.daily import daily_view
from monitoring.console.record_filters import read_accounts
from monitoring.console.report_file import file_of, folder_of, keep_report_files
from monitoring.models import Alert, DayReport, EquityPoint
from tests.integration.record_scenes import HELD, HOSTILE, NUMBER, SOLD, denial, person, words_of
from tests.world import World
from trading import selectors
from trading.models import Account, BooksState, DayBooks, Event, Fill, Instrument
from trading.services import config
from trading.services.calendar import load_calendar
from trading.services.clock import set_clock
from trading.services.reach import EVERYTHING

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

REAL = timezone.now()


@pytest.fixture
def world(calendar):
    """A stop-loss sold at 9.19; two denials, a changed setting, an alarm and a restart; nothing is reported yet."""
    world = World(holdings=[(HELD, 1000, "10.00"), (SOLD, 1000, "10.00")])
    world.hold(HELD, "10.40", since="09:30:00", until="09:31:31")
    world.hold(SOLD, "10.00", since="09:30:00", until="09:31:00")
    world.hold(SOLD, "9.20", since="09:31:00", until="09:31:31")
    world.run(until="09:31:30")
    Account.objects.update(broker_account_id=NUMBER)
    denial(world)
    denial(world, code="T1_NOT_SELLABLE", symbol=SOLD)
    event(world, "GATEWAY_SILENT", "alarm", "The gateway was silent for 40 s.")
    event(world, "GATEWAY_SILENT_OVER", "info", "Over: the gateway was silent for 40 s.")
    event(world, "SMALL_TALK", "info", "Nothing of note.")
    set_clock("demo", REAL - timedelta(seconds=60), world.moment("09:31:30"))
    with time_machine.travel(REAL, tick=False):
        boss = get_user_model().objects.create_user("boss")
        config.change(world.account.pk, {"buy_amount": "20000"}, actor=boss, why="a quiet market")
        yield world


def event(world: World, code: str, level: str, words: str, **row: object) -> None:
    values = {"account": world.account, "at": world.moment("10:00:00"), "level": level, "code": code,
              "text_en": words, "text_zh": words, **row}  # fmt: skip
    Event.objects.create(**values)


def reported(world: World, **row: object) -> DayReport:
    fills = world.fills()
    values = {
        "account": world.account, "on": world.on, "orders": 1, "fills": len(fills), "bought": 0,
        "sold": sum(one.amount for one in fills), "commission": 5, "stamp_duty": 0, "transfer_fee": 0,
        "equity_before": Decimal(1_020_000), "equity": Decimal(1_019_575), "made_at": REAL,
        "positions": [{"symbol": HELD, "quantity": 1000, "cost": "10.0000", "close": None, "value": None}],
        **row,
    }  # fmt: skip
    return DayReport.objects.create(**values)


def page(language: str = "en", **query: str) -> str:
    client = person("view_account", language=language)
    response = client.get(reverse("report", args=["2023-02-01"]), query)
    assert response.status_code == 200
    return response.content.decode()


def view(world: World):
    [account] = read_accounts(REAL, EVERYTHING).values()
    return daily_view(account, world.on, load_calendar())


# -- what it says


def test_the_day_is_told_with_its_figures_before_and_after_the_books_close(world):
    assert "not closed yet" in words_of(page())
    reported(world)
    said = words_of(page())
    assert "not closed yet" not in said
    assert "-425.00 -0.04%" in said
    assert "1,019,575.00 before 1,020,000.00" in said
    [fill] = world.fills()
    fees = fill.commission + fill.stamp_duty + fill.transfer_fee
    assert f"{fill.amount:,.2f} {fees:,.2f} {fill.broker_order_id}" in said
    assert "stop loss 1 0.00% -824.28" in said
    assert f"{HELD} 1,000 10.00 — —" in said


def test_denials_come_by_code_with_their_words(world):
    denial(world, at="09:31:05", cleared_at=world.moment("09:31:10"), kind="grid")
    first, second = view(world).refused
    assert (first.code, first.times, second.code) == ("CASH", 2, "T1_NOT_SELLABLE")
    said = words_of(page())
    assert "2 × CASH" in said
    assert first.means.en in said


def test_incidents_are_what_was_loud_and_the_end_of_it(world):
    codes = [one.code for one in view(world).incidents]
    assert {"GATEWAY_SILENT", "GATEWAY_SILENT_OVER"} <= set(codes)
    assert "SMALL_TALK" not in codes
    assert {one.level for one in view(world).incidents if one.code != "GATEWAY_SILENT_OVER"} <= {
        "warning", "alarm",
    }  # fmt: skip


def test_a_process_that_was_started_again_is_told_at_its_market_time(world):
    words = {"text_en": "The process web ended.", "text_zh": "进程 web 曾结束。", "severity": 2,
             "category": "system", "code": "PROCESS_RESTARTED", "source": "up:web"}  # fmt: skip
    for number, ago in enumerate((30, 10 * 86_400)):
        moment = REAL - timedelta(seconds=ago)
        Alert.objects.create(key=f"{number}", gathers=False, source_pk=number, first_at=moment,
                             last_at=moment, made_at=moment, **words)  # fmt: skip
    [restart] = view(world).restarts
    assert restart.at == world.moment("09:32:00")
    assert "restart The process web ended." in words_of(page())


def test_what_happened_at_a_weekend_belongs_to_the_session_after_it_and_to_no_other(world):
    before = world.moment("23:59:59") - timedelta(days=1)
    event(world, "YESTERDAY", "alarm", "yesterday", at=before)
    event(world, "TONIGHT", "alarm", "tonight", at=world.moment("23:59:59"))
    codes = [one.code for one in view(world).incidents]
    assert "TONIGHT" in codes
    assert "YESTERDAY" not in codes


def test_changed_settings_say_who_what_and_why(world):
    [change] = view(world).changes
    assert (change.who, change.why, change.revision) == ("boss", "a quiet market", 2)
    [(label, before, after)] = change.what
    assert after.en == "20000"
    assert before.en != "20000"
    assert str(label) in words_of(page("zh-hans")) or "20000" in page("zh-hans")


@pytest.mark.parametrize(
    ("state", "said"),
    [(None, "not compared yet"), (BooksState.MATCHED, "✓ signed off"),
     (BooksState.EXPLAINED, "✓ signed off"), (BooksState.DIFFERS, "differs")],
)  # fmt: skip
def test_the_books_of_the_day_are_signed_off_or_not(world, state, said):
    DayBooks.objects.all().delete()
    if state is not None:
        told = [{"en": "cash differs by 3.00", "zh": "资金相差 3.00"}]
        DayBooks.objects.create(
            account=world.account, on=world.on, state=state,
            differences=told if state == BooksState.DIFFERS else [],
        )  # fmt: skip
    assert said in words_of(page())
    assert ("cash differs by 3.00" in page()) == (state == BooksState.DIFFERS)


def test_a_long_day_is_cut_and_says_so(world, monkeypatch):
    monkeypatch.setattr("monitoring.console.daily.FILLS", 0)
    monkeypatch.setattr("monitoring.console.daily.INCIDENTS", 1)
    day = view(world)
    assert (len(day.fills), day.more_fills, len(day.incidents)) == (0, 1, 1)
    assert day.more_incidents > 0


def test_the_number_of_the_account_is_nowhere_whole(world):
    event(world, "LEAK", "alarm", f"account {NUMBER}")
    assert NUMBER not in page()
    assert "…3456" in page()


def test_hostile_words_are_shown_and_not_run(world):
    Instrument.objects.update_or_create(
        symbol=SOLD,
        defaults={"name": HOSTILE, "board": "main", "category": "stock", "settlement": "T+1"},
    )
    selectors._minute[0] = None, {}
    event(world, "HOSTILE", "alarm", HOSTILE)
    shown = page()
    assert HOSTILE not in shown
    assert shown.count("&lt;script&gt;") >= 2


def test_a_day_that_no_calendar_has_is_no_page_and_a_weekend_is_no_session(world):
    client = person("view_account")
    assert client.get("/report/2023-02-30/").status_code == 404
    assert "was no session" in client.get("/report/2023-02-04/").content.decode()


def test_whoever_may_not_view_accounts_reads_no_report(world):
    assert person().get("/report/2023-02-01/").status_code == 403
    assert person().get("/reports/").status_code == 403


def test_the_list_has_each_session_and_goes_on_below(world, monkeypatch):
    monkeypatch.setattr("monitoring.figure_views._REPORTS", 2)
    for back in range(3):
        reported(world, on=world.on - timedelta(days=back))
    client = person("view_account")
    first = client.get("/reports/").content.decode()
    assert re.findall(r">(2023-\d\d-\d\d)</a>", first) == ["2023-02-01", "2023-01-31"]
    assert "?after=2023-01-31" in first
    assert "2023-01-30" in client.get("/reports/?after=2023-01-31").content.decode()
    assert "is no day" in client.get("/reports/?after=yesterday").content.decode()


def test_the_queries_do_not_grow_with_the_day(world):
    counts = []
    for number in range(2):
        with CaptureQueriesContext(connection) as captured:
            view(world)
        counts.append(len(captured))
        for one in range(20):
            event(world, f"ALARM_{number}_{one}", "alarm", "again")
            Fill.objects.create(
                account=world.account, position=world.position(HELD), trade_date=world.on, symbol=HELD,
                side="buy", quantity=1, price=1, amount=1, broker_order_id=1, traded_id=f"{one}",
                key=f"{number} {one}", at=world.moment("11:00:00"), booked_at=world.moment("11:00:00"),
            )  # fmt: skip
    assert counts[0] == counts[1] <= 26


# -- the file


def test_a_report_is_kept_as_one_file_in_both_languages_that_needs_nothing_else(world, tmp_path):
    reported(world)
    EquityPoint.objects.create(
        account=world.account, at=world.moment("09:31:00"), equity=1_019_000, recorded_at=REAL
    )
    assert keep_report_files(tmp_path, REAL) == 1
    [file] = folder_of(tmp_path).iterdir()
    assert file.name == "report-2023-02-01.html"
    kept = file.read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img|iframe)\b|https?://(?!www\.w3\.org)|url\(", kept)
    assert "<svg" in kept
    assert "@media print" in kept
    assert "当日盈亏" in kept
    assert "Result of the day" in kept
    assert kept.index("当日盈亏") < kept.index("Result of the day")
    assert "-824.28" in kept


def test_the_file_ends_with_the_audit_anchor_of_its_moment(world, tmp_path):
    chain.extend(REAL)
    reported(world)
    keep_report_files(tmp_path, REAL)
    kept = file_of(tmp_path, world.on).read_text(encoding="utf-8")
    assert kept.count(f"<code>{chain.newest_anchor()}</code>") == 2


def test_hostile_words_do_not_run_in_the_file(world, tmp_path):
    event(world, "HOSTILE", "alarm", "</style>" + HOSTILE)
    reported(world)
    keep_report_files(tmp_path, REAL)
    kept = file_of(tmp_path, world.on).read_text(encoding="utf-8")
    assert HOSTILE not in kept
    assert kept.count("</style>") == 1


def test_a_file_is_written_once_and_again_when_a_report_came_later(world, tmp_path):
    reported(world)
    assert keep_report_files(tmp_path, REAL) == 1
    assert keep_report_files(tmp_path, REAL) == 0
    stamp = (REAL - timedelta(hours=1)).timestamp()
    os.utime(file_of(tmp_path, world.on), (stamp, stamp))
    assert keep_report_files(tmp_path, REAL) == 1


def test_a_write_that_fails_leaves_the_old_file_whole_and_no_half_one(
    world, tmp_path, monkeypatch
):
    reported(world)
    keep_report_files(tmp_path, REAL)
    file = file_of(tmp_path, world.on)
    before = file.read_bytes()
    os.utime(file, (0, 0))

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space"):
            keep_report_files(tmp_path, REAL)
    assert file.read_bytes() == before
    assert list(folder_of(tmp_path).iterdir()) == [file]


def test_the_task_of_the_schedule_keeps_it(world, settings, tmp_path):
    settings.HOME = str(tmp_path)
    set_clock("demo", REAL, world.moment("15:36:00") + timedelta(days=1))
    tasks.day_report()
    assert DayReport.objects.exists()
    assert file_of(tmp_path, world.on).is_file()
