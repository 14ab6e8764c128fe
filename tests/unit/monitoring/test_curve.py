"""The line of a day: where its minutes are, what it leaves out, and what it never invents."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal

import pytest

from monitoring.console.curve import Point, curve_of, session_minute
from trading.domain.types import CHINA

pytestmark = pytest.mark.fast


def at(clock: str) -> datetime:
    return datetime.combine(datetime(2023, 2, 1, tzinfo=CHINA), time.fromisoformat(clock), CHINA)


def points(*values: tuple[str, str]) -> list[Point]:
    return [Point(at(clock), Decimal(value)) for clock, value in values]


@pytest.mark.parametrize(
    ("clock", "minute"),
    [("09:00", 0), ("09:30", 0), ("09:31:59", 1), ("11:29", 119), ("11:30", 120), ("12:10", 120),
     ("13:00", 120), ("13:01", 121), ("15:00", 240), ("15:30", 240)],
)  # fmt: skip
def test_a_minute_of_trading_has_its_place_and_lunch_has_none(clock, minute):
    assert session_minute(at(clock)) == minute


def test_without_a_point_there_is_no_line():
    assert curve_of([], Decimal(100)) is None


def test_the_line_runs_between_its_lowest_and_highest_and_the_previous_close():
    curve = curve_of(points(("09:30", "100"), ("09:31", "110"), ("09:32", "90")), Decimal(120))
    assert curve is not None
    assert (curve.low, curve.high, curve.gain) == (Decimal(90), Decimal(110), Decimal(-30))
    assert curve.path == "M0 39.3h.5L1 20.7L2 58.0"
    assert curve.base == "2.0"


def test_a_hole_is_no_slope():
    curve = curve_of(points(("09:30", "100"), ("09:36", "110"), ("09:37", "110")), None)
    assert curve is not None
    assert curve.path.count("M") == 2
    assert (curve.base, curve.gain) == (None, Decimal(10))


def test_lunch_is_no_hole_and_a_flat_line_lies_in_the_middle():
    curve = curve_of(points(("11:29", "100"), ("13:00", "100")), None)
    assert curve is not None
    assert curve.path == "M119 30.0h.5L120 30.0"
