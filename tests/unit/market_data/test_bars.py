"""Bars become quotes at their start, a third, two thirds and end (rules §4)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.market_data.files import rows, write
from trading.domain.types import BookStatus, Level
from trading.errors import SourceError
from trading.market_data.sources import open_source

pytestmark = pytest.mark.fast

HEADER = "time,symbol,open,high,low,close,volume,amount,previous_close"


def told(path, label="start"):
    return [
        (quote.time.strftime("%H:%M:%S"), str(quote.last))
        for quote in open_source(path, label).quotes()
    ]


def test_a_rising_bar_goes_open_low_high_close(tmp_path):
    path = write(tmp_path, rows(HEADER, "2021-12-01 09:30,600036,10,10.4,9.9,10.2,4000,40000,9.8"))
    assert told(path) == [
        ("09:30:00", "10.00"),
        ("09:30:20", "9.90"),
        ("09:30:40", "10.40"),
        ("09:31:00", "10.20"),
    ]


def test_a_falling_bar_goes_open_high_low_close(tmp_path):
    path = write(tmp_path, rows(HEADER, "2021-12-01 09:30,600036,10,10.4,9.9,9.95,4000,40000,9.8"))
    assert [last for _, last in told(path)] == ["10.00", "10.40", "9.90", "9.95"]


def test_a_bar_shows_a_quarter_of_its_volume_one_tick_away(tmp_path):
    path = write(tmp_path, rows(HEADER, "2021-12-01 09:30,600036,10,10.4,9.9,10.2,4002,40000,9.8"))
    recording = open_source(path)
    quotes = list(recording.quotes())
    assert quotes[0].bids == (Level(Decimal("9.99"), 1000),)
    assert quotes[0].asks == (Level(Decimal("10.01"), 1000),)
    assert [quote.volume for quote in quotes] == [1000, 2001, 3001, 4002]
    assert quotes[-1].amount == 40000
    assert [(quote.high, quote.low) for quote in quotes][1:3] == [
        (10, Decimal("9.9")),
        (Decimal("10.4"), Decimal("9.9")),
    ]
    assert {quote.fresh_for for quote in quotes} == {60}
    assert {quote.previous_close for quote in quotes} == {Decimal("9.8")}
    assert (recording.heartbeat, recording.warnings) == (60, ())


def test_a_fund_s_book_stands_a_tenth_of_a_cent_away(tmp_path):
    path = write(tmp_path, rows(HEADER, "2021-12-01 09:30,510300,4,4.1,3.9,4,4000,,4"))
    assert next(open_source(path).quotes()).asks == (Level(Decimal("4.001"), 1000),)


def test_a_bar_without_trades_shows_no_book(tmp_path):
    path = write(tmp_path, rows(HEADER, "2021-12-01 09:30,600036,10,10,10,10,0,0,10"))
    assert all(quote.bids == quote.asks == () for quote in open_source(path).quotes())


@pytest.mark.parametrize(
    ("label", "times", "first", "last"),
    [
        ("start", ("09:30", "11:29", "13:00", "14:59"), "09:30:00", "15:00:00"),
        ("end", ("09:31", "11:30", "13:01", "15:00"), "09:30:00", "15:00:00"),
    ],
)
def test_the_label_names_either_edge(tmp_path, label, times, first, last):
    near = [f"2021-12-01 {at},600036,10,10,10,10,400,,10" for at in times]
    near.insert(1, near[0].replace(times[0], {"09:30": "09:31", "09:31": "09:32"}[times[0]]))
    path = write(tmp_path, rows(HEADER, *near))
    assert [at for at, _ in told(path, label)][:: len(near) * 4 - 1] == [first, last]


@pytest.mark.parametrize(
    ("label", "at", "other"), [("start", "15:00", "end"), ("end", "09:30", "start")]
)
def test_a_bar_outside_the_session_hints_at_the_other_label(tmp_path, label, at, other):
    path = write(tmp_path, rows(HEADER, f"2021-12-01 {at},600036,10,10,10,10,400,,10"))
    with pytest.raises(SourceError, match=f"perhaps the label names its {other}"):
        open_source(path, label)


def test_a_column_says_which_edge_each_label_names(tmp_path):
    path = write(
        tmp_path, rows(f"{HEADER},label", "2021-12-01 15:00,600036,10,10,10,10,400,,10,end")
    )
    assert told(path)[-1] == ("15:00:00", "10.00")


def test_five_minute_bars_are_known_by_their_step(tmp_path):
    lines = [f"2021-12-01 {at},600036,10,10,10,10,400,,10" for at in ("09:30", "09:35", "09:45")]
    recording = open_source(write(tmp_path, rows(HEADER, *lines)))
    assert recording.heartbeat == 300
    assert [quote.time.strftime("%M:%S") for quote in recording.quotes()][:4] == [
        "30:00",
        "31:40",
        "33:20",
        "35:00",
    ]


def test_a_day_bar_spans_the_session(tmp_path):
    lines = ["2021-12-01,600036,10,11,9,10.5,4000,,", "2021-12-02,600036,10.6,11,10,10.2,4000,,"]
    recording = open_source(write(tmp_path, rows(HEADER, *lines)))
    quotes = list(recording.quotes())
    assert [quote.time.strftime("%H:%M") for quote in quotes[:4]] == [
        "09:30",
        "10:50",
        "13:40",
        "15:00",
    ]
    assert [quote.status for quote in quotes[:4]] == [BookStatus.CONTINUOUS] * 3 + [
        BookStatus.CLOSED
    ]
    assert recording.sessions == (date(2021, 12, 1), date(2021, 12, 2))
    assert recording.heartbeat == 19800
    assert [str(quote.previous_close) for quote in quotes] == ["10.00"] * 4 + ["10.50"] * 4
    (warning,) = recording.warnings
    assert warning.en.startswith(
        "600036.SH: no previous close for 2021-12-01; its open 10.00 stands in"
    )


@pytest.mark.parametrize(
    ("lines", "line", "field"),
    [
        (["2021-12-01 09:30,600036,10,9.9,9.8,10,1,,"], 2, "high"),
        (["2021-12-01 09:30,600036,10,10.1,10.05,10,1,,"], 2, "high"),
        (["2021-12-01 09:30,600036,0,10,9,10,1,,"], 2, "open"),
        (["2021-12-01 09:30,600036,10,10,10,,1,,"], 2, "close"),
        (["2021-12-01 09:30,600036,10,10,10,9.123,1,,"], 2, "close"),
        (["2021-12-01 09:30,600036,10,10,10,10,1.5,,"], 2, "volume"),
        (["2021-12-01 09:30,600036,10,10,10,10,1,x,"], 2, "amount"),
        (["2021-12-01 09:30,600036,10,10,10,10,1,1,-1"], 2, "previous_close"),
        (["2021-13-01,600036,10,10,10,10,1,1,1"], 2, "time"),
        (["2021-12-01 12:00,600036,10,10,10,10,1,1,1"], 2, "time"),
        (
            ["2021-12-01,600036,10,10,10,10,1,1,1", "2021-12-01 09:30,600036,10,10,10,10,1,1,1"],
            None,
            "time",
        ),
        (
            [
                "2021-12-01 09:31,600036,10,10,10,10,1,1,1",
                "2021-12-01 09:30,600036,10,10,10,10,1,1,1",
            ],
            3,
            "time",
        ),
        (["2021-12-01 09:30,600036,10,10,10,10,1,1,1"] * 2, 3, "time"),
        (
            [
                "2021-12-01 09:30,600036,10,10,10,10,1,1,1",
                "2021-12-01 09:37,600036,10,10,10,10,1,1,1",
            ],
            None,
            "time",
        ),
    ],
)
def test_a_malformed_bar_is_refused(tmp_path, lines, line, field):
    with pytest.raises(SourceError) as caught:
        open_source(write(tmp_path, rows(HEADER, *lines)))
    assert (caught.value.line, caught.value.field) == (line, field)


cents = st.integers(min_value=1, max_value=100_000)


@given(
    prices=st.tuples(cents, cents, cents, cents), volume=st.integers(min_value=0, max_value=10**9)
)
def test_the_quotes_of_a_bar_add_up_to_it(tmp_path_factory, prices, volume):
    opened, close = prices[:2]
    high, low = max(prices), min(prices)
    yuan = ",".join(f"{value // 100}.{value % 100:02}" for value in (opened, high, low, close))
    path = write(
        tmp_path_factory.mktemp("bar"), rows(HEADER, f"2021-12-01 09:30,600036,{yuan},{volume},,")
    )
    quotes = list(open_source(path).quotes())
    assert quotes[-1].volume == volume
    assert all(before.volume <= after.volume for before, after in pairwise(quotes))
    assert (quotes[0].last * 100, quotes[-1].last * 100) == (opened, close)
    assert (quotes[-1].high * 100, quotes[-1].low * 100) == (high, low)
    assert all(
        level.quantity == volume // 4 for quote in quotes for level in (*quote.bids, *quote.asks)
    )
