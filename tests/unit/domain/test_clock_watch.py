"""A clock that leaps is not relied on until it is steady, and agrees with the quotes, for half a minute."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import pytest

from trading.domain.clock_watch import ClockWatch
from trading.domain.types import CHINA

pytestmark = [pytest.mark.fast, pytest.mark.unattended]

START = datetime(2026, 11, 23, 10, 0, tzinfo=CHINA)


def _same(age):
    return age


def doubts(offsets, age=lambda second: None):
    """Look once a second; `offsets`: by how many seconds the clock is off from which second on. Return doubtful ones."""
    watch, found = ClockWatch(), []
    for second in range(90):
        off = [value for since, value in offsets if since <= second][-1] if offsets else 0
        real = START + timedelta(seconds=second + off)
        seen = age(second)
        quote_age = None if seen is None else timedelta(seconds=seen)
        if (
            watch.look(real, timedelta(seconds=1000 + second), partial(_same, quote_age))
            is not None
        ):
            found.append(second)
    return found


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ([(0, 0)], []),
        ([(0, 3600)], []),  # whatever it was at the first look
        ([(0, 0), (10, 2)], []),  # as much as a time server corrects
        ([(0, 0), (10, 2.5)], [*range(10, 40)]),
        ([(0, 0), (10, -2.5)], [*range(10, 40)]),
        ([(0, 0), (10, -3600)], [*range(10, 40)]),
        ([(0, 0), (10, 5), (20, 0)], [*range(10, 50)]),  # back again is another leap
    ],
)
def test_a_leap_of_more_than_two_seconds_is_doubted_for_thirty(offsets, expected):
    assert doubts(offsets) == expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (lambda second: 0, [*range(10, 40)]),
        (lambda second: 5, [*range(10, 40)]),
        (lambda second: 6 if second < 30 else 1, [*range(10, 59)]),  # ahead of the quotes
        (lambda second: -3 if second < 30 else 1, [*range(10, 59)]),  # quotes from the future
        (lambda second: 3600, [*range(10, 90)]),
    ],
)
def test_the_thirty_seconds_count_from_when_clock_and_quotes_agree(age, expected):
    assert doubts([(0, 0), (10, 60)], age) == expected


def test_quotes_are_asked_for_only_while_the_clock_is_in_doubt():
    watch = ClockWatch()
    for second in range(5):
        at = START + timedelta(seconds=second)
        assert watch.look(at, timedelta(seconds=second), lambda: pytest.fail("asked")) is None
