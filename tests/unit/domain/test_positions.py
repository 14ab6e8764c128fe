from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.exit_cases import BANK, ENTRY_DAY, NEXT_DAY, at, d, folded, holding
from trading.domain.positions import (
    Position,
    apply_fill,
    opened,
    rearmed,
    scale,
    sellable,
    with_first_take_profit,
    with_high,
)
from trading.domain.types import Side, Symbol

pytestmark = [pytest.mark.fast, pytest.mark.exits]

BUY, SELL = Side.BUY, Side.SELL
prices = st.integers(1, 500_000).map(lambda cents: Decimal(cents) / 100)
fills = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 5_000), prices), max_size=40)


def test_a_position_opens_with_its_first_buy_and_closes_with_its_last_share():
    bought = apply_fill(None, BANK, BUY, 1000, d("10"), ENTRY_DAY)
    assert bought is not None
    assert (bought.quantity, bought.cost, bought.base_cost) == (1000, d("10"), d("10"))
    less = apply_fill(bought, BANK, SELL, 600, d("11"), NEXT_DAY)
    assert less is not None
    assert less.quantity == 400
    assert apply_fill(less, BANK, SELL, 400, d("12"), NEXT_DAY) is None


def test_sells_do_not_change_the_cost():
    position = apply_fill(holding("10", 1000), BANK, SELL, 900, d("15"), NEXT_DAY)
    assert position is not None
    assert position.cost == d("10")


def test_buys_average_the_cost():
    position = apply_fill(holding("10", 100), BANK, BUY, 300, d("12"), NEXT_DAY)
    assert position is not None
    assert position.cost == d("11.5")


@pytest.mark.parametrize(
    ("side", "quantity", "price"),
    [(SELL, 1001, "10"), (BUY, 0, "10"), (BUY, -100, "10"), (BUY, 100, "0"), (SELL, 100, "-1")],
)
def test_an_impossible_fill_is_refused(side, quantity, price):
    with pytest.raises(ValueError, match="600036"):
        apply_fill(holding(), BANK, side, quantity, d(price), NEXT_DAY)


def test_a_sale_without_a_position_is_refused():
    with pytest.raises(ValueError, match="0 held"):
        apply_fill(None, BANK, SELL, 100, d("10"), NEXT_DAY)


def test_a_fill_of_another_symbol_is_refused():
    with pytest.raises(ValueError, match=r"000001\.SZ"):
        apply_fill(holding(), Symbol("000001.SZ"), BUY, 100, d("10"), NEXT_DAY)


@given(fills)
def test_the_quantity_is_what_was_bought_less_what_was_sold(entries):
    position: Position | None = None
    held, bought, amount, life = 0, 0, Fraction(0), 1
    for side, quantity, price in entries:
        if side is SELL and quantity > held:
            with pytest.raises(ValueError, match="held"):
                apply_fill(position, BANK, side, quantity, price, NEXT_DAY, life)
            continue
        position = apply_fill(position, BANK, side, quantity, price, NEXT_DAY, life)
        held += quantity if side is BUY else -quantity
        if side is BUY:
            bought, amount = bought + quantity, amount + quantity * Fraction(price)
        if held == 0:
            bought, amount, life = 0, Fraction(0), life + 1
        assert (0 if position is None else position.quantity) == held
        if position is not None:
            assert (position.bought_quantity, position.life) == (bought, life)
            assert Fraction(position.bought_amount) == amount
            assert abs(Fraction(position.cost) - amount / bought) < Fraction(1, 10**20)


def test_a_level_that_is_a_whole_tick_comes_out_exactly():
    position = Position(BANK, 3700, 3700, d("37040"), ENTRY_DAY)
    assert position.cost * d("0.925") < d("9.26")
    assert position.cost_times(d("0.925")) == d("9.26")


def test_f064_a_rebought_stock_starts_a_new_life():
    old = holding(
        "10", 400, first_take_profit_done=True, high_since_entry="13", trailing_level="11.05"
    )
    assert apply_fill(old, BANK, SELL, 400, d("11"), NEXT_DAY) is None
    again = apply_fill(None, BANK, BUY, 200, d("11.20"), NEXT_DAY, life=2)
    assert again == replace(opened(BANK, 200, d("11.20"), NEXT_DAY), life=2)
    assert not again.first_take_profit_done
    assert (again.high_since_entry, again.trailing_level, again.seen) == (d("11.20"), None, None)


def test_f064_a_stored_row_with_nothing_left_is_no_life_to_continue():
    emptied = replace(holding(), quantity=0)
    again = apply_fill(emptied, BANK, BUY, 200, d("9"), NEXT_DAY, life=2)
    assert again == opened(BANK, 200, d("9"), NEXT_DAY, life=2)


@pytest.mark.parametrize("price", ["0", "-3.20"])
def test_f069_a_holding_without_a_valid_open_price_has_no_cost(price):
    position = opened(BANK, 500, d(price), ENTRY_DAY)
    assert position.cost == 0
    assert (position.cost_for_decision, position.base_cost) == (None, None)


@pytest.mark.parametrize("amount", ["0", "-1250.50"])
def test_f069_a_cost_that_is_not_positive_falls_back_to_the_first_one(amount):
    position = holding("10", bought_amount=amount)
    assert position.cost <= 0
    assert position.cost_for_decision == d("10")


def test_f069_an_unknown_cost_becomes_known_with_the_first_buy():
    position = apply_fill(opened(BANK, 500, d("0"), ENTRY_DAY), BANK, BUY, 100, d("9"), NEXT_DAY)
    assert position is not None
    assert (position.quantity, position.cost, position.base_cost) == (600, d("9"), d("9"))


def test_f070_the_first_valid_cost_is_never_overwritten():
    position = apply_fill(holding("10"), BANK, BUY, 1000, d("8"), NEXT_DAY)
    assert position is not None
    assert (position.base_cost, position.cost) == (d("10"), d("9"))


def test_f071_the_opening_date_is_never_overwritten():
    position = apply_fill(holding(), BANK, BUY, 100, d("9"), NEXT_DAY)
    assert position is not None
    assert position.opened_on == ENTRY_DAY


def test_f075_what_can_be_sold_is_not_part_of_the_stored_position():
    names = {field.name for field in fields(Position)}
    assert not {name for name in names if "sellable" in name or "available" in name}


def test_f075_a_terminal_that_has_not_spoken_lets_nothing_be_sold():
    assert sellable(1000, 0, True, None, 0) == 0


@pytest.mark.parametrize(
    ("quantity", "bought_today", "t1", "broker", "promised", "expected"),
    [
        (1000, 0, True, 1000, 0, 1000),
        (1000, 400, True, 600, 0, 600),
        (1000, 400, True, 1000, 0, 600),  # the terminal is wrong or late about today's buys
        (1000, 1000, True, 1000, 0, 0),
        (1000, 1000, False, 1000, 0, 1000),
        (1000, 0, True, 700, 300, 700),  # the terminal has frozen the promised shares already
        (1000, 0, True, 1000, 300, 700),  # not yet
        (1000, 0, True, 500, 300, 500),
        (1000, 0, True, 1000, 1200, 0),
        (1000, 0, True, 0, 0, 0),
    ],
)
def test_f056_sellable_is_what_terminal_and_own_count_both_allow(
    quantity, bought_today, t1, broker, promised, expected
):
    assert sellable(quantity, bought_today, t1, broker, promised) == expected


@given(
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    st.booleans(),
    st.none() | st.integers(-10, 10_000),
    st.integers(0, 10_000),
)
def test_sellable_never_exceeds_what_was_held_before_today(held, today, t1, broker, promised):
    free = sellable(held + today, today, t1, broker, promised)
    assert 0 <= free <= (held if t1 else held + today)
    assert free <= max(0, held + (0 if t1 else today) - promised)
    assert free <= max(0, broker or 0)


def test_f016_the_first_take_profit_is_done_when_the_caller_says_it_was_filled():
    armed = holding(armed=True, armed_high="10.80", high_since_entry="10.80")
    decided = folded(armed, "10.70")
    assert decided.decision is not None
    assert not decided.position.first_take_profit_done
    done = with_first_take_profit(decided.position)
    assert (done.first_take_profit_done, done.armed) == (True, False)
    assert done.armed_high == 0


def test_an_operator_can_give_the_first_take_profit_back():
    done = holding(first_take_profit_done=True, trailing_level="11.05", high_since_entry="13")
    again = rearmed(done)
    assert (again.first_take_profit_done, again.trailing_level) == (False, None)


def test_an_operator_can_correct_a_high_and_the_level_follows_it():
    done = holding(first_take_profit_done=True, trailing_level="11.05", high_since_entry="13")
    corrected = folded(with_high(done, d("11.50")), "11.20").position
    assert corrected.trailing_level == d("10.35")  # 11.50 × 0.90
    with pytest.raises(ValueError, match="not a price"):
        with_high(done, d("0"))


def test_a_bonus_issue_halves_prices_and_doubles_shares():
    before = holding(
        "10.01",
        1000,
        high_since_entry="13.01",
        armed=True,
        armed_high="13.01",
        trailing_level="11.0585",
        seen=at(0),
    )
    after = scale(before, d("0.5"), d("2"), d("0.01"))
    assert (after.quantity, after.bought_quantity) == (2000, 2000)
    assert (after.cost, after.base_cost) == (d("5.005"), d("5.005"))
    assert (after.high_since_entry, after.armed_high) == (d("6.51"), d("6.51"))
    assert after.trailing_level == d("5.5292")
    assert (after.armed, after.opened_on, after.seen) == (True, ENTRY_DAY, at(0))


def test_a_dividend_lowers_the_cost_and_leaves_the_shares():
    after = scale(holding("10", 1000, high_since_entry="12"), d("0.97"), d("1"), d("0.01"))
    assert (after.quantity, after.cost, after.high_since_entry) == (1000, d("9.7"), d("11.64"))


def test_a_position_of_unknown_cost_scales_without_inventing_one():
    after = scale(opened(BANK, 500, d("0"), ENTRY_DAY), d("0.5"), d("2"), d("0.01"))
    assert (after.quantity, after.cost_for_decision, after.base_cost) == (1000, None, None)


@pytest.mark.parametrize(("factor", "ratio"), [("0", "1"), ("-1", "1"), ("0.5", "0")])
def test_a_factor_that_is_not_positive_is_refused(factor, ratio):
    with pytest.raises(ValueError, match="must be > 0"):
        scale(holding(), d(factor), d(ratio), d("0.01"))


@given(
    prices, st.integers(1, 100_000), st.integers(1_000, 10_000).map(lambda n: Decimal(n) / 10_000)
)
def test_scaling_moves_the_cost_by_the_factor(price, quantity, factor):
    after = scale(opened(BANK, quantity, price, date(2026, 1, 5)), factor, d("1"), d("0.01"))
    assert abs(after.cost - price * factor) <= d("0.0001")
