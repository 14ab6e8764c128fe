"""Daily bars and indicators as rows: once per session, completed ones, the same bits whatever was stored before."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from tests.integration.days import BANK, LIQUOR, codes
from tests.world import TODAY, World
from trading.domain.daily import DailyBar
from trading.domain.types import CHINA, BookStatus, CorporateAction, Symbol
from trading.models import Close, DailyIndicator, Event
from trading.models import DailyBar as DailyBarRow
from trading.services import daily_round, indicators
from trading.services.calendar import load_calendar
from trading.services.clock import LIVE, set_clock
from trading.services.daily_bars import Kept, keep_bars, keep_corporate_actions

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

INDEX = Symbol("000001.SH")
NOW = datetime(2023, 2, 1, 16, tzinfo=CHINA)


def history(count: int = 80, symbol: str = BANK, until: date = TODAY) -> list[DailyBar]:
    """The newest `count` sessions; the price wanders."""
    days = load_calendar().sessions_between(date(2022, 1, 1), until)[-count:]
    closes = [Decimal(1000 + i * 37 % 211) / 100 for i in range(count)]
    return [
        DailyBar(Symbol(symbol), on, close, close + 1, close - 1, close, 100_000, Decimal(1))
        for on, close in zip(days, closes, strict=True)
    ]


def keep(bars, now=NOW, source="test"):
    return keep_bars(bars, source, load_calendar(), now)


def update() -> int:
    return indicators.update(indicators.series_with_bars(), load_calendar())


def stored(symbol=BANK):
    return list(DailyIndicator.objects.filter(symbol=symbol).order_by("on").values())


def without_ids(rows):
    return [{k: v for k, v in row.items() if k != "id"} for row in rows]


def test_f137_bars_that_are_there_already_do_not_stop_the_others():
    bars = history(10)
    assert keep(bars[:6]) == Kept(6, 0, 0)
    corrected = replace(bars[2], close=bars[2].close + Decimal("0.01"))
    assert keep([bars[0], bars[1], corrected, *bars[3:]]) == Kept(5, 5, 0)
    assert DailyBarRow.objects.count() == 10
    assert DailyBarRow.objects.get(on=bars[2].on).close == corrected.close
    # One session twice in one delivery: the later word counts, and nothing fails.
    assert keep([bars[2], corrected]) == Kept(0, 1, 0)


def test_f138_one_bar_a_session_is_the_database_s_own_rule():
    (bar,) = history(1)
    keep([bar])
    row = DailyBarRow.objects.get()
    row.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_f138_what_was_spoiled_in_the_file_is_found_and_counted_again(capsys):
    keep(history())
    update()
    before = without_ids(stored())
    call_command("indicators", "--verify")
    with connection.cursor() as cursor:  # as a disk or a hand would, past everything of ours
        cursor.execute("UPDATE trading_dailyindicator SET dea = dea + 1e-15 WHERE sessions = 70")
        cursor.execute("DELETE FROM trading_dailyindicator WHERE sessions = 75")
    with pytest.raises(CommandError, match="--rebuild"):
        call_command("indicators", "--verify")
    assert "600036.SH: 2 rows differ" in capsys.readouterr().out
    call_command("indicators", "--rebuild")
    call_command("indicators", "--verify")
    assert without_ids(stored()) == before


def test_f139_half_a_day_is_refused_and_counted_when_it_is_over():
    bars = history(70)
    noon = datetime(2023, 2, 1, 11, 31, tzinfo=CHINA)
    assert keep(bars, now=noon) == Kept(69, 0, 1)
    update()
    assert stored()[-1]["on"] < TODAY
    assert keep(bars, now=NOW) == Kept(1, 69, 0)
    assert update() == 1
    assert stored()[-1]["on"] == TODAY


def test_f144_day_by_day_corrected_and_split_is_the_same_as_at_once():
    bars = history(120)
    split = CorporateAction(Symbol(BANK), bars[90].on, Decimal("0.5"), Decimal(2))
    for part in (bars[:61], bars[61:62], bars[62:100], bars[100:]):
        keep(part)
        update()
    keep_corporate_actions([split])  # learned of late
    keep([replace(bars[95], close=bars[95].close + Decimal("0.5"))])
    assert stored()[-1]["on"] < bars[90].on  # what was counted from them is gone
    update()
    before = without_ids(stored())
    assert len(before) == 120
    indicators.rebuild([indicators.Series(LIVE, Symbol(BANK))], load_calendar())
    assert without_ids(stored()) == before
    assert keep_corporate_actions([split]) == 0


def test_f142_the_index_and_the_share_of_one_code_are_two_series():
    keep(history(65, symbol="000001.SZ"))
    keep([replace(bar, symbol=INDEX, close=bar.close + Decimal("0.5")) for bar in history(65)])
    update()
    share, index = stored("000001.SZ")[-1], stored(INDEX)[-1]
    assert index["ma60"] == share["ma60"] + Decimal("0.5")


def test_only_the_newest_year_is_kept(monkeypatch):
    monkeypatch.setattr(indicators, "KEEP", 30)
    bars = history(100)
    keep(bars[:80])
    update()
    keep(bars[80:])
    update()
    assert [row["sessions"] for row in stored()] == list(range(71, 101))
    call_command("indicators", "--verify")


# --- the end of a session ------------------------------------------------------------------------


def a_day(last: str = "15:00:00") -> World:
    world = World(holdings=[(BANK, 1000, "10.00"), (LIQUOR, 100, "10.00")])
    for clock in ("09:30:00", last):
        world.quote(clock, BANK, "10.10", high="10.20", low="9.95")
    world.quote("09:30:00", LIQUOR, "10.00")
    world.run()
    set_clock("demo", NOW, NOW)
    return world


def test_a_session_that_is_over_leaves_its_bars_and_a_child_counts_them(monkeypatch, tmp_path):
    world = a_day()
    keep(history(60, until=date(2023, 1, 31)))
    asked = []

    def child(argv, **options):
        asked.append((argv, options["timeout"]))
        call_command("indicators")
        return subprocess.CompletedProcess(argv, 0, "", "")

    monkeypatch.setattr(daily_round.subprocess, "run", child)
    daily_round.after_the_close(NOW, world.store)
    daily_round.after_the_close(NOW + timedelta(seconds=60), world.store)
    bar = DailyBarRow.objects.get(on=TODAY)
    assert (bar.symbol, bar.close, bar.high, bar.low) == (BANK, *map(Decimal, ("10.1", "10.2", "9.95")))  # fmt: skip
    assert bar.previous_close == 10
    assert stored()[-1]["on"] == TODAY
    [(argv, deadline)] = asked
    assert [Path(argv[1]).name, argv[2]] == ["manage.py", "indicators"]
    assert deadline <= 300


def test_a_child_that_fails_is_an_alarm_and_tried_again_later(monkeypatch):
    world = a_day()
    monkeypatch.setattr(daily_round, "command", lambda: ["nowhere", "to be found"])
    for minutes in (0, 1, 2, 6):
        daily_round.after_the_close(NOW + timedelta(minutes=minutes), world.store)
    assert codes(world.events(level="alarm")) == ["INDICATORS_FAILED"]
    assert indicators.are_missing()


def test_quotes_that_stopped_before_the_close_leave_neither_a_bar_nor_a_close():
    world = a_day(last="14:59:57")
    daily_round.after_the_close(NOW, world.store)
    assert not DailyBarRow.objects.exists()
    assert not Close.objects.filter(on=TODAY).exists()


def test_a_suspended_symbol_keeps_its_close_and_has_no_bar():
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.quote("09:30:00", BANK, "10.00", status=BookStatus.HALTED, volume=0)
    world.run()
    set_clock("demo", NOW, NOW)
    daily_round.after_the_close(NOW, world.store)
    assert Close.objects.get(symbol=BANK, on=TODAY).close == 10
    assert not DailyBarRow.objects.exists()
    assert not Event.objects.filter(code="INDICATORS_FAILED").exists()
