"""The recorded days: what the replay decides and sells is what a calculation that imports none of it finds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache

import pytest

from tests.acceptance.independent_exit_calculation import Decision, Row, decisions, moutai, thirty
from tests.replays import DATA, MOUTAI, STAR_DAY, THIRTY, after, needs
from trading.market_data.sources import Recording, open_source

pytestmark = [pytest.mark.exits, pytest.mark.slow]

recorded = cache(open_source)
moutai_day = cache(moutai)
thirty_morning = cache(thirty)

#: Costs of every kind of first decision of the day, most of them at a time of their own, in yuan.
COSTS = [
    *("1680", "1720", "1733.33", "1740", "1752.5"),  # take profit at 10:00:15
    *("1960", "1962.5", "1965", "1967.5", "1970", "1972.5", "1975", "1977.5", "1980", "1982.5"),
    *("1985", "1987.5", "1990", "1992.5", "1995", "1997.5", "2000", "2005", "2037.5"),
]


@cache
def first_decision(cost: str) -> Decision:
    return decisions(moutai_day(DATA), "600519.SH", 1000, Decimal(cost))[0]


def later(clock: str, seconds: int) -> str:
    """Return a time of day some seconds later."""
    return f"{datetime.fromisoformat('2000-01-01 ' + clock) + timedelta(seconds=seconds):%H:%M:%S}"


@needs(MOUTAI)
@pytest.mark.parametrize("cost", COSTS)
def test_the_first_decision_of_the_600519_day_is_the_same(play, cost):
    expected = first_decision(cost)

    played = play(
        recorded(MOUTAI),
        holdings=[f"600519:1000@{cost}"],
        until=after(later(expected.time, 60)),
    )

    signal = played.result["signals"][0]
    assert played.signals()[0] == (expected.kind, expected.time, expected.quantity)
    assert Decimal(signal["last"]) == expected.last
    first = played.fills()[0]
    assert first[0] == "sell"
    if played.orders()[0][3]:  # somebody stood in the book at once
        assert first[1] == expected.time


@needs(MOUTAI)
@pytest.mark.parametrize(
    ("cost", "kind", "sold"), [("1720", "first_take_profit", 600), ("1990", "stop_loss", 1000)]
)
def test_what_is_sold_is_a_part_at_the_profit_and_everything_at_the_stop(play, cost, kind, sold):
    end = later(first_decision(cost).time, 400)

    played = play(recorded(MOUTAI), holdings=[f"600519:1000@{cost}"], until=after(end))

    assert played.result["signals"][0]["kind"] == kind
    assert played.sold() == sold


def holding_costs(rows: list[Row]) -> dict[str, Decimal]:
    """Return a cost for each symbol: by turns at its first price, far above it and somewhat below it."""
    first: dict[str, Decimal] = {}
    for row in rows:
        first.setdefault(row.symbol, row.last)
    factors = [Decimal(text) for text in ("0.93", "1.09", "1", "0.945", "1.075")]
    costs = {
        symbol: (price * factors[number % len(factors)]).quantize(Decimal("0.01"))
        for number, (symbol, price) in enumerate(sorted(first.items()))
    }
    return {**costs, "688233.SH": Decimal(96)}


@needs(THIRTY)
def test_thirty_holdings_of_one_morning_decide_as_each_would_alone(play):
    rows = thirty_morning(DATA)
    costs = holding_costs(rows)

    played = play(
        recorded(THIRTY),
        holdings=[f"{symbol}:1000@{cost}" for symbol, cost in costs.items()],
        until=after("10:31:00"),
    )

    found: dict[str, tuple[str, str, int]] = {}
    for signal, row in zip(played.result["signals"], played.signals(), strict=True):
        found.setdefault(signal["symbol"], row)
    expected = {
        symbol: made[0][:3]
        for symbol, cost in costs.items()
        if (made := decisions(rows, symbol, 1000, cost))
    }
    assert found == expected
    assert {kind for kind, _, _ in found.values()} == {"stop_loss", "first_take_profit"}
    trailing = [s for s in played.result["signals"] if s["symbol"] == "688233.SH"]
    assert [(s["kind"], s["time"][11:19], s["quantity"]) for s in trailing] == [
        decision[:3] for decision in decisions(rows, "688233.SH", 1000, costs["688233.SH"])
    ]
    assert trailing[1]["kind"] == "trailing_take_profit"


def between(recording: Recording, first: str, last: str) -> Recording:
    """Return only the quotes of a part of the day, both ends included."""
    quotes = (q for q in recording.quotes() if first <= f"{q.time:%H:%M:%S}" <= last)
    return replace(recording, _quotes=tuple(quotes))


@needs(STAR_DAY)
@pytest.mark.parametrize(
    ("held", "part", "rest"), [(505, 303, 202), (333, 200, 133), (250, 200, 50), (190, 190, 0)]
)
def test_star_lots_are_200_then_by_one_and_a_small_rest_goes_whole(play, held, part, rest):
    """60 % of 505 is 303; of 333 it is 199, below the smallest order; a rest below 200 goes in one order."""
    played = play(
        recorded(STAR_DAY),
        holdings=[f"688293:{held}@106"],
        settings={"trailing_tiers": "0.05:0.99"},
        until=after("09:50:00"),
    )

    assert [quantity for _, _, quantity in played.signals()] == ([part, rest] if rest else [part])
    assert played.sold() == held
    quote = next(recorded(STAR_DAY).quotes())
    assert quote.limit_down is not None
    assert quote.limit_up is not None
    for order in played.result["orders"]:
        assert quote.limit_down <= Decimal(order["price"]) <= quote.limit_up


@needs(STAR_DAY)
@pytest.mark.parametrize(
    ("first", "last", "end", "decided"),
    [
        ("09:15:00", "09:29:59", "09:31:00", []),
        ("11:30:00", "12:59:30", "13:01:00", []),
        (
            "11:30:00",
            "13:00:02",
            "13:01:00",
            ["13:00:00"],
        ),  # lunch is over, its last quote is fresh
        ("14:57:00", "15:30:30", "15:35:30", []),
    ],
)
def test_a_stop_that_holds_is_not_decided_in_auctions_at_lunch_or_after_hours(
    play, first, last, end, decided
):
    """The file's own statuses: 2 and 4 for breaks, 5 for the closing auction, 11 for after-hours."""
    part = between(recorded(STAR_DAY), first, last)

    played = play(part, holdings=["688293:1000@130"], until=after(end))

    assert [time for _, time, _ in played.signals()] == decided
    assert [time for time, *_ in played.orders()] == decided
