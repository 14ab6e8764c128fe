"""A recorded order beside the market's prices: who filled what, and what the difference is in yuan."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from trading.domain.shadow import WORDS, Recorded, Tape, compare
from trading.domain.types import CHINA, Side

pytestmark = [pytest.mark.fast, pytest.mark.orders]

START = datetime(2026, 8, 10, 9, 31, tzinfo=CHINA)
BUY, SELL = Side.BUY, Side.SELL


def tape(*prices):
    return [
        (START + timedelta(minutes=number), Decimal(price)) for number, price in enumerate(prices)
    ]


def order(side, price, filled=0, at="0"):
    return Recorded(side, Decimal(price), filled, filled * Decimal(at))


@pytest.mark.parametrize(
    ("recorded", "prices", "expected", "reached", "difference"),
    [
        (order(BUY, "10.00", 100, "10.00"), ("10.05", "9.98"), Tape.FILLED, "9.98", "-2.00"),
        (order(BUY, "10.00", 100, "9.99"), ("10.00",), Tape.FILLED, "10.00", "1.00"),
        (order(SELL, "10.00", 100, "10.00"), ("9.95", "10.02"), Tape.FILLED, "10.02", "-2.00"),
        (order(SELL, "9.20", 1000, "9.21"), ("9.20",), Tape.FILLED, "9.20", "10.00"),
        (order(BUY, "10.00", 100, "10.00"), ("10.01",), Tape.TOO_GOOD, None, None),
        (order(SELL, "10.00", 100, "10.00"), ("9.99",), Tape.TOO_GOOD, None, None),
        (order(BUY, "10.00"), ("10.00",), Tape.MISSED, "10.00", None),
        (order(SELL, "10.00"), ("9.99", "0"), Tape.RESTED, None, None),
        (order(BUY, "10.00"), ("0",), Tape.RESTED, None, None),
        (order(SELL, "10.00", 100, "10.00"), (), Tape.UNKNOWN, None, None),
    ],
)
def test_twin_and_market_agree_or_it_is_said_how_they_do_not(
    recorded, prices, expected, reached, difference
):
    found = compare(recorded, tape(*prices))
    assert found.tape is expected
    assert found.reached == (None if reached is None else Decimal(reached))
    assert found.difference == (None if difference is None else Decimal(difference))


def test_the_first_price_that_reaches_the_limit_counts():
    found = compare(order(SELL, "10.00", 100, "10.00"), tape("9.9", "10.1", "10.5"))
    assert (found.reached, found.reached_at) == (Decimal("10.1"), START + timedelta(minutes=1))


def test_each_outcome_has_words():
    assert set(WORDS) == set(Tape)
    assert all(words.en and words.zh for words in WORDS.values())
