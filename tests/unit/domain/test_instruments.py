"""Lots, ticks, settlement and what a code says about an instrument."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.instruments import (
    Board,
    Category,
    LotRule,
    Settlement,
    instrument_for,
    lot_rule,
    tick_size,
)
from trading.domain.symbols import parse_symbol

pytestmark = pytest.mark.fast

TODAY = date(2026, 7, 6)
MAIN, STAR, CHINEXT, BSE, FUND, BOND, OTHER = (
    lot_rule(instrument_for(parse_symbol(code)), TODAY)
    for code in ("600000", "688293", "300750", "920819", "510300", "113050", "204001")
)
TRADED = [MAIN, STAR, CHINEXT, BSE, FUND, BOND]
lot_rules = st.sampled_from(TRADED)
quantities = st.integers(min_value=-10, max_value=3_500_000)


def named(code, name=""):
    return instrument_for(parse_symbol(code), name)


@pytest.mark.parametrize(
    ("code", "board", "category", "settlement", "tick"),
    [
        ("600036", Board.MAIN, Category.STOCK, Settlement.T1, "0.01"),
        ("000001", Board.MAIN, Category.STOCK, Settlement.T1, "0.01"),
        ("002594", Board.MAIN, Category.STOCK, Settlement.T1, "0.01"),
        ("300750", Board.CHINEXT, Category.STOCK, Settlement.T1, "0.01"),
        ("301001", Board.CHINEXT, Category.STOCK, Settlement.T1, "0.01"),
        ("688001", Board.STAR, Category.STOCK, Settlement.T1, "0.01"),
        ("689009", Board.STAR, Category.DEPOSITARY_RECEIPT, Settlement.T1, "0.01"),
        ("430047", Board.BSE, Category.STOCK, Settlement.T1, "0.01"),
        ("920819", Board.BSE, Category.STOCK, Settlement.T1, "0.01"),
        ("510300", Board.MAIN, Category.FUND, Settlement.T1, "0.001"),
        ("588000", Board.MAIN, Category.FUND, Settlement.T1, "0.001"),
        ("159915", Board.MAIN, Category.FUND, Settlement.T1, "0.001"),
        ("161725", Board.MAIN, Category.FUND, Settlement.T1, "0.001"),
        ("511880", Board.MAIN, Category.FUND, Settlement.T0, "0.001"),
        ("513100", Board.MAIN, Category.FUND, Settlement.T0, "0.001"),
        ("518880", Board.MAIN, Category.FUND, Settlement.T0, "0.001"),
        ("113050", Board.MAIN, Category.CONVERTIBLE_BOND, Settlement.T0, "0.001"),
        ("127045", Board.MAIN, Category.CONVERTIBLE_BOND, Settlement.T0, "0.001"),
    ],
)
def test_a_code_says_board_category_settlement_and_tick(code, board, category, settlement, tick):
    instrument = named(code)
    assert (instrument.board, instrument.category, instrument.settlement) == (
        board,
        category,
        settlement,
    )
    assert tick_size(instrument, TODAY) == Decimal(tick)


def test_f143_a_fund_is_recognised_by_its_bare_code():
    fund = named("510300")
    assert fund.symbol == "510300.SH"
    assert fund.category is Category.FUND
    assert tick_size(fund, TODAY) == Decimal("0.001")


@pytest.mark.parametrize(
    "code", ["204001", "131810", "900901", "200002", "399001", "112000", "080001"]
)
def test_what_the_rules_do_not_cover_is_recognised_but_never_ordered(code):
    instrument = named(code)
    rule = lot_rule(instrument, TODAY)
    assert instrument.category is Category.OTHER
    assert rule.buy_problem(100) is not None
    assert rule.sell_problem(100, 100) is not None
    assert (rule.floor_buy(100), rule.floor_sell(100, 100), rule.split(100)) == (0, 0, ())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ST康美", True),
        ("*ST中基", True),
        ("＊ST中基", True),
        ("S*ST前锋", True),
        ("SST集琦", True),
        ("XDST康美", True),
        ("*ST 国华", True),
        ("招商银行", False),
        ("退市博天", False),
        ("N摩尔", False),
        ("", False),
    ],
)
def test_the_short_name_says_special_treatment(name, expected):
    assert named("600518", name).special_treatment is expected


def test_a_fund_is_never_under_special_treatment():
    assert not named("510300", "ST300").special_treatment


@pytest.mark.parametrize(
    ("code", "name", "board"),
    [
        ("588000", "", Board.STAR),
        ("159915", "创业板ETF易方达", Board.CHINEXT),
        ("159781", "科创创业ETF", Board.STAR),
        ("159781", "双创50ETF", Board.STAR),
        ("551030", "科创债ETF", None),
        ("510300", "沪深300ETF", None),
        ("159915", "", None),
        ("300750", "创业板股", None),
    ],
)
def test_a_fund_knows_the_board_of_its_index(code, name, board):
    assert named(code, name).index_board is board


@pytest.mark.parametrize(
    ("rule", "quantity", "allowed"),
    [
        (MAIN, 100, True),
        (MAIN, 1_000_000, True),
        (MAIN, 1_000_100, False),
        (MAIN, 150, False),
        (MAIN, 99, False),
        (MAIN, 0, False),
        (MAIN, -100, False),
        (STAR, 199, False),
        (STAR, 200, True),
        (STAR, 201, True),
        (STAR, 100_000, True),
        (STAR, 100_001, False),
        (CHINEXT, 300_000, True),
        (CHINEXT, 300_100, False),
        (BSE, 99, False),
        (BSE, 100, True),
        (BSE, 101, True),
        (FUND, 100, True),
        (FUND, 110, False),
        (BOND, 10, True),
        (BOND, 15, False),
        (BOND, 5, False),
    ],
)
def test_a_buy_keeps_the_lot_of_its_board(rule, quantity, allowed):
    problem = rule.buy_problem(quantity)
    assert (problem is None) is allowed
    assert problem is None or (problem.en and problem.zh)


@pytest.mark.parametrize(
    ("rule", "quantity", "sellable", "allowed"),
    [
        (MAIN, 200, 250, True),
        (MAIN, 250, 250, True),
        (MAIN, 50, 250, False),
        (MAIN, 150, 250, False),
        (MAIN, 50, 50, True),
        (MAIN, 40, 50, False),
        (MAIN, 300, 250, False),
        (MAIN, 0, 250, False),
        (STAR, 199, 350, False),
        (STAR, 201, 350, True),
        (STAR, 150, 150, True),
        (STAR, 149, 150, False),
        (BSE, 101, 350, True),
        (BSE, 30, 30, True),
        (BOND, 7, 7, True),
        (BOND, 7, 17, False),
        (MAIN, 1_000_050, 1_000_050, False),
    ],
)
def test_a_sell_is_a_lot_multiple_or_everything(rule, quantity, sellable, allowed):
    assert (rule.sell_problem(quantity, sellable) is None) is allowed


def test_chinext_orders_grew_smaller_with_the_reform():
    share = named("300750")
    assert lot_rule(share, date(2020, 8, 23)).largest == 1_000_000
    assert lot_rule(share, date(2020, 8, 24)).largest == 300_000


@pytest.mark.parametrize(
    ("rule", "quantity", "parts"),
    [
        (MAIN, 1_000_000, (1_000_000,)),
        (MAIN, 1_000_100, (1_000_000, 100)),
        (MAIN, 1_000_050, (999_900, 150)),
        (STAR, 100_050, (99_850, 200)),
        (CHINEXT, 700_000, (300_000, 300_000, 100_000)),
        (MAIN, 0, ()),
    ],
)
def test_an_oversize_quantity_goes_out_in_parts(rule, quantity, parts):
    assert rule.split(quantity) == parts


@pytest.mark.parametrize(
    ("minimum", "step", "largest"), [(0, 1, 10), (100, 0, 1000), (100, 100, 150)]
)
def test_a_lot_rule_that_cannot_work_is_refused(minimum, step, largest):
    with pytest.raises(ValueError, match="no room"):
        LotRule(minimum, step, largest)


@given(lot_rules, quantities)
def test_floor_buy_is_the_largest_valid_quantity(rule, wanted):
    floored = rule.floor_buy(wanted)
    assert 0 <= floored <= max(wanted, 0)
    assert floored == 0 or rule.buy_problem(min(floored, rule.largest)) is None
    following = floored + rule.step if floored else rule.minimum
    assert following > wanted


@given(lot_rules, quantities, st.integers(min_value=0, max_value=3_000_000))
def test_floor_sell_is_valid_and_takes_everything_when_asked_for_everything(
    rule, wanted, sellable
):
    floored = rule.floor_sell(wanted, sellable)
    assert 0 <= floored <= sellable
    if wanted >= sellable:
        assert floored == sellable
    if 0 < floored <= rule.largest:
        assert rule.sell_problem(floored, sellable) is None


@given(lot_rules, quantities)
def test_the_parts_of_a_buy_are_valid_and_sum_up(rule, wanted):
    quantity = rule.floor_buy(wanted)
    parts = rule.split(quantity)
    assert sum(parts) == quantity
    assert [rule.buy_problem(part) for part in parts] == [None] * len(parts)


@given(lot_rules, quantities, st.integers(min_value=0, max_value=3_000_000))
def test_the_parts_of_a_sell_are_valid_one_after_the_other_and_sum_up(rule, wanted, sellable):
    quantity = rule.floor_sell(wanted, sellable)
    parts = rule.split(quantity)
    assert sum(parts) == quantity
    left = sellable
    for part in parts:
        assert rule.sell_problem(part, left) is None
        left -= part


@given(st.from_regex(r"[0-9]{6}", fullmatch=True), st.integers(min_value=0, max_value=12_000))
def test_every_instrument_has_lots_and_a_tick_on_every_day(code, days):
    try:
        symbol = parse_symbol(code)
    except ValueError:
        return
    instrument, on = instrument_for(symbol), date(1999, 1, 1) + timedelta(days=days)
    assert lot_rule(instrument, on).minimum > 0
    assert tick_size(instrument, on) > 0
