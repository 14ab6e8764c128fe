from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.domain.calendar import TradingCalendar
from trading.domain.exits import ExitRules, fold
from trading.domain.instruments import Board, Category, Settlement, lot_rule, tick_size
from trading.domain.limits import daily_limits
from trading.domain.positions import Position, opened, with_first_take_profit
from trading.domain.types import CHINA, BookStatus, Limits, Quote, SignalKind, Symbol
from trading.market_data.demo import (
    DEMO_STARTS,
    EVERY,
    DemoMarket,
    DemoSource,
    demo_holdings,
    demo_instruments,
    demo_time,
)
from trading.market_data.validation import QuoteGate

pytestmark = [pytest.mark.fast, pytest.mark.system]

FRIDAY, MONDAY, TUESDAY = date(2026, 8, 7), date(2026, 8, 10), date(2026, 8, 11)
CALENDAR = TradingCalendar((FRIDAY, MONDAY, TUESDAY), date(2026, 8, 1), date(2026, 8, 31))
SEEDS = range(8)
TAKES_PROFIT, STOPS, SWINGS, FUND = (holding.symbol for holding in demo_holdings()[:4])


def at(clock: str, on: date = MONDAY) -> datetime:
    return datetime.combine(on, time.fromisoformat(clock), CHINA)


def day(market: DemoMarket, on: date = MONDAY, first="09:00", last="15:30") -> list[Quote]:
    return list(market.quotes(at(first, on), at(last, on)))


@pytest.fixture(scope="module")
def monday() -> list[Quote]:
    return day(DemoMarket(CALENDAR))


def of(quotes: list[Quote], symbol: Symbol) -> list[Quote]:
    return [quote for quote in quotes if quote.symbol == symbol]


# what it consists of ------------------------------------------------------------------------------------------


def test_every_board_and_a_fund_of_the_same_day_are_there_and_called_demo():
    made = demo_instruments().values()
    assert {one.board for one in made if one.category is Category.STOCK} == set(Board)
    funds = [one for one in made if one.category is Category.FUND]
    assert {one.settlement for one in funds} == {Settlement.T0}
    assert len(made) == 12
    assert all(one.name.startswith("演示") for one in made)
    assert {holding.symbol for holding in demo_holdings()} <= set(demo_instruments())


def test_every_quote_passes_the_gate_and_the_rules_of_its_board(monday):
    gate, instruments = QuoteGate("demo"), demo_instruments()
    market = DemoMarket(CALENDAR)
    assert len(monday) == 12 * (2 + 2400 + 2340 + 60 + 1)
    for quote in monday:
        instrument = instruments[quote.symbol]
        tick = tick_size(instrument, MONDAY)
        prices = [quote.last, quote.open, quote.high, quote.low, quote.previous_close]
        prices += [level.price for level in (*quote.bids, *quote.asks)]
        assert all(price % tick == 0 for price in prices)
        limits = daily_limits(instrument, market.previous_close(quote.symbol, MONDAY), MONDAY)
        assert (quote.limit_up, quote.limit_down) == limits_pair(limits)
        assert gate.accept(quote, limits, quote.time) is None


def limits_pair(limits: Limits) -> tuple[Decimal | None, Decimal | None]:
    return limits.up, limits.down


def test_books_have_five_levels_a_side_and_the_last_price_on_one_of_the_best(monday):
    for quote in monday:
        if quote.status is BookStatus.AUCTION:
            assert quote.bids == quote.asks
            continue
        assert (len(quote.bids), len(quote.asks)) == (5, 5)
        assert quote.last in (quote.bids[0].price, quote.asks[0].price)
        assert quote.bids[0].price < quote.asks[0].price
        assert all(one.price > two.price for one, two in pairwise(quote.bids))
        assert all(one.price < two.price for one, two in pairwise(quote.asks))
        assert all(level.quantity >= 100 for level in (*quote.bids, *quote.asks))


@pytest.mark.parametrize("symbol", demo_instruments())
def test_volume_and_amount_rise_and_high_and_low_are_those_of_the_day(monday, symbol):
    quotes = of(monday, symbol)
    for before, after in pairwise(quotes):
        assert after.time > before.time
        trades = after.status in (BookStatus.CONTINUOUS, BookStatus.CLOSED)
        assert (after.volume > before.volume) == trades
        assert (after.amount > before.amount) == trades
    assert quotes[-1].high == max(quote.last for quote in quotes)
    assert quotes[-1].low == min(quote.last for quote in quotes)
    assert {quote.open for quote in quotes} == {quotes[0].last}
    average = quotes[-1].amount / quotes[-1].volume
    assert quotes[-1].low <= average <= quotes[-1].high


def test_each_symbol_is_shown_every_three_seconds_in_turns(monday):
    minute = [quote for quote in monday if at("10:00") <= quote.time < at("10:01")]
    assert len(minute) == 12 * 60 // EVERY
    assert {len([q for q in minute if q.time.second % EVERY == turn]) for turn in range(3)} == {80}


# the same again -----------------------------------------------------------------------------------------------


def test_seed_and_session_decide_everything():
    def morning(on: date = MONDAY, seed: int = 1) -> list[Quote]:
        return day(DemoMarket(CALENDAR, seed), on, last="09:45")

    assert morning() == morning()
    assert morning() != morning(seed=2)
    moves = [[quote.last for quote in of(morning(on), FUND)] for on in (MONDAY, TUESDAY)]
    assert moves[0] != moves[1]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 240), min_size=1, max_size=12))
def test_however_it_is_asked_the_quotes_are_the_same(cuts):
    """Any cuts of the time, going back too, give the same quotes."""
    market, start = DemoMarket(CALENDAR), at("09:29:50")
    whole = list(DemoMarket(CALENDAR).quotes(start, start + timedelta(seconds=240)))
    marks = sorted({0, *cuts, 240})
    parts = [
        quote
        for one, two in pairwise(marks)
        for quote in market.quotes(start + timedelta(seconds=one), start + timedelta(seconds=two))
    ]
    assert parts == whole
    again = start + timedelta(seconds=cuts[0])
    assert list(market.quotes(start, again)) == [quote for quote in whole if quote.time <= again]


def test_the_newest_quotes_are_the_last_ones_before():
    before = day(DemoMarket(CALENDAR), first="13:29", last="13:30:01")
    newest = DemoMarket(CALENDAR).newest(at("13:30:01"))
    assert {quote.symbol: quote for quote in before} == {quote.symbol: quote for quote in newest}
    assert DemoMarket(CALENDAR).newest(at("09:24:59")) == []
    assert DemoMarket(CALENDAR).newest(at("12:00", date(2026, 8, 9))) == []


def test_a_source_gives_each_quote_once_and_history_never():
    source = DemoSource(DemoMarket(CALENDAR))
    assert {quote.time.time() for quote in source.quotes(at("09:29:50"))} <= {
        time(9, 25, second) for second in range(3)
    }
    first, second = source.quotes(at("09:30:03")), source.quotes(at("09:30:06"))
    assert (len(first), len(second)) == (16, 12)
    assert source.quotes(at("09:30:06")) == ()
    assert len(source.quotes(at("14:00"))) == 12  # asleep for hours: only the newest counts
    assert source.quotes(at("09:31")) == ()


# the next session ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_the_previous_close_is_the_last_price_of_the_session_before(seed):
    market = DemoMarket(CALENDAR, seed)
    for one, two in pairwise((FRIDAY, MONDAY, TUESDAY)):
        closes = {q.symbol: q.last for q in market.newest(at("15:30", one))}
        opening = market.newest(at("09:29:50", two))
        assert closes == {quote.symbol: quote.previous_close for quote in opening}
        assert closes == {symbol: market.previous_close(symbol, two) for symbol in closes}
    with pytest.raises(KeyError):
        market.previous_close(Symbol("600036.SH"), MONDAY)


def test_quotes_go_on_over_the_weekend():
    both = DemoMarket(CALENDAR).quotes(at("14:59:58", FRIDAY), at("09:30:02"))
    assert {quote.time.date() for quote in both} == {FRIDAY, MONDAY}
    assert sorted(both, key=lambda quote: quote.time) == both


@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [
        (timedelta(0), at("09:29:50", FRIDAY)),
        (timedelta(hours=6), at("15:29:50", FRIDAY)),
        (timedelta(hours=6, minutes=6, seconds=10), at("09:29:50", MONDAY)),
        (timedelta(hours=12, minutes=12, seconds=19), at("15:35:59", MONDAY)),
        (timedelta(hours=12, minutes=12, seconds=21), at("09:29:51", TUESDAY)),
        (timedelta(days=1), at("21:17:30", TUESDAY)),  # the calendar ends: so does the skipping
    ],
)
def test_the_clock_of_the_demo_skips_nights_and_weekends(elapsed, expected):
    assert demo_time(CALENDAR, at("09:29:50", FRIDAY), elapsed) == expected


def test_a_clock_that_starts_at_night_goes_on_in_the_morning():
    assert demo_time(CALENDAR, at("20:00", FRIDAY), timedelta(0)) == at("09:29:50", MONDAY)
    assert demo_time(CALENDAR, at("09:00"), timedelta(minutes=1)) == at("09:01")


# the script ---------------------------------------------------------------------------------------------------


def exits(
    symbol: Symbol, quotes: list[Quote], position: Position | None = None
) -> tuple[SignalKind, Quote]:
    """Fold quote by quote, as ticks would, and return the first decision and its quote."""
    [holding] = [one for one in demo_holdings() if one.symbol == symbol]
    lot = lot_rule(demo_instruments()[symbol], MONDAY)
    held = position or opened(symbol, holding.quantity, holding.cost, FRIDAY)
    for quote in of(quotes, symbol):
        if quote.status is BookStatus.CONTINUOUS:
            outcome = fold(held, [quote], ExitRules(), holding.quantity, lot)
            held = outcome.position
            if outcome.decision is not None:
                return outcome.decision.kind, quote
    raise AssertionError("no exit")


@pytest.mark.parametrize("on", [MONDAY, TUESDAY])
@pytest.mark.parametrize("seed", SEEDS)
def test_in_the_first_minute_one_holding_takes_profit_and_another_is_stopped(seed, on):
    quotes = day(DemoMarket(CALENDAR, seed), on, last="09:31:00")
    kind, quote = exits(TAKES_PROFIT, quotes)
    assert kind is SignalKind.FIRST_TAKE_PROFIT
    assert at("09:30:30", on) <= quote.time < at("09:30:50", on)
    kind, quote = exits(STOPS, quotes)
    assert kind is SignalKind.STOP_LOSS
    assert at("09:30:15", on) <= quote.time < at("09:30:50", on)


@pytest.mark.parametrize("seed", SEEDS)
def test_within_four_minutes_the_rest_falls_to_its_trailing_take_profit(seed):
    [holding] = [one for one in demo_holdings() if one.symbol == TAKES_PROFIT]
    first = day(DemoMarket(CALENDAR, seed), last="09:31:00")
    high = max(quote.last for quote in of(first, TAKES_PROFIT))
    start = opened(TAKES_PROFIT, 800, holding.cost, FRIDAY)
    after = with_first_take_profit(replace(start, high_since_entry=high))
    quotes = day(DemoMarket(CALENDAR, seed), first="09:31:00", last="09:34:00")
    kind, quote = exits(TAKES_PROFIT, quotes, after)
    assert kind is SignalKind.TRAILING_TAKE_PROFIT
    assert quote.time < at("09:33:30")


@pytest.mark.parametrize("symbol", [SWINGS, FUND])
def test_stock_and_fund_cross_grid_lines_both_ways_all_day(monday, symbol):
    [holding] = [one for one in demo_holdings() if one.symbol == symbol]
    upper, lower = holding.cost * Decimal("1.02"), holding.cost * Decimal("0.98")
    sides: list[int] = []
    for quote in of(monday, symbol):
        side = (quote.last >= upper) - (quote.last <= lower)
        if side and sides[-1:] != [side]:
            sides.append(side)
        assert abs(quote.last / holding.cost - 1) < Decimal("0.055")
    assert len(sides) > 40


def test_the_first_crossings_are_in_the_first_five_minutes():
    quotes = of(day(DemoMarket(CALENDAR), last="09:35"), SWINGS)
    assert max(quote.last for quote in quotes) >= Decimal("10.20")
    assert min(quote.last for quote in quotes) <= Decimal("9.80")


def test_a_second_of_market_time_costs_less_than_two_milliseconds():
    market = DemoMarket(CALENDAR)
    market.newest(at("10:00"))
    started = perf_counter()
    market.quotes(at("10:00"), at("10:05"))
    assert perf_counter() - started < 300 * 0.002
    assert time(9, 29, 50) == DEMO_STARTS
