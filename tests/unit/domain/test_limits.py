"""Daily limits, rounding and the price cage, against the rules' examples and real bars."""

from __future__ import annotations

import csv
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.real_data import data_file, day_bars
from trading.domain.instruments import Board, Category, Instrument, instrument_for, tick_size
from trading.domain.limits import (
    cage_bound,
    daily_limits,
    day_limits,
    from_float,
    limits_for,
    round_to_tick,
)
from trading.domain.symbols import parse_symbol
from trading.domain.types import (
    CHINA,
    ZERO,
    BookStatus,
    Denial,
    DenialCode,
    Level,
    Limits,
    Quote,
    Side,
)

pytestmark = pytest.mark.fast

CENT, MILL = Decimal("0.01"), Decimal("0.001")
TODAY = date(2026, 7, 6)
NO_LIMIT = Limits(None, None)
D = Decimal


def named(code, **facts):
    known = instrument_for(parse_symbol(code))
    plain = {
        name: getattr(known, name)
        for name in ("symbol", "board", "category", "settlement", "index_board")
    }
    return Instrument(**{**plain, **facts})


def quote(code="600000", *, bid=None, ask=None, last="0", previous_close="0", **facts):
    return Quote(
        symbol=parse_symbol(code),
        time=datetime(2026, 7, 6, 10, 0, tzinfo=CHINA),
        last=D(last),
        previous_close=D(previous_close),
        bids=(Level(D(bid), 100),) if bid else (),
        asks=(Level(D(ask), 100),) if ask else (),
        **facts,
    )


# --- rounding ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "tick", "side", "expected"),
    [
        ("28.215", CENT, None, "28.22"),
        ("28.2149", CENT, None, "28.21"),
        ("28.211", CENT, Side.BUY, "28.22"),
        ("28.219", CENT, Side.SELL, "28.21"),
        ("28.21", CENT, Side.BUY, "28.21"),
        ("28.21", CENT, Side.SELL, "28.21"),
        ("1.0005", MILL, None, "1.001"),
    ],
)
def test_a_price_is_rounded_to_the_tick(price, tick, side, expected):
    assert round_to_tick(D(price), tick, side) == D(expected)


@pytest.mark.parametrize(
    ("value", "tick", "expected"),
    [
        ("1854.980000000000018", CENT, "1854.98"),
        (repr(11.370000000000001), CENT, "11.37"),
        (repr(2.5380000000000003), MILL, "2.538"),
        ("28.215", CENT, "28.22"),
        (10, CENT, "10.00"),
        (D("3.0"), MILL, "3.000"),
        ("0", CENT, "0"),
        ("-0.125", CENT, "-0.13"),
        ("1e2", CENT, "100"),
    ],
)
def test_float_noise_disappears_in_the_tick(value, tick, expected):
    assert from_float(value, tick) == D(expected)


@pytest.mark.parametrize(
    "value", ["nan", "NaN", "inf", "-Infinity", "", "--", "None", D("NaN"), "sNaN"]
)
def test_what_is_no_number_is_no_price(value):
    with pytest.raises(ValueError, match="is not a price"):
        from_float(value, CENT)


@given(st.integers(min_value=1, max_value=10_000_000), st.sampled_from([CENT, MILL]))
def test_a_price_survives_its_way_through_a_float(ticks, tick):
    price = ticks * tick
    assert from_float(repr(float(price)), tick) == price


def test_f059_a_level_that_is_reached_counts_exactly():
    assert from_float("13.0", CENT) * D("0.85") == from_float("11.05", CENT)
    assert from_float("10", CENT) * D("1.06") == from_float(repr(10.6), CENT)


# --- daily limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "facts", "on", "previous_close", "up", "down"),
    [
        ("600000", {}, TODAY, "25.65", "28.22", "23.09"),
        ("600000", {}, TODAY, "10.00", "11.00", "9.00"),
        ("600000", {}, TODAY, "13.00", "14.30", "11.70"),
        # special treatment on the main board: 5 % through 2026-07-05
        ("600518", {"special_treatment": True}, date(2026, 7, 5), "10.00", "10.50", "9.50"),
        ("600518", {"special_treatment": True}, date(2026, 7, 6), "10.00", "11.00", "9.00"),
        # ChiNext reform 2020-08-24
        ("300750", {}, date(2020, 8, 23), "10.00", "11.00", "9.00"),
        ("300750", {}, date(2020, 8, 24), "10.00", "12.00", "8.00"),
        ("300750", {"special_treatment": True}, date(2020, 8, 23), "10.00", "10.50", "9.50"),
        ("300750", {"special_treatment": True}, date(2020, 8, 24), "10.00", "12.00", "8.00"),
        ("688293", {}, date(2023, 3, 23), "112.3", "134.76", "89.84"),
        ("688293", {"special_treatment": True}, TODAY, "10.00", "12.00", "8.00"),
        ("689009", {}, TODAY, "10.00", "12.00", "8.00"),
        # BSE: up truncated, down rounded up
        ("920819", {}, TODAY, "6.75", "8.77", "4.73"),
        ("430047", {}, TODAY, "10.00", "13.00", "7.00"),
        # funds
        ("510300", {}, TODAY, "4.005", "4.406", "3.605"),
        ("588000", {}, TODAY, "1.000", "1.200", "0.800"),
        ("159915", {"index_board": Board.CHINEXT}, date(2020, 8, 23), "1.000", "1.100", "0.900"),
        ("159915", {"index_board": Board.CHINEXT}, date(2020, 8, 24), "1.000", "1.200", "0.800"),
        # convertible bonds
        ("113050", {}, TODAY, "100", "120", "80"),
        # at least one tick away, never below one
        ("600000", {}, TODAY, "0.04", "0.05", "0.03"),
        ("600000", {}, TODAY, "0.01", "0.02", "0.01"),
    ],
)
def test_limits_by_board_and_date(code, facts, on, previous_close, up, down):
    assert daily_limits(named(code, **facts), D(previous_close), on) == Limits(D(up), D(down))


@pytest.mark.parametrize(
    ("code", "on", "session", "expected"),
    [
        ("600001", date(2023, 4, 9), 1, Limits(D("14.40"), D("6.40"))),
        ("600001", date(2023, 4, 9), 2, Limits(D("11.00"), D("9.00"))),
        ("600001", date(2023, 4, 10), 1, NO_LIMIT),
        ("600001", date(2023, 4, 10), 5, NO_LIMIT),
        ("600001", date(2023, 4, 10), 6, Limits(D("11.00"), D("9.00"))),
        ("301001", date(2020, 8, 23), 2, Limits(D("11.00"), D("9.00"))),
        ("301001", date(2020, 8, 24), 5, NO_LIMIT),
        ("301001", date(2020, 8, 24), 6, Limits(D("12.00"), D("8.00"))),
        ("688001", date(2019, 7, 22), 5, NO_LIMIT),
        ("688001", date(2019, 7, 22), 6, Limits(D("12.00"), D("8.00"))),
        ("920001", TODAY, 1, NO_LIMIT),
        ("920001", TODAY, 2, Limits(D("13.00"), D("7.00"))),
        ("510300", TODAY, 1, Limits(D("11.000"), D("9.000"))),
        ("113050", TODAY, 1, Limits(D("15.730"), D("5.670"))),
        ("113050", TODAY, 2, Limits(D("12.000"), D("8.000"))),
        ("113050", date(2022, 7, 31), 2, NO_LIMIT),
        ("113050", date(2022, 7, 31), 1, NO_LIMIT),
    ],
)
def test_the_first_sessions_after_listing(code, on, session, expected):
    assert daily_limits(named(code), D(10), on, session) == expected


@pytest.mark.parametrize(
    ("days_later", "expected"), [(0, NO_LIMIT), (1, Limits(D("1.10"), D("0.90")))]
)
def test_only_the_first_session_of_the_delisting_period_is_free(days_later, expected):
    share = named("600001", delisting_from=date(2024, 6, 3))
    assert daily_limits(share, D(1), date(2024, 6, 3) + timedelta(days=days_later)) == expected


def test_before_the_delisting_reform_its_first_session_had_limits():
    first = date(2020, 12, 30)
    assert daily_limits(named("600001", delisting_from=first), D(1), first).up == D("1.10")


@pytest.mark.parametrize("previous_close", ["0", "-1", "NaN", "Infinity"])
def test_without_a_previous_close_no_limit_is_known(previous_close):
    with pytest.raises(ValueError, match="previous close"):
        daily_limits(named("600000"), D(previous_close), TODAY)


INSTRUMENTS = [
    named(code) for code in ("600000", "300750", "688293", "920819", "510300", "588000", "113050")
]


@given(
    st.sampled_from(INSTRUMENTS),
    st.booleans(),
    st.integers(min_value=1, max_value=3_000_000),
    st.dates(date(2010, 1, 1), date(2027, 1, 1)),
    st.none() | st.integers(min_value=1, max_value=7),
)
def test_limits_lie_on_the_tick_around_the_previous_close(instrument, special, ticks, on, session):
    instrument = Instrument(
        instrument.symbol,
        board=instrument.board,
        category=instrument.category,
        special_treatment=special,
    )
    tick = tick_size(instrument, on)
    previous_close = ticks * tick
    limits = daily_limits(instrument, previous_close, on, session)
    if limits.up is None or limits.down is None:
        assert limits == NO_LIMIT
        return
    assert limits.up % tick == 0
    assert limits.down % tick == 0
    assert limits.down >= tick
    assert limits.down <= previous_close < limits.up


@pytest.mark.parametrize(
    ("symbol", "bars", "breaks"),
    [
        # the sessions whose reference price was not the previous close: ex-rights, and the share reform of 2007
        (
            "600000.SH",
            "hikyuu/sh600000.day",
            [
                "2002-08-22",
                "2008-04-24",
                "2009-06-09",
                "2010-06-10",
                "2011-06-03",
                "2016-06-23",
                "2017-05-25",
            ],
        ),
        (
            "000001.SZ",
            "mootdx/sz000001.day",
            [
                "2000-11-06",
                "2007-06-20",
                "2008-10-31",
                "2013-06-20",
                "2014-06-12",
                "2015-04-13",
                "2016-06-16",
            ],
        ),
    ],
)
def test_no_real_bar_leaves_its_limits_but_on_ex_rights_days(symbol, bars, breaks):
    share = instrument_for(parse_symbol(symbol))
    history = day_bars(bars)
    broken = []
    for before, bar in pairwise(history):
        limits = daily_limits(share, before.close * CENT, bar.on)
        if bar.high * CENT > limits.up or bar.low * CENT < limits.down:
            broken.append(bar.on.isoformat())
    assert broken == breaks


@pytest.mark.parametrize(
    ("symbol", "bars", "least"),
    [("600000.SH", "hikyuu/sh600000.day", 5), ("000001.SZ", "mootdx/sz000001.day", 14)],
)
def test_real_limit_hits_at_half_a_cent_prove_half_up(symbol, bars, least):
    """A bar that ends its move within one cent of a limit of exactly half a cent stands on the rounded-up side."""
    share = instrument_for(parse_symbol(symbol))
    history = day_bars(bars)
    hits = []
    for before, bar in pairwise(history):
        limits = daily_limits(share, before.close * CENT, bar.on)
        if before.close * 110 % 100 == 50 and limits.up - bar.high * CENT in (0, CENT):
            hits.append(bar.high * CENT == limits.up)
        if before.close * 90 % 100 == 50 and bar.low * CENT - limits.down in (0, -CENT):
            hits.append(bar.low * CENT == limits.down)
    assert len(hits) >= least
    assert all(hits)


def test_limits_equal_those_the_exchange_sent_for_a_star_share():
    share = instrument_for(parse_symbol("688293"))
    with data_file("ddb/688293_20230323_snapshot.csv").open(encoding="utf-8") as lines:
        stated = {(row["PreClosePx"], row["MaxPx"], row["MinPx"]) for row in csv.DictReader(lines)}
    ((previous_close, highest, lowest),) = stated
    limits = daily_limits(share, from_float(previous_close, CENT), date(2023, 3, 23))
    assert limits == Limits(from_float(highest, CENT), from_float(lowest, CENT))
    assert limits == Limits(D("134.76"), D("89.84"))


# --- whose limits count -----------------------------------------------------------------------------------------

COMPUTED = Limits(D("11.00"), D("9.00"))


@pytest.mark.parametrize(
    ("up", "down", "computed", "expected"),
    [
        (None, None, COMPUTED, COMPUTED),
        ("11.00", "9.00", COMPUTED, COMPUTED),
        ("11.00", None, COMPUTED, COMPUTED),
        ("11.00", "9.00", None, COMPUTED),
        ("0", "0", COMPUTED, COMPUTED),  # 0 is "not stated"
        ("NaN", "NaN", COMPUTED, COMPUTED),
        ("11.00", "9.00", NO_LIMIT, COMPUTED),
        (None, None, NO_LIMIT, NO_LIMIT),
    ],
)
def test_the_terminals_limits_win(up, down, computed, expected):
    stated = quote(limit_up=up and D(up), limit_down=down and D(down))
    assert limits_for(stated, computed) == expected


@pytest.mark.parametrize(
    ("up", "down"), [("10.50", "9.50"), ("11.01", "9.00"), ("11.00", "8.99"), ("12", None)]
)
def test_limits_that_disagree_are_a_denial(up, down):
    answer = limits_for(quote(limit_up=D(up), limit_down=down and D(down)), COMPUTED)
    assert isinstance(answer, Denial)
    assert answer.code is DenialCode.LIMITS_DISAGREE
    assert up in answer.text.en
    assert up in answer.text.zh


@pytest.mark.parametrize(
    "known", [None, quote(), quote(limit_up=D("11.00")), quote(limit_down=D("9.00"))]
)
def test_neither_limits_nor_a_previous_close_is_a_denial(known):
    answer = limits_for(known, None)
    assert isinstance(answer, Denial)
    assert answer.code is DenialCode.NO_PRICE


def test_computed_limits_stand_without_a_quote():
    assert limits_for(None, COMPUTED) == COMPUTED


@pytest.mark.parametrize(
    ("down", "agrees"), [("4.72", True), ("4.73", True), ("4.71", False), ("4.75", False)]
)
def test_the_unknown_rounding_of_the_bse_limit_down_is_no_quarrel(down, agrees):
    stated = quote("920819", previous_close="6.75", limit_up=D("8.77"), limit_down=D(down))
    answer = day_limits(instrument_for(stated.symbol), stated, TODAY)
    assert (answer == Limits(D("8.77"), D(down))) is agrees


@pytest.mark.parametrize(
    "empty", [None, quote(last="0", previous_close="0"), quote(previous_close="NaN")]
)
def test_f134_an_empty_tick_gives_no_limits(empty):
    answer = day_limits(instrument_for(parse_symbol("600000")), empty, TODAY)
    assert isinstance(answer, Denial)
    assert answer.code is DenialCode.NO_PRICE


def test_the_limits_of_a_day_come_from_the_previous_close():
    answer = day_limits(
        instrument_for(parse_symbol("600000")), quote(previous_close="25.65"), TODAY
    )
    assert answer == Limits(D("28.22"), D("23.09"))


def test_a_new_share_is_free_by_the_number_of_its_session():
    share = instrument_for(parse_symbol("600000"))
    assert day_limits(share, quote(previous_close="10"), TODAY, 5) == NO_LIMIT


# --- price cage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "on", "side", "facts", "expected"),
    [
        ("600000", TODAY, Side.BUY, {"bid": "9.99", "ask": "10.00"}, "10.20"),
        ("600000", TODAY, Side.SELL, {"bid": "9.99", "ask": "10.00"}, "9.79"),
        ("600000", TODAY, Side.BUY, {"ask": "3.00"}, "3.10"),  # ten ticks are farther than 2 %
        ("600000", TODAY, Side.SELL, {"bid": "3.00"}, "2.90"),
        ("600000", TODAY, Side.BUY, {"bid": "10.00"}, "10.20"),  # no ask: the best bid
        ("600000", TODAY, Side.SELL, {"ask": "10.00"}, "9.80"),
        ("600000", TODAY, Side.BUY, {"last": "10.00"}, "10.20"),
        ("600000", TODAY, Side.BUY, {"previous_close": "10.00"}, "10.20"),
        ("600000", TODAY, Side.SELL, {"bid": "0.05"}, "0.01"),  # never below one tick
        ("600000", date(2023, 4, 9), Side.BUY, {"ask": "10.00"}, None),
        ("300750", date(2020, 8, 23), Side.BUY, {"ask": "3.00"}, None),
        ("300750", date(2020, 8, 24), Side.BUY, {"ask": "3.00"}, "3.06"),
        ("300750", date(2023, 4, 10), Side.BUY, {"ask": "3.00"}, "3.10"),
        ("688293", TODAY, Side.BUY, {"ask": "3.00"}, "3.06"),
        ("688293", TODAY, Side.SELL, {"bid": "112.27"}, "110.02"),
        ("689009", TODAY, Side.BUY, {"ask": "50.00"}, "51.00"),
        ("920819", TODAY, Side.BUY, {"ask": "10.00"}, "10.50"),
        ("920819", TODAY, Side.BUY, {"ask": "1.00"}, "1.10"),
        ("920819", TODAY, Side.SELL, {"bid": "10.00"}, "9.50"),
        ("510300", TODAY, Side.BUY, {"ask": "4.000"}, None),
        ("113050", TODAY, Side.SELL, {"bid": "120.000"}, None),
        ("600000", TODAY, Side.BUY, {"ask": "10.00", "status": BookStatus.AUCTION}, None),
        ("600000", TODAY, Side.BUY, {"ask": "10.00", "status": BookStatus.AFTER_HOURS}, None),
        ("600000", TODAY, Side.BUY, {}, None),
    ],
)
def test_the_price_cage_by_board_date_and_base(code, on, side, facts, expected):
    bound = cage_bound(instrument_for(parse_symbol(code)), side, quote(code, **facts), on)
    assert bound == (expected and D(expected))


@pytest.mark.parametrize(
    ("side", "base", "expected"),
    [
        (Side.BUY, "10.25", "10.46"),
        (Side.BUY, "10.23", "10.43"),
        (Side.SELL, "10.25", "10.05"),
        (Side.SELL, "10.27", "10.06"),
    ],
)
def test_the_edge_of_the_cage_is_rounded_half_up(side, base, expected):
    star = instrument_for(parse_symbol("688293"))
    assert cage_bound(star, side, quote("688293", bid=base, ask=base), TODAY) == D(expected)


@given(
    st.sampled_from(INSTRUMENTS),
    st.sampled_from(Side),
    st.integers(min_value=1, max_value=3_000_000),
    st.dates(date(2010, 1, 1), date(2027, 1, 1)),
)
def test_the_cage_lies_on_the_tick_beyond_its_base(instrument, side, ticks, on):
    tick = tick_size(instrument, on)
    base = str(ticks * tick)
    bound = cage_bound(instrument, side, quote(instrument.symbol, bid=base, ask=base), on)
    if instrument.category in (Category.FUND, Category.CONVERTIBLE_BOND):
        assert bound is None
    if bound is None:
        return
    assert bound % tick == 0
    assert bound > ZERO
    assert bound >= D(base) if side is Side.BUY else bound <= D(base)
