"""Ex-rights mornings: every stored level changes once, says from what to what, and nothing is triggered by it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from grid.models import GridOpeningLot
from grid.services.ledger import open_with
from grid.services.tick import grid_tick
from tests.integration.grid_days import BANK, GOLD, books, session, start
from tests.unit.domain.real_data import day_bars
from tests.world import TODAY, World
from trading.domain.symbols import parse_symbol
from trading.domain.types import CorporateAction, Symbol
from trading.market_data.sources import open_source
from trading.models import Close, Event, Order, Position, Signal
from trading.replay.engine import Options, Replay, Seed
from trading.services.calendar import fill_calendar
from trading.services.clock import DEMO
from trading.services.tick import strategy_tick

pytestmark = [
    pytest.mark.exits,
    pytest.mark.grid,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]

YESTERDAY, WEEKS_AGO = date(2023, 1, 31), date(2023, 1, 3)
UNIT = Decimal("0.0001")
#: What happened → symbol, shares × ratio, cash per share, reference price after a close of 10.00.
EVENTS = {
    "bonus shares": (BANK, "2", "0", "5.00"),
    "cash": (BANK, "1", "0.28", "9.72"),
    "rights": (BANK, "1", "0", "9.26"),
    "bonus and cash": (BANK, "1.6", "0.17", "6.14"),
    "a fund's split": (GOLD, "4", "0", "2.500"),
    "a fund's merger": (GOLD, "0.5", "0", "20.000"),
}


class Boom(Exception):
    """The power goes."""


def a_morning_after(name: str, style: str) -> tuple[World, CorporateAction]:
    """A holding with every level set, and a grid session with a lot, of yesterday; its close was 10.00, the day as above."""
    symbol, ratio, cash, reference = EVENTS[name]
    key = parse_symbol(symbol)
    factor = Decimal(reference) / 10
    action = CorporateAction(key, TODAY, factor, Decimal(ratio), Decimal(cash))
    world = World(
        holdings=[(symbol, 1000, "9.80")],
        corporate_actions=[action],
        settings={"grid_enabled": "on"},
    )
    Close.objects.create(environment=DEMO, symbol=key, on=YESTERDAY, close=Decimal(10))
    start(world, "09:19:00", style, symbol, max_investment="50000")
    world.at("09:20:00", lambda: as_of_yesterday(world, symbol))
    world.hold(symbol, reference, since="09:30:00", until="09:31:00", previous_close=reference)
    return world, action


def as_of_yesterday(world: World, symbol: str) -> None:
    """As after some weeks; armed and trailing at once cannot be, but each of them must go through it."""
    Position.objects.filter(account=world.account).update(
        quantity=1000, bought_quantity=1000, bought_amount=Decimal(9800), opened_on=WEEKS_AGO,
        base_cost=Decimal("9.70"), high_since_entry=Decimal("10.50"), armed=True,
        armed_high=Decimal("10.40"), trailing_level=Decimal("9.10"), checked_close_on=YESTERDAY,
    )  # fmt: skip
    row = session(world, symbol)
    amount = Decimal("9850.00")
    lot = GridOpeningLot(session=row, place=1, quantity=1000, amount=amount, on=WEEKS_AGO)
    open_with(row, [lot])
    type(row).objects.filter(pk=row.pk).update(checked_close_on=YESTERDAY, base_quantity=600)


def levels(world: World, symbol: str) -> dict[str, object]:
    row, grid = world.position(symbol), session(world, symbol)
    return {
        "quantity": row.quantity,
        "cost": row.bought_amount / row.bought_quantity,
        "base_cost": row.base_cost,
        "high": row.high_since_entry,
        "trailing": row.trailing_level,
        "centre": grid.centre,
        "first_centre": grid.first_centre,
        "base": grid.base_quantity,
        "lots": [(lot.quantity, lot.price) for lot in books(world, symbol).lots],
    }


@pytest.mark.parametrize("style", ["centred", "lot"])
@pytest.mark.parametrize("name", EVENTS)
def test_every_level_changes_once_and_nothing_is_triggered(name, style):
    symbol = EVENTS[name][0]
    world, action = a_morning_after(name, style)
    seen: dict[str, object] = {}
    world.at("09:20:00", lambda: seen.update(levels(world, symbol)))
    world.run(until="09:30:50")
    after = levels(world, symbol)
    assert (world.orders(), world.signals()) == ([], [])

    tick = Decimal("0.001") if symbol == GOLD else Decimal("0.01")
    for level in ("cost", "base_cost", "high", "trailing", "centre", "first_centre"):
        assert abs(after[level] - seen[level] * action.factor) <= tick, level
    for count in ("quantity", "base"):
        assert after[count] == int(seen[count] * action.share_ratio)
    [(shares, price)], [(were, was)] = after["lots"], seen["lots"]
    assert shares == int(were * action.share_ratio)
    assert abs(price - was * action.factor) <= UNIT
    # An audit row each, from what to what.
    [event] = world.events(code="EX_RIGHTS_SCALE")
    told = event.detail["levels"]
    assert [Decimal(one) for one in told["base_cost"]] == [seen["base_cost"], after["base_cost"]]
    assert abs(Decimal(told["armed_high"][1]) - Decimal("10.40") * action.factor) <= tick
    assert {"cost", "high_since_entry", "trailing_level"} <= told.keys()
    [event] = world.events(code="GRID_EX_RIGHTS")
    assert Decimal(event.detail["levels"]["centre"][1]) == after["centre"]
    assert event.detail["lots"][0] != event.detail["lots"][1]
    assert session(world, symbol).adjustments.count() == 1


def test_power_that_goes_in_the_middle_and_ticks_that_come_twice_scale_once():
    world, action = a_morning_after("bonus shares", "lot")
    world.run(until="09:29:59")
    before = levels(world, BANK)
    now = world.moment("09:30:02")
    world.store.put("xtquant", world._made[:1], 10, now)
    ticks = (strategy_tick, grid_tick)

    def play(which: Sequence[Any]) -> None:
        for tick in which:
            tick(world.account.pk, now, world.store, world.calendar, lambda _: None)

    def play_and_lose(which: Sequence[Any]) -> None:
        with transaction.atomic():
            play(which)
            raise Boom

    for part in (ticks[:1], ticks):  # before and after the grid had its turn
        with pytest.raises(Boom):
            play_and_lose(part)
        assert levels(world, BANK) == before
    play(ticks)
    after = levels(world, BANK)
    assert after["base_cost"] == before["base_cost"] * action.factor
    assert after["centre"] == before["centre"] * action.factor
    for _ in range(3):
        play(ticks)
    assert levels(world, BANK) == after
    assert len(world.events(code="EX_RIGHTS_SCALE")) == 1


# --- what is quoted as the previous close ------------------------------------------------------


def quoted_after_a_gap(closes: list[tuple[date, str, str | None]], quoted: str) -> World:
    """A holding whose recorded closes are given (day, close, previous close quoted then), and today's quotes."""
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, quoted, since="09:30:00", until="09:31:00", previous_close=quoted)
    Close.objects.create(
        environment=DEMO, symbol="000001.SZ", on=date(2023, 1, 31), close=Decimal(1)
    )
    for on, close, then in closes:
        Close.objects.create(
            environment=DEMO,
            symbol=BANK,
            on=on,
            close=Decimal(close),
            previous_close=Decimal(then) if then else None,
        )
    rows = Position.objects.filter(account=world.account)
    world.at("09:20:00", lambda: rows.update(opened_on=date(2023, 1, 3), checked_close_on=None))
    world.run(until="09:30:30")
    return world


JAN = [date(2023, 1, day) for day in (18, 19, 20, 30, 31)]


@pytest.mark.parametrize(
    ("closes", "quoted", "code"),
    [
        # Installed yesterday: the close before was never recorded, but yesterday's quotes named it.
        ([(JAN[4], "10.50", "10.00")], "10.00", "EX_RIGHTS_REFUSED"),
        ([(JAN[4], "10.50", None)], "10.00", "EX_RIGHTS_SCALE"),
        # Away for some sessions: within what the limits of the days between allow it is unverified, beyond it paused.
        ([(JAN[3], "10.00", None)], "12.00", "EX_RIGHTS_UNVERIFIED"),
        ([(JAN[3], "10.00", None)], "12.11", "EX_RIGHTS_PAUSED"),
        ([(JAN[3], "10.00", None)], "8.10", "EX_RIGHTS_UNVERIFIED"),
        ([(JAN[3], "10.00", None)], "5.00", "EX_RIGHTS_PAUSED"),
        ([(JAN[0], "10.00", None)], "14.00", "EX_RIGHTS_UNVERIFIED"),
        ([(date(2022, 12, 1), "10.00", None)], "5.00", "EX_RIGHTS_UNVERIFIED"),  # too long ago
    ],
)
def test_a_previous_close_is_compared_with_what_we_know_before_anything_is_scaled(
    closes, quoted, code
):
    world = quoted_after_a_gap(closes, quoted)
    assert {e.code for e in world.events() if e.code.startswith("EX_RIGHTS")} == {code}
    scaled = Position.objects.get(account=world.account).base_cost != 10
    assert scaled is (code == "EX_RIGHTS_SCALE")


# --- real days ----------------------------------------------------------------------------------

#: Ex-rights days of two banks: cash per share and new shares per share, from their announcements.
REAL = [
    ("hikyuu/sh600000.day", "600000.SH", 20110603, "0.16", "0.3"),
    ("hikyuu/sh600000.day", "600000.SH", 20170525, "0.2", "0.3"),
    ("mootdx/sz000001.day", "000001.SZ", 20130620, "0.17", "0.6"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "symbol", "on", "cash", "bonus"), REAL)
def test_a_real_ex_rights_day_scales_once_and_sells_nothing(file, symbol, on, cash, bonus, tmp_path):  # fmt: skip
    bars = [bar for bar in day_bars(file) if int(bar.on.strftime("%Y%m%d")) <= on][-2:]
    fill_calendar(date(2009, 1, 1))
    before, today = bars
    close = Decimal(before.close) / 100
    reference = ((close - Decimal(cash)) / (1 + Decimal(bonus))).quantize(Decimal("0.01"))
    # The real open confirms it: within 4 % of the reference, and far from the close before.
    assert abs(Decimal(today.open) / 100 / reference - 1) < Decimal("0.04")
    assert Decimal(today.open) / 100 / close < Decimal("0.93")
    action = CorporateAction(
        Symbol(symbol), today.on, reference / close, 1 + Decimal(bonus), Decimal(cash)
    )
    lines = ["time,symbol,open,high,low,close,volume,previous_close"]
    for bar, previous in ((before, ""), (today, str(reference))):
        prices = ",".join(str(Decimal(p) / 100) for p in (bar.open, bar.high, bar.low, bar.close))
        lines.append(f"{bar.on},{symbol},{prices},10000000,{previous}")
    source = tmp_path / "bars.csv"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    quantized = CorporateAction(
        action.symbol, action.on, action.factor.quantize(Decimal("1e-10")),
        action.share_ratio, action.cash_per_share,
    )  # fmt: skip
    seeds = [Seed(Symbol(symbol), 1000, close)]
    played = Replay([open_source(source)], Options(seeds, corporate_actions=[quantized]))
    played.run()
    row = Position.objects.get(account=played.account)
    assert Event.objects.filter(code="EX_RIGHTS_SCALE").count() == 1
    assert row.quantity == int(1000 * (1 + Decimal(bonus)))
    assert abs(row.base_cost - reference) <= Decimal("0.01")
    assert not Event.objects.filter(code__in=("EX_RIGHTS_REFUSED", "EX_RIGHTS_PAUSED")).exists()
    assert not Signal.objects.filter(kind="stop_loss").exists()
    assert not Order.objects.filter(side="sell").exists()
