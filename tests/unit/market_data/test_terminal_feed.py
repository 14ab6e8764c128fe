"""The terminal's ticks become quotes at this edge; a bad one is refused and counted, and never raises."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.market_data.files import TICKS, needs
from trading.domain.types import CHINA, BookStatus, Level, Symbol
from trading.errors import GatewayUnavailable
from trading.market_data import xtquant_feed
from trading.market_data.pump import MarketData
from trading.market_data.store import MemoryQuoteStore
from trading.market_data.xtquant_feed import XtQuantFeed, read_tick

pytestmark = pytest.mark.fast

NOW = datetime(2025, 3, 31, 14, 52, 16, tzinfo=CHINA)
SYMBOL, BOND, SEALED = Symbol("600000.SH"), Symbol("123001.SZ"), Symbol("603776.SH")


def tick(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "time": 1743403935000,
        "lastPrice": 10.440000000000001,
        "open": 10.47,
        "high": 10.63,
        "low": 10.35,
        "lastClose": 10.43,
        "amount": 493393500.0,
        "volume": 469673,
        "pvolume": 46967317,
        "stockStatus": 3,
        "openInt": 13,
        "askPrice": [10.44, 10.450000000000001, 0, 0, 0],
        "bidPrice": [10.43, 0, 0, 0, 0],
        "askVol": [846, 1, 0, 0, 0],
        "bidVol": [5995, 70, 0, 0, 0],
    } | changes
    return {name: value for name, value in fields.items() if value is not ...}


class Terminal:
    """Looks like the two functions of the vendor's module."""

    def __init__(self, present: dict[str, Any] | None = None) -> None:
        self.present, self.down = present or {}, False
        self.asked: list[list[str]] = []
        self.push: Callable[[Any], None] = lambda _: None

    def subscribe_whole_quote(self, code_list: list[str], callback: Callable[[Any], None]) -> int:
        if self.down:
            raise Exception("无法连接行情服务")
        self.asked.append(code_list)
        self.push = callback
        return len(self.asked)

    def get_full_tick(self, code_list: list[str]) -> Any:
        return {code: self.present[code] for code in code_list if code in self.present}


def fed(*symbols: Symbol, **present: Any) -> tuple[Terminal, XtQuantFeed]:
    terminal = Terminal(present)
    feed = XtQuantFeed(terminal)
    feed.subscribe(symbols or (SYMBOL, BOND, SEALED))
    return terminal, feed


def test_the_present_ticks_come_first_then_the_pushes():
    terminal, feed = fed(SYMBOL, **{SYMBOL: tick()})
    terminal.push({SYMBOL: tick(lastPrice=10.5)})
    assert [quote.last for quote in feed.poll(NOW)] == [Decimal("10.44"), Decimal("10.5")]
    assert feed.poll(NOW) == []


def test_floats_become_prices_on_the_tick_lots_shares_and_milliseconds_china_time():
    (quote,) = fed(SYMBOL, **{SYMBOL: tick()})[1].poll(NOW)
    assert (str(quote.last), str(quote.previous_close)) == ("10.44", "10.43")
    assert quote.time == datetime(2025, 3, 31, 14, 52, 15, tzinfo=CHINA)
    assert (quote.volume, quote.amount) == (46967300, Decimal("493393500.00"))
    assert quote.bids == (Level(Decimal("10.43"), 599500),)
    assert quote.asks == (Level(Decimal("10.44"), 84600), Level(Decimal("10.45"), 100))


def test_a_convertible_bond_has_ten_in_a_lot_and_three_decimals():
    (quote,) = fed(BOND, **{BOND: tick(lastPrice=121.51500000000001)})[1].poll(NOW)
    assert (str(quote.last), quote.volume, quote.bids[0].quantity) == ("121.515", 4696730, 59950)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (0, BookStatus.UNKNOWN),
        (11, BookStatus.PRE_OPEN),
        (12, BookStatus.AUCTION),
        (13, BookStatus.CONTINUOUS),
        (14, BookStatus.BREAK),
        (15, BookStatus.CLOSED),
        (16, BookStatus.HALTED),
        (17, BookStatus.HALTED),
        (18, BookStatus.AUCTION),
        (20, BookStatus.HALTED),
        (21, BookStatus.UNKNOWN),
        (22, BookStatus.AFTER_HOURS),
        (23, BookStatus.CLOSED),
        (99, BookStatus.UNKNOWN),
    ],
)
def test_open_int_is_the_status_and_stock_status_is_not(code, status):
    (quote,) = fed(SYMBOL, **{SYMBOL: tick(openInt=code, stockStatus=5)})[1].poll(NOW)
    assert quote.status is status


def test_a_tick_of_the_lunch_break_that_still_says_continuous_is_a_break():
    (quote,) = fed(SYMBOL, **{SYMBOL: tick(time=1743393600000)})[1].poll(NOW)  # 12:00:00
    assert quote.status is BookStatus.BREAK


@pytest.mark.parametrize(
    "bad", [float("nan"), float("inf"), -1.0, None, ..., "10.44", True, [10.44]]
)
@pytest.mark.parametrize(
    "field", ["lastPrice", "lastClose", "high", "volume", "amount", "openInt"]
)
def test_f147_a_field_that_is_no_number_refuses_the_row_instead_of_building_a_zero_price(
    field, bad
):
    _, feed = fed(SYMBOL, SEALED, **{SYMBOL: tick(**{field: bad}), SEALED: tick()})
    assert [quote.symbol for quote in feed.poll(NOW)] == [SEALED]
    assert feed.refused == {(SYMBOL, field): 1}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"askPrice": None}, "askPrice"),
        ({"bidPrice": 10.43}, "bidPrice"),
        ({"bidPrice": [float("nan"), 0, 0, 0, 0]}, "bidPrice"),
        ({"askVol": [None] * 5}, "askVol"),
        ({"time": ...}, "time"),
        ({"time": float("nan")}, "time"),
        ({"time": 10**30}, "time"),
        ({"time": ..., "timetag": "soon"}, "time"),
    ],
)
def test_a_malformed_tick_names_its_field(changes, field):
    _, feed = fed(SYMBOL, **{SYMBOL: tick(**changes)})
    assert feed.poll(NOW) == []
    assert feed.refused == {(SYMBOL, field): 1}


@pytest.mark.parametrize(
    "delivery", [None, [], "tick", 7, {SYMBOL: None}, {SYMBOL: []}, {"999999.SH": tick()}, {3: 4}]
)
def test_a_strange_delivery_is_counted(delivery):
    terminal, feed = fed(SYMBOL)
    terminal.push(delivery)
    terminal.push({SYMBOL: tick()})
    assert [quote.symbol for quote in feed.poll(NOW)] == [SYMBOL]
    assert sum(feed.refused.values()) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(tick())), json_values))
def test_no_tick_whatever_raises(changes):
    _, feed = fed(SYMBOL, **{SYMBOL: tick(**changes)})
    assert len(feed.poll(NOW)) + sum(feed.refused.values()) == 1


@needs(TICKS)
def test_the_ticks_that_were_seen_live():
    lines = [json.loads(line) for line in TICKS.read_text(encoding="utf-8").splitlines()]
    present = {line["symbol"]: line["tick"] for line in lines}
    _, feed = fed(*map(Symbol, present), **present)
    quotes = {quote.symbol: quote for quote in feed.poll(NOW)}
    assert len(quotes) == len(present)
    assert not feed.refused
    assert quotes[Symbol("000001.SZ")].bids[2] == Level(
        Decimal("11.37"), 714600
    )  # 11.370000000000001
    fund = quotes[Symbol("510050.SH")]
    assert (str(fund.high), fund.volume, fund.status) == ("2.538", 570192900, BookStatus.CLOSED)
    assert fund.time == datetime(2023, 11, 6, 15, 0, 4, tzinfo=CHINA)  # only a timetag
    sealed = quotes[SEALED]
    assert (sealed.asks, len(sealed.bids), sealed.last) == ((), 3, Decimal("19.02"))
    assert quotes[SYMBOL].bids == (Level(Decimal("10.43"), 599500),)  # no five-level entitlement


def test_subscribing_twice_asks_once_and_again_after_a_reconnect():
    terminal, feed = fed(SYMBOL)
    feed.subscribe([SYMBOL])
    feed.subscribe([SYMBOL, BOND])
    assert terminal.asked == [[SYMBOL], [BOND]]
    feed.forget_subscriptions()
    feed.subscribe([SYMBOL, BOND])
    assert terminal.asked[-1] == [BOND, SYMBOL]


def test_who_asks_again_is_told_nothing_new_by_the_tick_of_before():
    terminal, feed = fed(SYMBOL, BOND, **{SYMBOL: tick(), BOND: tick()})
    assert len(feed.poll(NOW)) == 2
    for present, told in (({}, []), ({SYMBOL: tick(lastPrice=10.5)}, [SYMBOL]), ({}, [])):
        terminal.present.update({str(one): it for one, it in present.items()})
        feed.forget_subscriptions()
        feed.subscribe([SYMBOL, BOND])
        assert [quote.symbol for quote in feed.poll(NOW)] == told
    terminal.push({SYMBOL: tick(lastPrice=10.5)})  # what it says by itself is said
    assert [quote.symbol for quote in feed.poll(NOW)] == [SYMBOL]


def test_an_amount_takes_no_room_among_the_prices_that_are_remembered():
    before = xtquant_feed._on_tick.cache_info().currsize
    amounts = [Decimal(f"{493393500 + n}.25") for n in range(50)]
    read = [read_tick(SYMBOL, tick(amount=float(amount))).amount for amount in amounts]
    assert read == amounts
    assert xtquant_feed._on_tick.cache_info().currsize <= before + 10


def test_a_terminal_that_is_down_is_said_and_asked_again():
    terminal = Terminal({SYMBOL: tick()})
    feed = XtQuantFeed(terminal)
    terminal.down = True
    with pytest.raises(GatewayUnavailable, match="xtquant: 无法连接行情服务"):
        feed.subscribe([SYMBOL])
    terminal.down = False
    feed.subscribe([SYMBOL])
    assert len(feed.poll(NOW)) == 1


def test_the_pump_stores_what_the_gate_accepts_and_counts_the_rest():
    terminal, feed = fed(SYMBOL, **{SYMBOL: tick()})
    store = MemoryQuoteStore()
    market = MarketData([feed], store)
    market.subscribe([SYMBOL])
    assert market.step(NOW) == 1
    terminal.push({SYMBOL: tick(lastPrice=0.0)})
    assert market.step(NOW) == 0
    health = market.health["xtquant"]
    assert (health.polls, health.received, health.accepted, health.refused) == (2, 2, 1, 1)
    assert health.last_accepted_at == NOW
    assert store.latest([SYMBOL])[SYMBOL].last == Decimal("10.44")
