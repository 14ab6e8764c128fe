"""Style A, quote by quote (rules §3.A)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from grid.domain.lot_grid import allot, due_lots, next_buy
from grid.domain.rules import ended, step
from grid.domain.state import Outcome, Stop, StopCode, Trade, reset, start
from tests.unit.grid.cases import (
    STAR_LOT,
    TODAY,
    Market,
    at,
    d,
    facts,
    fill,
    follow,
    lots,
    quote,
    with_ledger,
)
from trading.domain.types import Side

pytestmark = [pytest.mark.fast, pytest.mark.grid]

YESTERDAY = TODAY - timedelta(days=1)


def told(decisions):
    """Write decisions as `buy 500 @ 9.80`, `sell 500 @ 10.80 of 1:500`, or by their code."""
    words = []
    for one in decisions:
        if not isinstance(one, Trade):
            words.append(one.code.value)
            continue
        closes = " ".join(f"{number}:{quantity}" for number, quantity in one.lots)
        words.append(
            f"{one.side.value} {one.quantity} @ {one.trigger}"
            + (f" of {closes}" if closes else "")
        )
    return words


def holding(*fills, **named):
    """Facts with lots bought yesterday, all of it sellable."""
    known = with_ledger(facts(held=0, sellable=0, base_quantity=0), *fills)
    held = known.ledger.quantity
    return replace(known, **{"held": held, "sellable": held, **named})


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (["9.81"], []),
        (["9.80"], ["buy 500 @ 9.80"]),  # 5000 / 9.80 = 510 → 500
        (["9.79"], ["buy 500 @ 9.79"]),
        (["10.50", "9.90", "9.81"], []),  # the reference does not follow the price
        (["9.80", "9.60"], ["buy 500 @ 9.80"]),  # the first is pending
    ],
)
def test_the_first_buy_lies_a_drop_below_the_reference(prices, expected):
    assert told(follow(prices, lots(), holding())[1]) == expected


@pytest.mark.parametrize(
    ("bought", "price", "expected"),
    [
        (["9.80"], "9.605", []),
        (["9.80"], "9.604", ["buy 500 @ 9.604"]),
        (["9.80", "9.60"], "9.409", []),
        (["9.80", "9.60"], "9.408", ["buy 500 @ 9.408"]),
        (["9.60", "9.80"], "9.408", ["buy 500 @ 9.408"]),  # the cheapest, not the newest
        (["9.80"] * 10, "9.604", []),  # ten lots are open
    ],
)
def test_each_further_buy_lies_a_drop_below_the_cheapest_open_lot(bought, price, expected):
    fills = [fill(n, "buy", 500, paid, on=TODAY) for n, paid in enumerate(bought, 1)]
    known = holding(*fills, held=5000, sellable=0)
    assert told(follow([price], lots(grid_stop_loss_ratio="-0.5"), known)[1]) == expected


@pytest.mark.parametrize(
    ("last_sale", "expected"),
    [
        (None, "9.80"),  # below the reference 10
        ("9.50", "9.31"),
        ("10.00", "9.80"),
        ("10.58", "9.80"),  # below the last sale, but not above the reference
    ],
)
def test_without_an_open_lot_the_next_buy_lies_below_the_last_sale_but_not_above_the_reference(
    last_sale, expected
):
    state = start(d(10))
    if last_sale is not None:
        state = ended(state, Outcome(Side.SELL, 100, d(last_sale) * 100, at(0)), lots())
    assert next_buy(state, holding(), lots()) == d(expected)


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("10.79", []),
        ("10.80", ["sell 500 @ 10.80 of 1:500"]),
        ("12.00", ["sell 500 @ 12.00 of 1:500"]),
        ("9.01", ["buy 500 @ 9.01"]),  # a drop below the lot; its own stop is at 9.00
        ("9.00", ["sell 500 @ 9.00 of 1:500"]),
        ("8.00", ["sell 500 @ 8.00 of 1:500"]),  # the due lot comes before the further buy
    ],
)
def test_a_lot_is_due_at_its_profit_and_at_its_loss(price, expected):
    known = holding(fill(1, "buy", 500, "10", on=YESTERDAY))
    assert told(follow([price], lots(), known)[1]) == expected


@pytest.mark.parametrize(("days", "due"), [(29, False), (30, False), (31, True)])
def test_a_lot_is_due_when_held_for_more_than_its_days(days, due):
    known = holding(fill(1, "buy", 500, "10", on=TODAY - timedelta(days=days)))
    assert told(follow(["10"], lots(), known)[1]) == (["sell 500 @ 10 of 1:500"] if due else [])


def test_a_lot_made_of_two_prices_is_due_at_a_whole_tick():
    # 300 × 3.33 + 200 × 3.34 = 1667: due at 1667 × 1.08 / 500 = 3.60072.
    bought = [fill(1, "buy", 300, "3.33", on=YESTERDAY), fill(1, "buy", 200, "3.34", on=YESTERDAY)]
    known = holding(*bought)
    assert due_lots(d("3.60071"), lots(), known) == []
    assert [lot.id for lot in due_lots(d("3.60072"), lots(), known)] == [1]


def test_several_due_lots_make_one_order_allotted_lowest_cost_first():
    bought = [
        fill(1, "buy", 500, "9.80", on=YESTERDAY),
        fill(2, "buy", 500, "9.60", on=YESTERDAY),
        fill(3, "buy", 500, "9.40", on=YESTERDAY),
    ]
    known = holding(*bought)
    assert told(follow(["10.37"], lots(), known)[1]) == ["sell 1000 @ 10.37 of 3:500 2:500"]
    fewer = replace(known, sellable=700)
    assert told(follow(["10.60"], lots(), fewer)[1]) == ["sell 700 @ 10.60 of 3:500 2:200"]
    with_base = replace(known, sellable=2000, promised=1250, base_quantity=2000)
    assert told(follow(["10.60"], lots(), with_base)[1]) == ["sell 750 @ 10.60 of 3:500 2:250"]


def test_f101_a_lot_bought_today_is_sold_tomorrow_at_the_earliest():
    known = holding(fill(1, "buy", 500, "10", on=TODAY), sellable=1000, base_quantity=1000)
    assert told(follow(["10.80"], lots(), known)[1]) == []
    assert told(follow(["10.80"], lots(), replace(known, on=TODAY + timedelta(days=1)))[1]) == [
        "sell 500 @ 10.80 of 1:500"
    ]


def test_a_lot_of_a_t0_fund_may_be_sold_the_same_day():
    known = holding(fill(1, "buy", 500, "10", on=TODAY), t1=False)
    assert told(follow(["10.80"], lots(), known)[1]) == ["sell 500 @ 10.80 of 1:500"]


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"sellable": 0}, ["NOTHING_SELLABLE"]),
        ({"sellable": 537, "promised": 500}, ["sell 37 @ 10.80 of 1:37"]),  # all that is sellable
        ({"sellable": 537, "promised": 400}, ["sell 137 @ 10.80 of 1:137"]),
    ],
)
def test_what_is_sellable_bounds_a_sale_and_an_odd_rest_goes_whole(named, expected):
    known = holding(fill(1, "buy", 537, "10", on=YESTERDAY), **named)
    assert told(follow(["10.80"], lots(), known)[1]) == expected


def test_an_odd_lot_beside_a_base_holding_is_sold_in_whole_lots():
    known = holding(fill(1, "buy", 137, "10", on=YESTERDAY), sellable=1137, base_quantity=1000)
    assert told(follow(["10.80"], lots(), known)[1]) == ["sell 100 @ 10.80 of 1:100"]


@pytest.mark.parametrize(
    ("named", "known", "expected"),
    [
        ({"max_investment": "5000"}, {}, ["buy 500 @ 9.80"]),  # 5000 / (9.80 × 1.02) = 500.2
        ({"max_investment": "5000", "grid_buy_amount": "900"}, {}, ["BUDGET"]),
        ({"max_investment": "5000"}, {"reserved_buys": d("3000")}, ["buy 200 @ 9.80"]),
        ({"max_investment": "5000"}, {"reserved_buys": d("4100")}, ["BUDGET"]),
        ({"max_investment": "5000"}, {"lot": STAR_LOT}, ["buy 500 @ 9.80"]),
        ({"max_investment": "9000"}, {"lot": STAR_LOT}, ["buy 510 @ 9.80"]),
        ({}, {"held": None}, ["buy 500 @ 9.80"]),  # its size does not depend on the holding
    ],
)
def test_f089_a_buy_is_cut_to_lots_within_amount_and_budget(named, known, expected):
    assert told(follow(["9.80"], lots(**named), holding(**known))[1]) == expected


def test_f092_a_level_whose_order_came_to_nothing_rests_60_seconds_instead_of_trying_at_every_quote():
    state, said = follow(["9.80"], lots(), holding())
    state = reset(state)  # denied
    state, said = follow(["9.79"] * 19, lots(), holding(), state, since=3)
    assert said == []
    state, said = follow(["9.79"], lots(), holding(), state, since=60)
    assert told(said) == ["buy 500 @ 9.79"]


def test_after_a_fill_the_next_level_may_follow_at_once():
    market = Market(lots(), start(d(10)))
    for second, price in enumerate(["9.80", "9.61", "9.60", "9.40"]):
        market.quote(d(price), at(second))
    assert told(said for _, said in market.trades) == [
        "buy 500 @ 9.80",
        "buy 500 @ 9.60",
        "buy 500 @ 9.40",
    ]


def test_a_round_trip_returns_to_the_reference():
    market = Market(lots(), start(d(10)))
    tomorrow = TODAY + timedelta(days=1)
    market.play([(d("9.80"), at(0)), (d("10.59"), at(0, tomorrow)), (d("9.90"), at(3, tomorrow)), (d("9.80"), at(6, tomorrow))])  # fmt: skip
    assert told(said for _, said in market.trades) == [
        "buy 500 @ 9.80",
        "sell 500 @ 10.59 of 1:500",
        "buy 500 @ 9.80",
    ]
    assert market.state.last_sale == d("10.59")


def test_a_lot_grid_has_no_exits_but_an_empty_holding():
    known = replace(holding(fill(1, "buy", 500, "10", on=YESTERDAY)), held=0, sellable=0)
    state, said = start(d(10)), []
    for second in (1, 2):
        seen = quote("9.90", second)
        state, decision = step(state, seen, lots(), seen.time, replace(known, read_at=at(second)))
        said.append(decision)
    assert said[0] is None
    assert isinstance(said[1], Stop)
    assert said[1].code is StopCode.EMPTY
    # Nothing bought, or everything sold again: an empty holding is how it waits.
    assert follow(["9.90"] * 5, lots(), holding())[1] == []


def test_allotting_takes_whole_lots_first():
    known = holding(fill(1, "buy", 300, "9.80"), fill(2, "buy", 200, "9.60"))
    assert allot(list(known.ledger.lots), 400) == ((1, 300), (2, 100))
