"""How many shares a person's buy has: by amount or by shares, as each board takes them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from trading.domain.instruments import instrument_for, lot_rule
from trading.domain.manual import MOST, purchase_by_amount, purchase_by_shares
from trading.domain.symbols import parse_symbol
from trading.domain.types import Denial, DenialCode

pytestmark = pytest.mark.fast

MAIN, CHINEXT, STAR, BSE, ETF, BOND = (
    *("600036.SH", "300750.SZ", "688100.SH"),
    *("920100.BJ", "510300.SH", "113050.SH"),
)


def lots(symbol: str):
    return lot_rule(instrument_for(parse_symbol(symbol)), date(2026, 1, 5))


@pytest.mark.parametrize(
    ("symbol", "amount", "price", "expected"),
    [
        (MAIN, "1000", "10.00", 100),
        (MAIN, "1999.99", "10.00", 100),
        (MAIN, "2000", "10.00", 200),
        (CHINEXT, "6000", "20.00", 300),
        (STAR, "5000", "25.00", 200),
        (STAR, "6000", "25.10", 239),  # 200, then by 1
        (BSE, "800", "8.00", 100),
        (BSE, "1000", "8.00", 125),  # 100, then by 1
        (ETF, "405.9", "4.059", 100),
        (BOND, "1300", "130.00", 10),
    ],
)
def test_an_amount_buys_as_many_whole_lots_as_it_pays_for(symbol, amount, price, expected):
    assert purchase_by_amount(Decimal(amount), Decimal(price), lots(symbol)) == expected


@pytest.mark.parametrize(
    ("symbol", "amount", "price", "least"),
    [
        (MAIN, "999.99", "10.00", "1000.00 yuan"),
        (STAR, "4999", "25.00", "5000.00 yuan"),
        (BSE, "799", "8.00", "800.00 yuan"),
        (ETF, "1", "4.059", "405.90 yuan"),
    ],
)
def test_an_amount_below_the_smallest_order_names_what_it_takes(symbol, amount, price, least):
    found = purchase_by_amount(Decimal(amount), Decimal(price), lots(symbol))
    assert isinstance(found, Denial)
    assert least.replace("405.90", "405.9") in found.text.en or least in found.text.en


@pytest.mark.parametrize(
    ("symbol", "shares", "near"),
    [
        (MAIN, 100, ""), (MAIN, 150, "100 or 200"), (MAIN, 99, "100"), (MAIN, 0, "100"),
        (STAR, 200, ""), (STAR, 201, ""), (STAR, 199, "200"), (STAR, 100, "200"),
        (BSE, 100, ""), (BSE, 101, ""), (BSE, 99, "100"),
        (ETF, 100, ""), (ETF, 101, "100 or 200"), (ETF, -100, "100"),
        (BOND, 10, ""), (BOND, 15, "10 or 20"),
    ],
)  # fmt: skip
def test_shares_are_taken_as_the_board_takes_them_or_the_nearest_are_named(symbol, shares, near):
    found = purchase_by_shares(shares, lots(symbol))
    if near:
        assert isinstance(found, Denial)
        assert found.code is DenialCode.LOT
        assert found.text.en.endswith(f"write {near}")
    else:
        assert found == shares


def test_what_is_not_traded_here_and_what_nobody_can_buy_is_refused():
    index = lots("900901.SH")  # a B share
    for found in (
        purchase_by_shares(100, index),
        purchase_by_amount(Decimal(1000), Decimal(1), index),
    ):
        assert isinstance(found, Denial)
        assert "not traded" in found.text.en
    for found in (
        purchase_by_shares(MOST + 100, lots(MAIN)),
        purchase_by_amount(Decimal(MOST) * 10, Decimal(1), lots(MAIN)),
    ):
        assert isinstance(found, Denial)
        assert "write less" in found.text.en


@pytest.mark.parametrize(
    ("amount", "price"), [("0", "1"), ("-1", "1"), ("NaN", "1"), ("1", "0"), ("Infinity", "1")]
)
def test_an_amount_or_a_price_that_is_none_is_a_mistake_of_the_caller(amount, price):
    with pytest.raises(ValueError, match="above 0"):
        purchase_by_amount(Decimal(amount), Decimal(price), lots(MAIN))
