"""Daily bars and MACD: completed sessions only, corporate actions counted, the same bits from any state."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.domain.exit_cases import d
from trading.domain.calendar import TradingCalendar
from trading.domain.daily import DailyBar, is_completed, price_factors
from trading.domain.symbols import SymbolError, is_index, parse_series
from trading.domain.types import CHINA, Symbol
from trading.services.macd import Point, calculate

pytestmark = [pytest.mark.fast]

MONDAY = date(2026, 7, 6)
DAYS = [MONDAY + timedelta(days=i) for i in (0, 1, 2, 3, 4, 7, 8, 9)]
CALENDAR = TradingCalendar(DAYS, MONDAY - timedelta(days=10), DAYS[-1])
BANK = Symbol("600036.SH")


def bar(on, close, previous=None):
    price = d(close)
    return DailyBar(
        BANK, on, price, price, price, price, 100, previous_close=previous and d(previous)
    )


@pytest.mark.parametrize(
    ("on", "clock", "kept"),
    [
        (0, "15:34:59", False),  # F139: half a day, or one whose books are not closed
        (0, "11:30:00", False),
        (0, "15:35:00", True),
        (1, "15:35:00", False),  # tomorrow
        (-2, "15:35:00", False),  # Saturday is no session
    ],
)
def test_f139_only_a_completed_session_is_a_day(on, clock, kept):
    now = datetime.fromisoformat(f"2026-07-06T{clock}").replace(tzinfo=CHINA)
    assert is_completed(MONDAY + timedelta(days=on), CALENDAR, now) is kept


@pytest.mark.parametrize(
    ("text", "key", "index"),
    [
        ("000001", "000001.SZ", False),  # never the index of the same code
        ("000001.SZ", "000001.SZ", False),
        ("000001.SH", "000001.SH", True),
        ("sh000300", "000300.SH", True),
        ("399006.SZ", "399006.SZ", True),
        ("510300", "510300.SH", False),
        ("sz159915", "159915.SZ", False),
    ],
)
def test_f142_f143_a_series_is_a_symbol_or_an_index_that_names_its_exchange(text, key, index):
    assert parse_series(text) == key
    assert is_index(Symbol(key)) is index


@pytest.mark.parametrize("text", ["600036.SZ", "000001.BJ", "x", "SH000001.SH"])
def test_f142_what_is_neither_is_refused(text):
    with pytest.raises(SymbolError):
        parse_series(text)


@pytest.mark.parametrize(
    ("bars", "known", "factors"),
    [
        ([("10", None), ("5", "10")], {}, ["1", "1"]),
        ([("10", None), ("5", "5")], {}, ["1", "0.5"]),  # the exchange says so
        ([("10", None), ("5", None)], {1: "0.5"}, ["1", "0.5"]),  # the source says so
        ([("10", None), ("5", "5")], {1: "0.5"}, ["1", "0.5"]),  # both: once
        ([("10", "9"), ("11", "9")], {}, ["1", "1"]),  # a previous close that is one session old
        ([("9", None), ("10", None), ("11", "9")], {}, ["1", "1", "1"]),
        ([("9", None), ("10", None), ("5", "9")], {2: "0.5"}, ["1", "1", "0.5"]),
    ],
)
def test_earlier_prices_are_scaled_once_by_what_exchange_or_source_says(bars, known, factors):
    made = [bar(DAYS[i], close, previous) for i, (close, previous) in enumerate(bars)]
    found = price_factors(made, CALENDAR, {DAYS[i]: d(f) for i, f in known.items()})
    assert found == [d(f) for f in factors]


def test_after_a_gap_only_the_known_factors_count():
    made = [bar(DAYS[0], "10"), bar(DAYS[3], "5", "6")]  # quoted 6: the days between are missing
    assert price_factors(made, CALENDAR, {}) == [1, 1]
    assert price_factors(made, CALENDAR, {DAYS[2]: d("0.5")}) == [1, d("0.5")]


def test_f143_an_unknown_change_is_not_called_zero():
    """A fund whose previous close was not found showed 0 % every day."""
    assert bar(MONDAY, "10").change is None
    assert bar(MONDAY, "1.010", "1.000").change == d("0.01")


# --- MACD -----------------------------------------------------------------------------------

cents = st.integers(100, 30_000).map(lambda n: Decimal(n) / 100)
factors = st.sampled_from(["1"] * 12 + ["0.5", "0.987654321", "1.25"]).map(Decimal)


@st.composite
def histories(draw, most=90):
    closes = draw(st.lists(st.tuples(cents, factors), min_size=1, max_size=most))
    return [Point(MONDAY + timedelta(days=i), close, f) for i, (close, f) in enumerate(closes)]


@settings(max_examples=40)
@given(histories(), st.data())
def test_f144_going_on_from_a_stored_state_is_counting_everything_again_bit_for_bit(points, data):
    everything = calculate(points)
    cut = data.draw(st.integers(1, len(points)))
    state = everything[cut - 1]
    assert calculate(points[cut:], state, points[max(0, cut - 59) : cut]) == everything[cut:]


def test_f144_one_session_at_a_time_too():
    closes = [Decimal(1000 + i * i % 173) / 100 for i in range(150)]
    points = [
        Point(MONDAY + timedelta(days=i), close, d("0.8") if i in (70, 71, 120) else d("1"))
        for i, close in enumerate(closes)
    ]
    found, state = [], None
    for i, point in enumerate(points):
        (state,) = calculate([point], state, points[max(0, i - 59) : i])
        found.append(state)
    assert found == calculate(points)


def test_macd_is_what_its_formula_says():
    closes = [Decimal(1000 + (i * 37) % 211) / 100 for i in range(80)]
    found = calculate([Point(MONDAY + timedelta(days=i), c) for i, c in enumerate(closes)])

    def ema(values, span):
        return list(accumulate(values, lambda e, x: e + (x - e) * 2 / (span + 1)))

    fast, slow = ema(map(float, closes), 12), ema(map(float, closes), 26)
    dea = ema([a - b for a, b in zip(fast, slow, strict=True)], 9)
    for state, values in zip(found, zip(fast, slow, dea, strict=True), strict=True):
        assert (state.ema12, state.ema26, state.dea) == pytest.approx(values, abs=1e-9)
    assert found[58].averages[3] is None
    for at in (59, 79):
        averages = [sum(closes[at + 1 - n : at + 1], d("0")) / n for n in (10, 20, 30, 60)]
        assert list(found[at].averages) == [a.quantize(d("1e-8")) for a in averages]


@given(histories(most=70), st.sampled_from(["0.5", "0.97", "2"]).map(Decimal))
@settings(max_examples=25)
def test_a_split_changes_no_cross_and_no_order_of_the_averages(points, factor):
    """The same market, once split on its last day and once not, says the same."""
    last = points[-1]
    whole = calculate([p._replace(factor=Decimal(1)) for p in points])[-1]
    split = [p._replace(factor=Decimal(1)) for p in points[:-1]]
    split.append(Point(last.on, last.close * factor, factor if len(points) > 1 else Decimal(1)))
    after = calculate(split)[-1]
    assert after.ema12 - after.ema26 == pytest.approx(
        (whole.ema12 - whole.ema26) * float(factor), abs=1e-6
    )
    for ours, theirs in zip(after.averages, whole.averages, strict=True):
        assert (ours is None) is (theirs is None)
        if ours is not None:
            assert abs(ours - theirs * factor) <= d("1e-6")
