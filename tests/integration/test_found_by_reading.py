"""What a reader found: rows of other markets, yesterday's list, a client without prices, auctions, late corrections."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest

from tests.integration.scenes import STOCK, codes, falling
from tests.integration.test_health import OPEN, House
from tests.misbehaving import Misbehaving
from tests.world import TODAY, World
from trading.domain.calendar import phase_at
from trading.domain.instruments import StatedLimits
from trading.domain.protection import Protection
from trading.domain.reports import (
    BrokerAsset,
    BrokerOrder,
    BrokerPosition,
    BrokerState,
    BrokerTrade,
    Event,
    Snapshot,
)
from trading.domain.types import CHINA, BookStatus, Quote, Side, Symbol
from trading.market_data.pump import MarketData
from trading.market_data.store import MemoryQuoteStore
from trading.market_data.xtquant_feed import XtQuantFeed
from trading.models import Account, Fill, Position, TickLease, TradingConfig
from trading.models import Event as JournalRow
from trading.services import config
from trading.services.calendar import load_calendar
from trading.services.desk import AccountDesk
from trading.services.instruments import (
    InstrumentFact,
    correct_instrument,
    keep_instruments,
    keep_stated_limits,
)
from trading.services.pricing import limits_by_rule
from trading.services.protection import protection_reports
from trading.services.runner import TICKS, run_tick
from trading.services.view import TickView

pytestmark = [
    pytest.mark.exits,
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]

YESTERDAY = date(2023, 1, 31)
#: Hong Kong by Stock Connect, and a fund that no exchange lists.
ELSEWHERE = ["00700.HGT", "00700.HK", "000198.OF"]


def day(clock: str, on: date = TODAY) -> datetime:
    return datetime.combine(on, time.fromisoformat(clock), CHINA)


class Read:
    """A live account whose books are open, and what its terminal answers."""

    def __init__(self) -> None:
        self.account = Account.objects.create(name="live", broker_account_id="1", mode="live")
        TradingConfig.objects.create(account=self.account)
        self.desk = AccountDesk(self.account.pk, MemoryQuoteStore(), load_calendar())
        self.desk.take_over(day("08:50:00"))

    def answer(self, clock, orders=(), trades=(), worth=Decimal(10000)):
        holding = BrokerPosition(
            Symbol(STOCK), 1000, 1000, Decimal(10), Decimal(10), 0, 1000, "", worth
        )
        asset = BrokerAsset(Decimal(1000), Decimal(0), worth, 1000 + worth)
        at = day(clock)
        snapshot = Snapshot(at, 1, True, asset, (holding,), tuple(orders), tuple(trades))
        self.desk.record([Event(snapshot, 1, at)], at)
        return self.desk.problem_with(snapshot)


# -- F72: rows of another market


@pytest.mark.parametrize("code", ELSEWHERE)
def test_f072_a_holding_of_another_market_keeps_no_other_from_its_stop(code):
    def shown(request, truth):
        if request["op"] != "query_stock_positions":
            return truth
        other = {"stock_code": code, "volume": 500, "can_use_volume": 500, "yesterday_volume": 500}
        return [*truth, {**truth[0], **other, "market_value": None}]

    world = falling(Misbehaving(shown=shown), book={}, until="09:36:00")
    world.run(until="09:35:30")
    assert [order.state for order in world.orders()] == ["filled"]
    assert "TICK_FAILED" not in codes(world)


@pytest.mark.parametrize("code", ELSEWHERE)
def test_f072_a_fill_in_another_market_is_booked(code):
    read = Read()
    read.answer("09:00:00")
    read.answer("09:00:05")
    at = day("09:31:00")
    trade = BrokerTrade("t1", 9, Symbol(code), Side.BUY, 100, Decimal(1), at, "s9")
    order = BrokerOrder(
        9, Symbol(code), Side.BUY, 100, Decimal(1), BrokerState.FILLED, 100, at, "s9"
    )
    assert read.answer("09:31:05", [order], [trade]) is None
    assert [fill.symbol for fill in Fill.objects.all()] == [code]


@pytest.mark.parametrize("code", ELSEWHERE)
def test_f072_a_tick_of_another_market_keeps_no_other_quote_from_its_holding(code):
    milliseconds = int(day("10:00:00").timestamp() * 1000)
    tick = {
        "time": milliseconds, "lastPrice": 1.0, "lastClose": 1.0, "open": 1.0, "high": 1.0, "low": 1.0,
        "volume": 1, "amount": 1.0, "openInt": 13, "bidPrice": [0.9] * 5, "bidVol": [1] * 5,
        "askPrice": [1.1] * 5, "askVol": [1] * 5,
    }  # fmt: skip

    class Library:
        def subscribe_whole_quote(self, codes, callback):
            return 1

        def get_full_tick(self, codes):
            return dict.fromkeys(codes, tick)

    store = MemoryQuoteStore()
    pump = MarketData([XtQuantFeed(Library())], store, limits_by_rule(load_calendar()))
    pump.subscribe([Symbol(code), Symbol(STOCK)])
    pump.step(day("10:00:01"), trading=True)
    assert store.latest([Symbol(STOCK)])[Symbol(STOCK)].last == 1


# -- F72: a tick that fails by a mistake of ours


def fails(*_args):
    raise KeyError("4711")


def test_f072_a_tick_that_fails_is_told_once_and_the_others_run(tmp_path):
    house = House(tmp_path)
    spec = replace(TICKS["strategy"], run=fails)
    for seconds in range(3):
        TickLease.objects.all().delete()
        real = house.real + timedelta(seconds=seconds)
        assert run_tick(spec, house.quotes, lambda _: None, lambda real=real: real) == 0
    [row] = JournalRow.objects.filter(code="TICK_FAILED")
    assert "strategy" in row.text_en
    assert "KeyError" in row.text_en
    assert "4711" not in row.text_en


# -- what can never be sold is not protected


def reports(world, clock="09:32:00"):
    now = world.moment(clock)
    phase = phase_at(world.calendar, now)
    settings = config.load(world.account.pk)
    view = TickView(world.account.pk, settings, now, phase, world.store, world.calendar)
    return protection_reports(view, alive=True)


def asked_at_0932(world, code):
    seen = []
    world.at("09:32:00", lambda: seen.append(reports(world)[Symbol(code)]))
    world.run(until="09:33:30")
    return seen[0]


@pytest.mark.parametrize("code", ["900901.SH", "204001.SH"])
def test_a_holding_of_a_kind_that_is_never_traded_is_unprotected(code):
    world = World(holdings=[(code, 1000, "10.00")])
    world.hold(code, "10.00", since="09:30:00", until="09:34:00")
    assert asked_at_0932(world, code).status is Protection.NOT_TRADED


def test_a_holding_whose_limits_disagree_is_unprotected():
    world = World(holdings=[(STOCK, 1000, "10.00")])
    world.hold(STOCK, "10.00", since="09:30:00", until="09:33:00")
    world.hold(STOCK, "9.20", since="09:33:00", until="09:34:00")
    stated = {Symbol(STOCK): StatedLimits(world.on, Decimal("10.50"), Decimal("9.50"))}
    world.at("09:20:00", lambda: keep_stated_limits(stated))
    assert asked_at_0932(world, STOCK).status is Protection.LIMITS_UNCLEAR
    assert world.orders() == []


# -- before the open


def test_a_list_that_still_showed_yesterdays_orders_may_lose_them():
    read = Read()
    old = BrokerOrder(
        7, Symbol("000001.SZ"), Side.BUY, 100, Decimal(5), BrokerState.CANCELLED, 0,
        day("10:00:00", YESTERDAY), "x7",
    )  # fmt: skip
    read.answer("08:50:05", [old])
    assert read.answer("08:50:10", [old]) is None
    assert read.answer("09:05:00") is None


def test_a_list_that_loses_an_order_of_today_is_not_believed():
    read = Read()
    new = BrokerOrder(
        7, Symbol("000001.SZ"), Side.BUY, 100, Decimal(5), BrokerState.CANCELLED, 0, day("09:31:00"),
        "x7",
    )  # fmt: skip
    read.answer("09:31:05", [new])
    assert read.answer("09:31:10", [new]) is None
    assert read.answer("09:32:00") is not None


@pytest.mark.parametrize(
    ("clock", "worth", "state"),
    [
        ("08:51:00", "0", "active"),  # no prices yet
        ("09:29:59", "4000", "active"),  # prices for some
        ("09:31:00", "0", "active"),
        ("09:31:00", "4000", "reducing"),
        ("09:31:00", "9990", "active"),
    ],
)
def test_f078_a_client_without_prices_is_no_loss_of_the_day(clock, worth, state):
    read = Read()
    Account.objects.update(previous_total=Decimal(11000), previous_total_on=YESTERDAY)
    read.answer("08:50:05")
    read.answer("08:50:10")
    read.answer(clock, worth=Decimal(worth))
    assert Account.objects.get().trading_state == state


def test_the_virtual_price_of_an_auction_touches_no_stop():
    world = World(holdings=[(STOCK, 1000, "10.00")])
    book = {"bids": [("9.10", 100)], "asks": [("9.10", 100)], "volume": 0}
    world.quote("09:16:00", STOCK, "9.10", status=BookStatus.AUCTION, **book)
    world.hold(STOCK, "10.00", since="09:30:00", until="09:32:00")
    world.run(until="09:31:30")
    assert world.orders() == []


# -- corrections


def test_a_correction_of_an_instrument_reaches_the_gate_of_the_quotes_within_a_minute():
    symbol, now = Symbol("601288.SH"), datetime(2026, 8, 10, 10, 0, tzinfo=CHINA)
    limits = limits_by_rule(load_calendar())
    quote = Quote(symbol, now, Decimal(14), Decimal(10))
    keep_instruments([InstrumentFact(symbol, "N农行")], "file", now)
    assert limits(quote, now).up == 11

    # Its third session since the listing has no limits; a person says so.
    correct_instrument(symbol, {"listed_on": date(2026, 8, 6)}, "op", now)
    later = limits(quote, now + timedelta(minutes=1))
    assert later.up is None


def test_f072_a_holding_of_another_market_leaves_the_health_check_its_work(tmp_path):
    house = House(tmp_path)
    Position.objects.create(
        account=house.account, symbol="000198.OF", quantity=500, bought_quantity=500,
        bought_amount=Decimal(500), opened_on=date(2026, 8, 7), seen=OPEN,
    )  # fmt: skip
    house.dead.add("feed")
    house.look()
    assert not JournalRow.objects.filter(code="TICK_FAILED").exists()
