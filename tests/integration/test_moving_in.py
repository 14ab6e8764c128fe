"""Moving in from the system used before: everything maps or says why, twice gives one result, the source stays."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from grid.domain.state import SessionStatus
from grid.models import GridLot, GridSession, GridTemplate
from grid.services import sessions
from grid.services.ledger import check_ledger, from_fills
from monitoring.moving_in.installation import NotAnInstallation, read_installation
from monitoring.moving_in.moving import move_in
from monitoring.moving_in.report import Outcome, Report
from tests.former_installation import NUMBER, installation
from tests.world import World
from trading.domain import positions
from trading.domain.types import CHINA, AccountMode, Side, Symbol
from trading.models import (
    Account,
    Event,
    FormerFill,
    FormerHolding,
    Position,
    TradingConfig,
    WatchedSymbol,
)
from trading.services.booking import open_life

NOW = datetime(2026, 8, 10, 8, 0, tzinfo=CHINA)

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return installation(tmp_path / "former")


def moved(folder: Path, *, write: bool = True, number: str | None = None) -> Report:
    return move_in(read_installation(folder, number), None, NOW, "tester", write=write)


def said(report: Report, source: str) -> list[tuple[Outcome, str]]:
    return [(line.outcome, line.target) for line in report.lines if line.source == source]


def rows() -> dict[str, Any]:
    """Everything that moving in writes."""
    models = (Account, TradingConfig, WatchedSymbol, FormerHolding, FormerFill, GridSession, GridLot, GridTemplate)  # fmt: skip
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(folder: Path) -> None:
    report = moved(folder, write=False)
    assert report.changes > 15
    assert not any(rows().values())
    assert not Event.objects.exists()
    assert moved(folder).lines == report.lines


def test_a_second_import_changes_nothing(folder: Path) -> None:
    moved(folder)
    before = rows()
    again = moved(folder)
    assert again.changes == 0
    assert rows() == before


def test_nothing_is_changed_at_the_source(folder: Path) -> None:
    def content() -> dict[str, str]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = content()
    moved(folder)
    assert content() == before


def test_rows_that_are_still_in_the_write_ahead_log_are_read(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "data" / "trading.db")) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute(
            "INSERT INTO trade_records VALUES (5, '600036', '', '2026-08-07 10:00:00', 'BUY', 37, 100, 3700, '', 5, '')"
        )
        connection.commit()
        moved(folder)
    assert FormerFill.objects.filter(number=5).exists()


def test_the_account_begins_as_paper_and_switched_off(folder: Path) -> None:
    moved(folder)
    account = Account.objects.get()
    assert (account.name, account.broker_account_id) == ("qmt-5678", NUMBER)
    assert (account.mode, account.enabled) == (AccountMode.PAPER, False)
    assert not account.config.auto_trading_enabled


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("stop_loss_ratio", Decimal("-0.07")),  # the stored change wins over config.py
        ("buy_amount", Decimal(25000)),  # saved under the console's name
        ("buy_enabled", False),  # "false" is no true
        ("max_position_value", Decimal(60000)),  # POSITION_UNIT * 2
        ("max_total_position_ratio", Decimal("0.9")),
        ("add_on_drop", Decimal("0.07")),
        ("take_profit_order_timeout", 240),
        ("sell_order_timeout", 30),
        ("grid_enabled", True),
        ("trailing_tiers", [["0.05", "0.96"], ["0.1", "0.93"], ["0.15", "0.9"]]),
        ("signal_max_age", 120),  # 100000 is out of range: the default stays
        ("auto_trading_enabled", False),  # never imported
    ],
)
def test_a_setting_is_imported_in_our_units(folder: Path, setting: str, value: object) -> None:
    moved(folder)
    assert getattr(TradingConfig.objects.get(), setting) == value


def test_every_setting_says_what_became_of_it(folder: Path) -> None:
    report = moved(folder)
    assert said(report, "STOP_LOSS_RATIO") == [(Outcome.CHANGED, "stop_loss_ratio = -0.07")]
    assert said(report, "DYNAMIC_SIGNAL_MAX_AGE_SECONDS") == [(Outcome.UNUSABLE, "signal_max_age")]
    for key in ("ENABLE_AUTO_TRADING", "ENABLE_THREAD_MONITOR", "MY_OWN_IDEA", "LOG_MAX_SIZE"):
        assert said(report, key) == [(Outcome.LEFT, "")], key
    monitor = next(line for line in report.lines if line.source == "ENABLE_THREAD_MONITOR")
    assert "always on" in monitor.why.en
    assert "始终开启" in monitor.why.zh
    read = [line for line in report.lines if line.source.endswith(" DATA_DIR")]
    assert [line.outcome for line in read] == [Outcome.LEFT]  # known, whatever its value
    assert TradingConfig.objects.get().revision == 2  # one change, one revision


def test_the_stock_pool_becomes_the_watch_list(folder: Path) -> None:
    moved(folder)
    watched = dict(WatchedSymbol.objects.values_list("symbol", "note"))
    assert watched == {"600036.SH": "", "000001.SZ": "", "510300.SH": "沪深300ETF"}


def test_past_fills_can_be_read_and_count_in_no_book(folder: Path) -> None:
    report = moved(folder)
    first, second = FormerFill.objects.order_by("number")
    assert (first.symbol, first.side, first.quantity, first.price) == (
        "600036.SH",
        Side.BUY,
        1000,
        Decimal("36.1"),
    )
    assert second.amount == Decimal(23520)  # price × quantity where none was stored
    assert second.at == datetime(2026, 7, 20, 14, 30, 5, 500000, tzinfo=CHINA)
    assert said(report, "trade_records 3") == [(Outcome.UNUSABLE, "")]  # HOLD is no side
    assert said(report, "trade_records 4") == [(Outcome.UNUSABLE, "")]
    assert not Position.objects.exists()


def morning(**known: Any) -> tuple[Position, list[str]]:
    """The first start of an account that holds 1,000 shares at 10.00, of which the former system knew this."""
    world = World(holdings=[("600036.SH", 1000, "10.00")])
    state = {"quantity": 1000, "base_cost": Decimal("9.8"), "high_since_entry": Decimal("10.2")}
    FormerHolding.objects.create(account=world.account, symbol="600036.SH", **{**state, **known})
    world.hold("600036.SH", "10.00", since="09:29:00", until="09:32:00")
    world.run(until="09:31:00")
    return Position.objects.get(), [
        event.text_en for event in world.events(code="HOLDING_TAKEN_OVER")
    ]


@pytest.mark.usefixtures("calendar")
def test_a_holding_keeps_its_exit_state_when_it_is_found_in_the_account() -> None:
    row, said = morning(first_take_profit_done=True, opened_on=date(2023, 1, 5))
    assert row.first_take_profit_done
    assert (row.base_cost, row.high_since_entry) == (Decimal("9.8"), Decimal("10.2"))
    assert row.opened_on == date(2023, 1, 5)
    assert (row.quantity, row.bought_amount) == (1000, Decimal(10000))  # the terminal's
    assert len(said) == 1
    assert FormerHolding.objects.get().adopted_at is not None


@pytest.mark.usefixtures("calendar")
def test_a_trailing_take_profit_goes_on_where_it_was() -> None:
    row, _ = morning(first_take_profit_done=True, high_since_entry=Decimal("10.9"))
    assert row.quantity == 0  # 9 % above cost there, so 4 % below its high is sold here


@pytest.mark.usefixtures("calendar")
def test_a_holding_whose_exits_were_off_stays_off_and_says_so() -> None:
    row, said = morning(exit_enabled=False)
    assert not row.exit_enabled
    assert "OFF" in said[0]


def test_a_holding_that_is_in_the_books_keeps_its_own_state(folder: Path) -> None:
    report = moved(folder)
    account = Account.objects.get()
    value = positions.opened(Symbol("600036.SH"), 1000, Decimal("36.5"), NOW.date())
    row = open_life(account, value, NOW)
    FormerHolding.objects.all().delete()
    again = moved(folder)
    assert said(again, "600036.SH") == [(Outcome.SAME, "600036.SH")]
    row.refresh_from_db()
    assert row.high_since_entry == Decimal("36.5")
    assert said(report, "688001") == [(Outcome.UNUSABLE, "")]  # 100.5 shares are none


def test_a_running_grid_arrives_paused_with_its_lots_and_its_centre(folder: Path) -> None:
    report = moved(folder)
    session = GridSession.objects.get()
    assert (session.symbol, session.status) == ("600036.SH", SessionStatus.PAUSED)
    assert (session.centre, session.first_centre) == (Decimal("37.5"), Decimal(36))
    assert (session.max_investment, session.interval) == (Decimal(20000), Decimal("0.05"))
    assert (session.base_quantity, session.duration_days) == (800, 30)
    lots = [(lot.quantity, lot.amount, lot.on) for lot in GridLot.objects.order_by("place")]
    assert lots == [
        (100, Decimal("3612.3"), date(2026, 8, 4)),
        (100, Decimal(3750), date(2026, 8, 5)),
    ]
    assert check_ledger(session, NOW, repair=False) is None
    assert from_fills(session).cost == Decimal("7362.3")
    assert [outcome for outcome, _ in said(report, "000001.SZ #8")] == [Outcome.UNUSABLE]
    assert [outcome for outcome, _ in said(report, "600000 #3")] == [Outcome.LEFT]
    assert sessions.resume(session.pk, "looked at it", NOW, "tester")


def test_a_grid_order_that_still_works_is_named(folder: Path) -> None:
    report = moved(folder)
    line = next(line for line in report.lines if line.source == "600036 12345")
    assert "cancel it in the terminal" in line.why.en
    assert not said(report, "600036 12344")


def test_templates_come_along_and_ours_of_the_same_name_stay(folder: Path) -> None:
    moved(folder)
    calm = GridTemplate.objects.get(name="calm")
    assert calm.values["interval"] == "0.08"
    assert GridTemplate.objects.filter(name="moved-in-2").exists()
    GridTemplate.objects.filter(name="calm").update(values={**calm.values, "interval": "0.09"})
    report = moved(folder)
    assert said(report, "calm") == [(Outcome.LEFT, "calm")]
    assert GridTemplate.objects.get(name="calm").values["interval"] == "0.09"


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda folder: (folder / "stock_pool.json").write_text("[1,", "utf-8"), "stock_pool.json"),
        (lambda folder: (folder / "config.py").write_text("def (", "utf-8"), "config.py"),
        (lambda folder: (folder / "data" / "trading.db").write_bytes(b"x" * 5000), "data/trading.db"),
        (lambda folder: (folder / "stock_pool.json").write_bytes(b"\xff\xfe\x00\x80"), "stock_pool.json"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named_and_keeps_nothing_else_out(
    folder: Path, spoil: Any, what: str
) -> None:
    spoil(folder)
    report = moved(folder)
    assert Outcome.UNUSABLE in [outcome for outcome, _ in said(report, what)]
    assert report.changes > 3


def test_a_folder_that_is_no_installation_is_refused_with_the_remedy(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(NotAnInstallation) as problem:
            read_installation(folder, None)
        assert "name the" in problem.value.text.en
        assert "请指定" in problem.value.text.zh


def test_several_accounts_need_a_choice(folder: Path) -> None:
    (folder / "account_config.json").write_text(
        '[{"account_id": 11}, {"account_id": 22}]', "utf-8"
    )
    with pytest.raises(NotAnInstallation, match="--number"):
        moved(folder)
    moved(folder, number="22")
    assert Account.objects.get().broker_account_id == "22"


def test_the_command_shows_a_report_and_writes_only_when_told(
    folder: Path, tmp_path: Path
) -> None:
    out, file = StringIO(), tmp_path / "report.json"
    call_command("import_miniqmt", str(folder), "--lang", "zh", "--json", str(file), stdout=out)
    assert "尚未写入" in out.getvalue()
    assert not Account.objects.exists()
    assert NUMBER not in out.getvalue() + file.read_text("utf-8")
    assert json.loads(file.read_text("utf-8"))["counts"]["new"] > 5
    call_command("import_miniqmt", str(folder), "--write", "--lang", "en", stdout=StringIO())
    assert Account.objects.count() == 1
    with pytest.raises(CommandError, match="no folder"):
        call_command("import_miniqmt", str(tmp_path / "missing"))
