"""The overview's curve and strip: a point a minute where everything is known, none where it is not, cheap to watch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from miniqmt import schedule
from monitoring import tasks, views
from monitoring.care import retention
from monitoring.console.build import build
from monitoring.console.curve import Curves
from monitoring.console.shared import SharedConsole
from monitoring.models import DayReport, EquityPoint, PricePoint
from monitoring.services.curves import record_curves
from tests.integration.record_scenes import person, text, words_of
from tests.world import World
from trading.errors import GatewayUnavailable
from trading.models import Account, TickLease
from trading.services.clock import DEMO, set_clock
from trading.services.runner import STRATEGY, lease_name

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

HELD, SOLD = "600036.SH", "600000.SH"
REAL = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
NOWHERE = Path("nowhere")


@pytest.fixture
def world(calendar, tmp_path, monkeypatch) -> World:
    """09:31:30: one holding was sold by its stop, another stands at 10.40."""
    world = World(holdings=[(HELD, 1000, "10.00"), (SOLD, 1000, "10.00")])
    world.hold(HELD, "10.40", since="09:30:00", until="09:31:31")
    world.hold(SOLD, "10.00", since="09:30:00", until="09:31:00")
    world.hold(SOLD, "9.20", since="09:31:00", until="09:31:31")
    world.run(until="09:31:30")
    at(world, "09:31:30")
    curves = Curves()
    shared = SharedConsole(lambda real: build(real, world.store, tmp_path, curves))
    monkeypatch.setattr(views, "console_now", shared)
    return world


def at(world: World, clock: str) -> None:
    """Let it be so late in the market at `REAL`."""
    set_clock(DEMO, REAL, world.moment(clock))


def points() -> list[tuple[datetime, Decimal]]:
    return list(EquityPoint.objects.order_by("at").values_list("at", "equity"))


# -- what is recorded


def test_a_minute_keeps_what_the_account_is_worth_and_what_its_symbols_cost(world):
    assert record_curves(REAL, world.store) == (1, 2)
    total = Account.objects.get().total_asset
    assert points() == [(world.moment("09:31:00"), total)]
    prices = PricePoint.objects.order_by("-price").values_list("symbol", "at", "price")
    # What was sold today is followed to the close: what did the price do afterwards?
    assert list(prices) == [
        (HELD, world.moment("09:31:00"), Decimal("10.40")),
        (SOLD, world.moment("09:31:00"), Decimal("9.20")),
    ]


def test_the_same_minute_recorded_twice_is_one_point_with_the_newest_value(world):
    record_curves(REAL, world.store)
    Account.objects.update(total_asset=Decimal("999000.5"))
    record_curves(REAL + timedelta(seconds=20), world.store)
    assert points() == [(world.moment("09:31:00"), Decimal("999000.5"))]


@pytest.mark.parametrize("clock", ["09:20:00", "11:45:00", "15:10:00"])
def test_nothing_is_recorded_while_prices_cannot_move(world, clock):
    at(world, clock)
    assert record_curves(REAL, world.store) == (0, 0)
    assert points() == []


def test_a_holding_without_a_quote_of_today_leaves_no_point_and_never_a_zero(world):
    world.store._tapes.clear()
    assert record_curves(REAL, world.store) == (0, 0)
    assert points() == []


def test_an_account_that_was_not_read_for_a_minute_is_not_known_now(world):
    read = Account.objects.get().snapshot_at
    Account.objects.update(snapshot_at=read - timedelta(seconds=61))
    assert record_curves(REAL, world.store) == (0, 2)


def test_an_account_without_a_total_has_no_point(world):
    Account.objects.update(total_asset=None)
    assert record_curves(REAL, world.store) == (0, 2)


def test_a_disabled_account_is_left_out(world):
    Account.objects.update(enabled=False)
    assert record_curves(REAL, world.store) == (0, 0)


def test_quotes_that_cannot_be_read_are_a_minute_without_points(world):
    def away(symbols: object) -> object:
        raise GatewayUnavailable("away")

    assert record_curves(REAL, SimpleNamespace(latest=away)) == (0, 0)


@pytest.mark.parametrize("holdings", [2, 40])
def test_a_minute_costs_two_writes_whatever_is_held(calendar, holdings):
    symbols = [f"{600036 + number}.SH" for number in range(holdings)]
    world = World(holdings=[(symbol, 100, "10.00") for symbol in symbols])
    for symbol in symbols:
        world.hold(symbol, "10.40", since="09:30:00", until="09:30:31")
    world.run(until="09:30:30")
    at(world, "09:30:30")
    with CaptureQueriesContext(connection) as captured:
        assert record_curves(REAL, world.store) == (1, holdings)
    assert sum(one["sql"].startswith("INSERT") for one in captured) == 2
    assert len(captured) <= 12


def test_the_task_of_the_schedule_does_it_and_follows_a_fast_market(world, monkeypatch):
    monkeypatch.setattr(tasks, "quotes_of_thread", lambda: world.store)
    with time_machine.travel(REAL, tick=False):
        tasks.curves()
    assert len(points()) == 1
    entry = schedule.at_speed(Decimal(20))["curves"]
    assert entry["schedule"] == timedelta(seconds=3)
    assert schedule.at_speed(Decimal(20))["backup"]["schedule"] == timedelta(seconds=60)


def test_minutes_are_forgotten_after_their_time(world):
    account = Account.objects.get()
    for age in (13, 15, 369, 371):
        moment = REAL - timedelta(days=age)
        EquityPoint.objects.create(account=account, at=moment, equity=1, recorded_at=moment)
        PricePoint.objects.create(symbol=HELD, at=moment, price=1, recorded_at=moment)
    assert retention.forget(REAL).points == 1 + 3
    assert (EquityPoint.objects.count(), PricePoint.objects.count()) == (3, 1)


# -- what is shown


def record(world: World, clock: str, equity: str) -> None:
    EquityPoint.objects.create(
        account=Account.objects.get(),
        at=world.moment(clock),
        equity=Decimal(equity),
        recorded_at=REAL + timedelta(seconds=EquityPoint.objects.count()),
    )


def test_the_curve_of_the_day_is_drawn_with_its_words(world, now):
    record(world, "09:30:00", "1020000")
    record(world, "09:31:00", "1019200.5")
    page = text(person("view_account"), "console")
    assert 'd="M0 ' in page
    assert "09:30 1,020,000.00, 09:31 1,019,200.50" in page
    assert "lowest 1,019,200.50, highest 1,020,000.00" in page


def test_points_of_another_day_or_still_to_come_are_not_drawn(world, now):
    """A demo that begins its day again has points of the day it had before."""
    record(world, "09:30:00", "1020000")
    record(world, "10:00:00", "555")
    account = Account.objects.get()
    EquityPoint.objects.create(
        account=account, at=world.moment("09:30:00") - timedelta(days=1), equity=777, recorded_at=REAL
    )  # fmt: skip
    [view] = build(REAL, world.store, NOWHERE).accounts
    assert view.curve is not None
    assert (view.curve.low, view.curve.high) == (1020000, 1020000)


def test_without_points_there_is_no_curve(world, now):
    assert "<svg" not in text(person("view_account"), "console")


def test_a_look_without_a_new_point_reads_one_row(world):
    for minute in range(30, 32):
        record(world, f"09:{minute}:00", "1020000")
    curves, moments = Curves(), [(Account.objects.get().pk, world.moment("09:31:30"))]
    first = curves.of(moments)
    with CaptureQueriesContext(connection) as captured:
        assert curves.of(moments) == first
    assert len(captured) == 1
    assert "LIMIT 1" in captured[0]["sql"]
    record(world, "09:31:10", "1")
    assert curves.of(moments) != first


def test_after_the_books_closed_the_day_still_shows_what_it_gained(world, now):
    """The account's row then has today's own close: the report of the day knows the one before."""
    Account.objects.update(
        total_asset=Decimal(1_000_500),
        previous_total=Decimal(1_000_500),
        previous_total_on=world.on,
    )
    [account] = build(REAL, world.store, NOWHERE).accounts
    assert (account.day_profit, account.day_ratio) == (None, None)
    figures = dict.fromkeys(
        ("orders", "fills", "bought", "sold", "commission", "stamp_duty", "transfer_fee"), 0
    )
    DayReport.objects.create(
        account=world.account,
        on=world.on,
        equity_before=Decimal(1_000_000),
        made_at=REAL,
        **figures,
    )
    [account] = build(REAL, world.store, NOWHERE).accounts
    assert (account.day_profit, account.day_ratio) == (500, Decimal("0.0005"))


@pytest.mark.parametrize(
    ("late", "state", "word"),
    [(1, "up", "on time"), (15, "late", "late"), (120, "down", "down")],
)
def test_a_tick_is_on_time_then_late_then_down(world, now, late, state, word):
    name = lease_name(STRATEGY, world.account.pk)
    TickLease.objects.create(name=name, started_at=REAL - timedelta(seconds=late))
    set_clock(DEMO, REAL - timedelta(seconds=600), world.moment("09:31:30"))
    [account] = build(REAL, world.store, NOWHERE).accounts
    [strategy] = [tick for tick in account.ticks if tick.name == "strategy"]
    assert strategy.state == state
    assert strategy.next_at == strategy.started_at + timedelta(seconds=5)
    page = text(person("view_account"), "console")
    assert f"strategy <small>{word}</small>" in page


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("active", "Main switch : active"),
        ("reducing", "reduce only — sales go on, nothing is bought"),
        ("halted", "halted — nothing is bought or sold, stop-losses neither"),
    ],
)
def test_the_bar_says_what_kind_of_account_it_is_and_whether_it_may_trade(world, now, state, said):
    Account.objects.update(trading_state=state)
    page = words_of(text(person("view_account"), "console")).replace("switch:", "switch :")
    assert "DEMO — a simulated market" in page or "PAPER — a simulated account" in page
    assert said in page


def test_what_is_not_protected_is_named_with_its_reason(world, now):
    Account.objects.update(trading_state="halted")
    page = text(person("view_account"), "console")
    summary = words_of(page.split('id="summary"')[1].split("</div>")[0])
    assert "0 of 1 protected" in summary
    assert f"{HELD} :" in summary.replace(f"{HELD}:", f"{HELD} :")
