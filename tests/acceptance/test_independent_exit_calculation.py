"""The independent calculation is itself checked, on made-up quotes whose outcome the rules state."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.independent_exit_calculation import Row, clock, decisions, moutai, thirty

pytestmark = [pytest.mark.exits, pytest.mark.fast]

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "ddb"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the recorded days are not beside the project"
)


def told(
    prices: str, cost: str = "10", quantity: int = 1000, high: str = "0"
) -> list[tuple[str, str, int]]:
    """Return the decisions on `HH:MM:SS price` pairs of one main-board share."""
    words = prices.split()
    rows = [
        Row("600036.SH", clock(at), Decimal(price), max(Decimal(price), Decimal(high)))
        for at, price in zip(words[::2], words[1::2], strict=True)
    ]
    return [decision[:3] for decision in decisions(rows, "600036.SH", quantity, Decimal(cost))]


@pytest.mark.parametrize(
    ("what", "prices", "expected"),
    [
        ("the stop is reached exactly", "09:30:03 9.25", [("stop_loss", "09:30:05", 1000)]),
        ("one cent above it holds", "09:30:03 9.26", []),
        ("touched between two ticks", "09:30:01 9.2 09:30:02 9.5", [("stop_loss", "09:30:05", 1000)]),
        ("a quote at the very tick is seen", "09:30:05 9.2", [("stop_loss", "09:30:05", 1000)]),
        ("arming alone sells nothing", "09:30:03 10.60", []),
        ("a pullback after arming", "09:30:03 10.70 09:30:08 10.64", [("first_take_profit", "09:30:10", 600)]),
        ("a pullback of too little", "09:30:03 10.70 09:30:08 10.65", []),
        ("a fall below the floor disarms", "09:30:03 10.70 09:30:08 10.49 09:30:13 10.55", []),
        ("disarmed after the pullback in one tick", "09:30:01 10.7 09:30:02 10.64 09:30:03 10.4", []),
        ("armed again after it", "09:30:01 10.7 09:30:02 10.4 09:30:03 10.8 09:30:04 10.7",
         [("first_take_profit", "09:30:05", 600)]),
        ("then the trailing level", "09:30:03 10.70 09:30:08 10.64 09:30:13 10.27",
         [("first_take_profit", "09:30:10", 600), ("trailing_take_profit", "09:30:15", 400)]),
        ("the morning's last second waits for the afternoon", "11:29:59 9.2 12:59:58 9.5",
         [("stop_loss", "13:00:00", 1000)]),
        ("nothing is decided on the closing auction", "14:56:58 9.2", []),
        ("the tick at 14:56:55 is the last", "14:56:55 9.2", [("stop_loss", "14:56:55", 1000)]),
        ("a silent feed stops decisions and keeps quotes", "09:29:40 9.2 09:31:03 9.5",
         [("stop_loss", "09:31:05", 1000)]),
        ("nothing before 09:25 counts", "09:24:59 9.2 09:30:03 9.5", []),
    ],
)  # fmt: skip
def test_the_rules_decide_as_their_examples_say(what, prices, expected):
    assert told(prices) == expected, what


def test_a_high_of_thirteen_trails_at_eleven_five():
    rising = "09:30:03 13 09:30:08 12.9"
    assert told(f"{rising} 09:30:13 11.06")[1:] == []
    assert told(f"{rising} 09:30:13 11.05")[1:] == [("trailing_take_profit", "09:30:15", 400)]


def test_a_level_never_lowers_when_a_higher_tier_has_a_lower_one():
    prices = "09:30:03 10.99 09:30:08 10.90 09:30:13 10.91 09:30:18 11.00 09:30:23 10.55"
    assert told(prices)[1:] == [("trailing_take_profit", "09:30:25", 400)]


def test_a_level_begins_with_the_first_sale_not_with_the_high_before_it():
    assert told("09:30:03 10.99 09:30:08 10.90 09:30:13 11.00 09:30:18 10.55")[1:] == []


@pytest.mark.parametrize(("held", "sold"), [(150, 100), (90, 90), (1000, 600), (100, 100)])
def test_the_first_part_is_a_lot_at_least(held, sold):
    assert told("09:30:03 10.70 09:30:08 10.64", quantity=held)[0][2] == sold


@needs_data
def test_the_recorded_days_lead_to_these_first_decisions():
    day, morning = moutai(DATA), thirty(DATA)
    assert decisions(day, "600519.SH", 1000, Decimal(1750)) == [
        ("first_take_profit", "10:00:15", 600, Decimal("1849.00"))
    ]
    assert decisions(day, "600519.SH", 1000, Decimal(1960)) == [
        ("stop_loss", "10:47:50", 1000, Decimal("1813.11"))
    ]
    assert decisions(morning, "688233.SH", 1000, Decimal(96)) == [
        ("first_take_profit", "10:01:25", 600, Decimal("101.12")),
        ("trailing_take_profit", "10:27:35", 400, Decimal("97.63")),
    ]
