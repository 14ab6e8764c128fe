"""Strategy plug-ins in the day: their signals beside all others, their faults nobody else's."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.integration.days import BANK, LIQUOR, codes
from tests.world import World
from trading.domain.calendar import MarketPhase
from trading.domain.plug_in import Advice
from trading.domain.symbols import parse_symbol
from trading.domain.types import Side, Symbol, Text
from trading.models import Close, DailyIndicator, Denial, Signal, WatchedSymbol
from trading.services.clock import DEMO
from trading.services.plug_ins import PLUG_INS, plug_in_tick
from trading.services.quotes import capture

pytestmark = [pytest.mark.exits, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

MACD = "trading.domain.macd_cross.signals"
HERE = "tests.integration.test_plug_ins"
BEFORE, LAST = date(2023, 1, 30), date(2023, 1, 31)
WATCHED = parse_symbol("600000.SH")
ON = {"strategy_execution_enabled": "on"}


def indicators(symbol: str, dif: tuple[str, str], averages: str = "rising") -> None:
    """DIF of the last two sessions around a DEA of 0."""
    ma = ["13", "12", "11", "10"] if averages == "rising" else ["10", "11", "12", "13"]
    for on, value in zip((BEFORE, LAST), dif, strict=True):
        DailyIndicator.objects.create(
            environment=DEMO,
            symbol=symbol, on=on, sessions=300, close=Decimal(10), ema12=float(value), ema26=0.0,
            dea=0.0, **dict(zip(("ma10", "ma20", "ma30", "ma60"), map(Decimal, ma), strict=True)),
        )  # fmt: skip


def a_day(settings, *paths: str, until: str = "09:40:00", **config_changes: str) -> World:
    """A holding of 1,000 shares and a watched symbol, both at 10.00 all morning."""
    settings.MINIQMT_PLUG_INS = list(paths)
    world = World(holdings=[(BANK, 1000, "10.00")], symbols=[WATCHED], settings=config_changes)
    WatchedSymbol.objects.create(
        account=world.account, symbol=WATCHED, added_at=world.moment("09:00:00")
    )
    for symbol in (BANK, WATCHED):
        world.hold(symbol, "10.00", since="09:30:00", until=until)
    return world


GOLDEN, DEATH = ("-0.1", "0.1"), ("0.1", "-0.1")


@pytest.mark.parametrize(
    ("symbol", "dif", "averages", "side"),
    [
        (WATCHED, GOLDEN, "rising", "buy"),
        (WATCHED, ("0", "0.1"), "rising", "buy"),
        (BANK, DEATH, "falling", "sell"),
        (WATCHED, GOLDEN, "falling", None),  # the averages do not confirm it
        (BANK, DEATH, "rising", None),
        (WATCHED, ("0.1", "0.2"), "rising", None),  # crossed earlier
        (WATCHED, DEATH, "falling", None),  # not held
        (BANK, GOLDEN, "rising", None),  # held already
        (LIQUOR, GOLDEN, "rising", None),  # neither held nor watched
    ],
)
def test_macd_crosses_are_signals_that_are_denied_while_execution_is_off(
    settings, symbol, dif, averages, side
):
    world = a_day(settings, MACD, until="09:31:00")
    indicators(symbol, dif, averages)
    world.run(until="09:30:30")
    found = [(s.symbol, s.side, s.kind, s.state, s.denial_code) for s in world.signals()]
    expected = [(symbol, side, "strategy", "denied", "STRATEGY_OFF")] if side else []
    assert found == expected  # once, not once a tick
    assert world.orders() == []
    assert Denial.objects.filter(cleared_at=None).count() == len(expected)


def test_with_execution_on_each_cross_is_one_order_a_session(settings):
    world = a_day(settings, MACD, **ON)
    indicators(WATCHED, GOLDEN)
    indicators(BANK, DEATH, "falling")
    world.run(until="09:38:00")
    orders = {(o.symbol, o.side, o.kind, o.purpose, o.state) for o in world.orders()}
    assert orders == {
        (WATCHED, "buy", "strategy", "strategy", "filled"),
        (BANK, "sell", "strategy", "strategy", "filled"),
    }
    assert len(world.orders()) == 2
    assert world.position(WATCHED).quantity == 3500  # 35,000 yuan at 10.00
    [buy, _] = sorted(world.signals(), key=lambda s: s.side)
    assert (buy.source, "金叉" in buy.reason_zh) == (MACD[-32:], True)


def test_what_a_stop_loss_sold_today_no_strategy_buys_back(settings):
    world = a_day(settings, f"{HERE}.buy_the_bank", until="09:31:00", **ON)
    world.hold(BANK, "9.20", since="09:31:00", until="09:45:00")
    world.run(until="09:44:00")
    assert [(o.kind, o.side, o.state) for o in world.orders()] == [("stop_loss", "sell", "filled")]


def buy_the_bank(portfolio, now):
    if not portfolio.held(Symbol(BANK)):
        yield Advice(Symbol(BANK), Side.BUY, Text("why not", "试试"))


def raises(portfolio, now):
    raise ZeroDivisionError("by nothing")


def asks_what_is_not_there(portfolio, now):
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM nothing_of_that_name")


def says_nonsense(portfolio, now):
    return ["buy everything"]


@pytest.mark.parametrize(
    "broken",
    [
        f"{HERE}.raises",
        f"{HERE}.asks_what_is_not_there",
        f"{HERE}.says_nonsense",
        f"{HERE}.nobody",
        "no_such_module.signals",
    ],
)
def test_a_plug_in_that_fails_is_an_alarm_and_stops_neither_exits_nor_the_others(settings, broken):
    world = a_day(settings, broken, MACD, until="09:31:00")
    world.hold(BANK, "9.20", since="09:31:00", until="09:32:00")
    indicators(WATCHED, GOLDEN)
    world.run(until="09:31:30")
    assert [(s.kind, s.state) for s in world.signals()] == [
        ("strategy", "denied"),
        ("stop_loss", "accepted"),
    ]
    [alarm] = world.events(code="PLUG_IN_FAILED")
    assert alarm.level == "alarm"
    assert broken in alarm.text_zh


def test_without_a_plug_in_its_tick_asks_nothing_and_is_of_no_use(settings):
    world = a_day(settings)
    world.run(until="09:31:00")
    now = world.moment("09:31:05")
    with CaptureQueriesContext(connection) as captured:
        assert (
            plug_in_tick(world.account.pk, now, world.store, world.calendar, lambda _: None) == 0
        )
    assert len(captured) == 0
    assert not PLUG_INS.useful(MarketPhase.MORNING, now)
    settings.MINIQMT_PLUG_INS = [MACD]
    assert PLUG_INS.useful(MarketPhase.MORNING, now)


@pytest.mark.parametrize("watched", [5, 200])
def test_its_queries_do_not_grow_with_the_watch_list(settings, watched):
    world = a_day(settings, MACD)
    WatchedSymbol.objects.bulk_create(
        WatchedSymbol(account=world.account, symbol=f"{601000 + n}.SH", added_at=world.moment("09:00:00"))
        for n in range(watched)
    )  # fmt: skip
    world.run(until="09:31:00")
    captured = capture(world.account.pk, world.store, PLUG_INS.also())
    assert WATCHED in captured.latest([WATCHED])
    with CaptureQueriesContext(connection) as queries:
        plug_in_tick(
            world.account.pk, world.moment("09:31:05"), captured, world.calendar, lambda _: None
        )
    assert sum(query["sql"].startswith("SELECT") for query in queries) <= 12


def test_a_signal_that_waits_while_its_advice_is_over_expires(settings):
    world = a_day(settings, f"{HERE}.sell_at_0933", until="09:31:00", **ON)
    world.hold(WATCHED, "10.00", since="09:31:00", until="09:37:00")
    states = []
    world.at("09:33:40", lambda: states.extend(s.state for s in world.signals()))
    world.run(until="09:36:00")
    assert states == ["pending"]  # the bank's quotes stopped: QUOTE_STALE
    assert [s.state for s in world.signals()] == ["expired"]
    assert world.orders() == []


def sell_at_0933(portfolio, now):
    if now.minute == 33 and now.second < 30:
        yield Advice(Symbol(BANK), Side.SELL, Text("out", "卖出"), quantity=300)


def test_the_example_of_the_documentation_runs(settings, tmp_path, monkeypatch):
    text = Path(__file__).parents[2].joinpath("docs/strategies.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [line] = re.findall(r"MINIQMT_PLUG_INS=(my_\S+)", text)
    tmp_path.joinpath("my_strategy.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    world = a_day(settings, line, **ON)
    for on, close, ma20 in ((BEFORE, "10", "9.8"), (LAST, "10.2", "9.9")):
        row = {"sessions": 40, "ema12": 0.0, "ema26": 0.0, "dea": 0.0}
        DailyIndicator.objects.create(environment=DEMO, symbol=WATCHED, on=on, close=Decimal(close), ma20=Decimal(ma20), **row)  # fmt: skip
        DailyIndicator.objects.create(environment=DEMO, symbol=BANK, on=on, close=Decimal(9), ma20=Decimal(ma20), **row)  # fmt: skip
    world.run(until="09:38:00")
    assert {(o.symbol, o.side, o.state) for o in world.orders()} == {
        (WATCHED, "buy", "filled"),
        (BANK, "sell", "filled"),
    }
    assert codes(world.events(level="alarm")) == []
    assert Signal.objects.filter(kind="strategy").count() == 2
    assert Close.objects.exists()
