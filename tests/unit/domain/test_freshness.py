from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.domain.exit_cases import at, quotes
from trading.domain.freshness import freshness
from trading.domain.types import BookStatus

pytestmark = [pytest.mark.fast, pytest.mark.exits]

QUOTE = quotes("10")[0]
HEARTBEAT = 10
NOW = at(300)


@pytest.mark.parametrize(
    ("quote_age", "feed_age", "fresh"),
    [
        (0, 0, True),
        (90, 0, True),
        (91, 0, False),
        (56, 10, True),  # liquid stocks pause for 30-56 s
        (56, 11, False),  # the whole feed is silent
        (-2, 0, True),
        (-3, 0, False),
        (0, -2, True),
        (0, -3, False),
        (5, None, False),
    ],
)
def test_fresh_means_a_living_feed_and_a_recent_quote(quote_age, feed_age, fresh):
    quote = replace(QUOTE, time=NOW - timedelta(seconds=quote_age))
    fed_at = None if feed_age is None else NOW - timedelta(seconds=feed_age)
    assert freshness(quote, fed_at, HEARTBEAT, NOW) is fresh


def test_no_quote_is_never_fresh():
    assert not freshness(None, NOW, HEARTBEAT, NOW)


def test_a_suspended_stock_has_no_fresh_quote():
    assert not freshness(replace(QUOTE, time=NOW, status=BookStatus.HALTED), NOW, HEARTBEAT, NOW)


def test_a_feed_of_minute_bars_declares_its_bar():
    bar = replace(QUOTE, time=NOW - timedelta(seconds=150), fresh_for=180)
    assert freshness(bar, NOW - timedelta(seconds=60), 60, NOW)
    assert not freshness(bar, NOW - timedelta(seconds=61), 60, NOW)


def test_f146_a_pushed_value_is_not_served_past_its_age():
    quote = replace(QUOTE, time=NOW)
    later = NOW + timedelta(seconds=91)
    assert not freshness(quote, later, HEARTBEAT, later)
