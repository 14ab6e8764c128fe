"""Two sources of quotes: which one serves a symbol, why, and that one never harms the other."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from trading.domain.freshness import freshness
from trading.domain.source_health import (
    FALLBACK,
    Condition,
    Observation,
    may_trade,
    takes_over,
    why_taken,
)
from trading.domain.types import CHINA, BookStatus, Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.market_data.pump import MarketData
from trading.market_data.store import MemoryQuoteStore
from trading.ports import Feed

pytestmark = pytest.mark.fast

START = datetime(2026, 11, 23, 10, 0, tzinfo=CHINA)
BANK, OTHER, BEIJING = Symbol("600000.SH"), Symbol("000001.SZ"), Symbol("920002.BJ")


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


# --- what a source is like ----------------------------------------------------------------------

WELL = {"expected": True, "calls": 100, "accepted": 50}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Condition.GOOD),
        ({"expected": False, "failed_in_a_row": 9, "refused_in_a_row": 9}, Condition.IDLE),
        ({"calls": 0, "accepted": 0}, Condition.IDLE),
        ({"failed": 2, "failed_in_a_row": 2}, Condition.GOOD),
        ({"failed": 3, "failed_in_a_row": 3}, Condition.DOWN),
        ({"failed": 51}, Condition.DOWN),
        ({"failed": 50}, Condition.GOOD),
        ({"calls": 8, "failed": 5}, Condition.GOOD),
        ({"calls": 8, "failed": 6}, Condition.DOWN),
        ({"refused": 4, "refused_in_a_row": 4}, Condition.GOOD),
        ({"refused": 5, "refused_in_a_row": 5}, Condition.REFUSED),
        ({"refused": 51}, Condition.REFUSED),
        ({"refused": 50}, Condition.GOOD),
        ({"age": seconds(90)}, Condition.GOOD),
        ({"age": seconds(91)}, Condition.STALE),
        ({"silent": seconds(10)}, Condition.GOOD),
        ({"silent": seconds(11)}, Condition.STALE),
        ({"latency": seconds(20)}, Condition.GOOD),
        ({"latency": seconds(21)}, Condition.SLOW),
        ({"failed_in_a_row": 3, "refused_in_a_row": 5, "age": seconds(99)}, Condition.DOWN),
    ],
)
def test_f145_idle_is_a_condition_of_its_own_and_so_is_each_way_of_being_bad(changes, expected):
    assert Observation(**{**WELL, **changes}).condition is expected


@pytest.mark.parametrize(
    ("candidate", "owner", "preferred", "steady", "patient", "expected"),
    [
        (Condition.STALE, None, False, 0, True, True),  # nobody serves it yet
        (Condition.GOOD, Condition.GOOD, False, 999, True, False),
        (Condition.GOOD, Condition.IDLE, False, 999, True, False),
        *((Condition.GOOD, bad, False, 0, True, True) for bad in Condition if bad not in ("good", "idle")),
        *((bad, Condition.DOWN, False, 0, True, False) for bad in Condition if bad != "good"),
        (Condition.GOOD, Condition.GOOD, True, 29, True, False),
        (Condition.GOOD, Condition.GOOD, True, 30, True, True),
        (Condition.REFUSED, Condition.GOOD, True, 30, True, False),
        (Condition.GOOD, Condition.GOOD, True, 0, False, True),  # the other one may not trade everywhere
        (Condition.REFUSED, Condition.GOOD, True, 0, False, True),
        (Condition.REFUSED, Condition.STALE, True, 0, True, True),
    ],
)  # fmt: skip
def test_who_serves_a_symbol(candidate, owner, preferred, steady, patient, expected):
    taken = takes_over(
        candidate, owner, preferred=preferred, steady=seconds(steady), patient=patient
    )
    assert taken is expected


@pytest.mark.parametrize("source", ["xtquant", "demo", ""])
def test_only_the_fallback_needs_a_switch_to_trade(source):
    assert may_trade(source, False)
    assert may_trade(FALLBACK, True)
    assert not may_trade(FALLBACK, False)


# --- two feeds and the pump ---------------------------------------------------------------------


class Source(Feed):
    """A feed that says what it is told to."""

    def __init__(self, name: str) -> None:
        self.name, self.heartbeat = name, 10
        self.asked: frozenset[Symbol] = frozenset()
        self.next: list[Quote] = []
        self.unread: list[tuple[Symbol, str]] = []
        self.down = False

    def subscribe(self, symbols: Iterable[Symbol]) -> None:
        self.asked = frozenset(symbols)

    def poll(self, now: datetime) -> Sequence[Quote]:
        if self.down:
            raise GatewayUnavailable(f"{self.name}: nobody there")
        found, self.next = self.next, []
        return found

    def unreadable(self) -> Sequence[tuple[Symbol, str]]:
        found, self.unread = self.unread, []
        return found


class Market:
    """Both sources, the pump and the store, a step every three seconds from ten o'clock on."""

    def __init__(self, patient: bool = False, symbols: Iterable[Symbol] = (BANK, OTHER)) -> None:
        self.main, self.second = Source("xtquant"), Source(FALLBACK)
        self.store = MemoryQuoteStore()
        self.pump = MarketData([self.main, self.second], self.store)
        self.pump.patient = patient
        self.now = START
        self.trading = True
        self.wanted = frozenset(symbols)
        self.pump.subscribe(self.wanted)

    def step(self, main: Sequence[Quote] = (), second: Sequence[Quote] = ()) -> None:
        self.main.next, self.second.next = list(main), list(second)
        self.pump.step(self.now, trading=self.trading)
        self.now += seconds(3)

    def quote(self, last: str = "10.00", symbol: Symbol = BANK, **changes) -> Quote:
        fields = {
            "time": self.now,
            "last": Decimal(last),
            "previous_close": Decimal(10),
            "status": BookStatus.CONTINUOUS,
            **changes,
        }
        return Quote(symbol, **fields)

    def served_by(self, symbol: Symbol = BANK) -> str:
        return self.store.fed(symbol).source

    def last(self, symbol: Symbol = BANK) -> Decimal:
        return self.store.latest([symbol])[symbol].last

    def conditions(self, symbol: Symbol = BANK) -> dict[str, Condition]:
        said = self.pump.said(self.now, everything=True)
        return {one.source: one.condition for one in said if one.symbol == symbol}

    def both(self, times: int = 1) -> None:
        for _ in range(times):
            self.step([self.quote("10.00")], [self.quote("20.00")])


def test_while_the_first_source_is_good_it_serves_every_symbol():
    market = Market()
    market.both(20)
    assert (market.served_by(), market.last()) == ("xtquant", Decimal("10.00"))
    assert market.pump.health[FALLBACK].passed_over == 20
    assert market.conditions() == {"xtquant": Condition.GOOD, FALLBACK: Condition.GOOD}


def silent(market: Market) -> None:
    market.step([], [market.quote("20.00")])


def down(market: Market) -> None:
    market.main.down = True
    market.step([], [market.quote("20.00")])


def refused(market: Market) -> None:
    market.step([market.quote("0")], [market.quote("20.00")])


def unread(market: Market) -> None:
    market.main.unread = [(BANK, "lastPrice")]
    market.step([market.quote(symbol=OTHER)], [market.quote("20.00")])


def stuck(market: Market) -> None:
    """It says the same old tick again and again (F146)."""
    market.step([market.quote(time=START)], [market.quote("20.00")])


@pytest.mark.parametrize(
    ("trouble", "within"), [(silent, 15), (down, 12), (refused, 18), (unread, 18), (stuck, 99)]
)
@pytest.mark.parametrize("patient", [True, False])
def test_a_symbol_moves_to_the_second_source_and_returns(trouble, within, patient):
    market = Market(patient)
    market.both(3)
    began = market.now
    while market.served_by() == "xtquant" and market.now - began < seconds(300):
        trouble(market)
    assert seconds(3) < market.now - began <= seconds(within)
    assert market.last() == Decimal("20.00")

    market.main.down = False
    began = market.now
    while market.served_by() == FALLBACK and market.now - began < seconds(600):
        market.both()
    took = market.now - began
    assert took >= seconds(30) if patient else took == seconds(3)
    market.both(20)
    assert market.served_by() == "xtquant"


def test_only_the_symbol_in_trouble_moves():
    market = Market()
    for _ in range(10):
        market.step(
            [market.quote("0"), market.quote(symbol=OTHER)],
            [market.quote("20.00"), market.quote("20.00", OTHER)],
        )
    assert (market.served_by(BANK), market.served_by(OTHER)) == (FALLBACK, "xtquant")
    assert market.conditions(OTHER)["xtquant"] is Condition.GOOD


@pytest.mark.parametrize("patient", [True, False])
def test_an_open_breaker_only_moves_the_source_a_fresh_accepted_quote_is_always_stored(patient):
    market = Market(patient)
    market.both()
    for _ in range(8):
        market.step([market.quote("0")])
    assert market.conditions()["xtquant"] is Condition.REFUSED
    market.step([market.quote("10.50")])  # nobody else has one
    assert market.last() == Decimal("10.50")


def test_a_source_that_flaps_does_not_flap_the_symbol():
    market = Market(patient=True)
    market.both(3)
    moves = 0
    before = market.served_by()
    for round_ in range(200):
        market.main.down = round_ % 8 < 5  # fifteen seconds away, nine there
        market.both()
        moves += market.served_by() != before
        before = market.served_by()
    assert moves == 1


def test_f145_a_source_that_is_not_needed_is_idle_and_never_counted_as_bad():
    market = Market()
    market.trading = False
    market.main.down = True
    for _ in range(50):
        market.step([], [])
    assert market.conditions(Symbol("")) == {"xtquant": Condition.IDLE, FALLBACK: Condition.IDLE}
    # Lunch and night are no silence: in the first second of trading everything is as it was.
    market.main.down, market.trading = False, True
    market.now += timedelta(hours=1)
    market.step([market.quote(time=START)], [market.quote("20.00", time=START)])
    assert market.served_by() == "xtquant"
    assert market.conditions()[FALLBACK] is Condition.GOOD


def test_f145_a_suspended_symbol_makes_its_source_idle_not_stale():
    market = Market()
    market.step([market.quote(status=BookStatus.HALTED)])
    for _ in range(50):
        market.step([market.quote(symbol=OTHER)])
    assert market.conditions()["xtquant"] is Condition.IDLE


def test_f146_an_old_tick_pushed_for_ever_is_stale_and_never_fresh():
    market = Market()
    for _ in range(40):
        market.step([market.quote(time=START)])
        fed = market.store.fed(BANK)
        fresh = freshness(
            market.store.latest([BANK])[BANK], fed.at, fed.heartbeat, market.now - seconds(3)
        )
        assert fresh is (market.now - seconds(3) - START <= seconds(90))
    assert market.conditions()["xtquant"] is Condition.STALE


def test_quotes_that_come_late_are_told_and_moved_away_from():
    market = Market()
    for _ in range(5):
        market.step([market.quote(time=market.now - seconds(30))], [market.quote("20.00")])
    assert market.conditions()["xtquant"] is Condition.SLOW
    assert market.served_by() == FALLBACK


def test_the_beijing_exchange_has_no_fallback():
    market = Market(symbols=[BANK, BEIJING])
    assert market.main.asked == {BANK, BEIJING}
    assert market.second.asked == {BANK}
    market.step([], [market.quote(symbol=BEIJING)])
    assert market.store.latest([BEIJING]) == {}


def test_a_second_source_that_lies_and_floods_changes_nothing_and_is_bounded():
    market = Market()
    market.both()
    strangers = [market.quote("7.00", Symbol(f"3{number:05}.SZ")) for number in range(5000)]
    for _ in range(10):
        market.step([market.quote("10.00")], [*strangers, market.quote("0")])
    assert (market.served_by(), market.last()) == ("xtquant", Decimal("10.00"))
    health = market.pump.health[FALLBACK]
    assert (health.unwanted, health.refused) == (10 * 5000, 10)
    gate = health.gate
    assert len(gate.refused) + len(gate.accepted) + len(gate._last) <= 4
    assert {one.symbol for one in market.pump.said(market.now, everything=True)} == {"", BANK}


def test_what_nobody_wants_any_more_is_forgotten():
    market = Market()
    market.both(3)
    market.step([market.quote("0")], [market.quote("0")])
    market.pump.subscribe([OTHER])
    assert {one.symbol for one in market.pump.said(market.now, everything=True)} == {""}
    for source in ("xtquant", FALLBACK):
        gate = market.pump.health[source].gate
        assert (len(gate.accepted), len(gate.refused), len(gate._last)) == (0, 0, 0)
    market.pump.subscribe([BANK, OTHER])
    market.step([], [market.quote("21.00")])  # and begins anew
    assert market.served_by() == FALLBACK


def test_why_one_is_taken_and_the_other_not_is_said_in_words():
    market = Market(patient=True)
    market.both(3)
    for _ in range(6):
        refused(market)
    said = {one.source: one for one in market.pump.said(market.now) if one.symbol == BANK}
    chosen = next(one for one in said.values() if one.chosen)
    assert chosen.source == FALLBACK
    assert why_taken(chosen, chosen).en == "taken: its quotes are new, in time and plausible"
    assert why_taken(said["xtquant"], chosen).en == (
        "not taken: 6 of 9 quotes are refused since 10:00:09: no last price yet, or suspended"
    )
    assert said["xtquant"].refusals == {"no_price": 6}
    market.both(14)
    xtquant = next(
        one for one in market.pump.said(market.now) if one.source == "xtquant" and one.symbol
    )
    assert "must be good for 30 s" in why_taken(xtquant, chosen).en or xtquant.chosen


@pytest.mark.parametrize(("trading", "level"), [(True, "WARNING"), (False, "DEBUG")])
def test_f135_refusals_are_logged_once_a_minute_and_loudly_only_while_the_market_trades(
    trading, level, caplog
):
    market = Market()
    market.trading = trading
    with caplog.at_level(logging.DEBUG, logger="trading.market_data.pump"):
        for _ in range(60):  # three minutes
            market.step([market.quote("0")])
    told = [record for record in caplog.records if "refused" in record.message]
    assert len(told) == 3
    assert {record.levelname for record in told} == {level}


@pytest.mark.parametrize("status", [BookStatus.PRE_OPEN, BookStatus.HALTED])
def test_f134_a_tick_without_a_price_is_refused_counted_and_the_last_good_one_stays(status):
    market = Market()
    market.step([market.quote("10.00")])
    market.step([market.quote("0", status=status)])
    assert market.last() == Decimal("10.00")
    assert market.pump.health["xtquant"].gate.reasons_of(BANK) == {"no_price": 1}


def test_quotes_of_a_clock_that_was_ahead_hold_nothing_back():
    market = Market()
    market.now += timedelta(hours=1)
    market.step([market.quote("11.00")])
    market.now -= timedelta(hours=1)
    market.step([market.quote("10.00")])
    assert market.last() == Decimal("10.00")
    assert market.store.latest([BANK])[BANK].time < START + seconds(60)


def test_a_source_that_fails_moves_all_its_symbols_with_one_line_in_the_log(caplog):
    market = Market()
    both = [BANK, OTHER]
    market.step([market.quote(symbol=one) for one in both])
    market.main.down = True
    for _ in range(6):
        market.step([], [market.quote("20.00", one) for one in both])
    told = [one.getMessage() for one in caplog.records if "instead of" in one.getMessage()]
    assert told == ["quotes of 2 symbols: mootdx instead of xtquant"]
