"""How many shares a sale by hand has: by ratio floored to a lot, by number only what the exchange takes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from trading.domain.instruments import instrument_for, lot_rule
from trading.domain.manual import sale_by_ratio, sale_by_shares
from trading.domain.symbols import parse_symbol
from trading.domain.types import Denial, DenialCode

pytestmark = [pytest.mark.fast, pytest.mark.orders]


def lot(symbol: str = "600036.SH"):
    return lot_rule(instrument_for(parse_symbol(symbol)), date(2026, 8, 10))


@pytest.mark.parametrize(
    ("symbol", "sellable", "ratio", "sold"),
    [
        ("600036.SH", 1000, "0.5", 500),
        ("600036.SH", 1000, "0.55", 500),
        ("600036.SH", 1050, "1", 1050),
        ("600036.SH", 90, "1", 90),
        ("600036.SH", 1000, "0.1", 100),
        ("600036.SH", 1000, "0.099", None),
        ("600036.SH", 150, "0.5", None),
        ("688981.SH", 1000, "0.333", 333),
        ("688981.SH", 1000, "0.199", None),
    ],
)
def test_a_sale_by_ratio_is_floored_to_a_lot_and_nothing_below_one_lot(
    symbol, sellable, ratio, sold
):
    quantity = sale_by_ratio(sellable, Decimal(ratio), lot(symbol))
    if sold is None:
        assert isinstance(quantity, Denial)
        assert quantity.code is DenialCode.LOT
    else:
        assert quantity == sold


@pytest.mark.parametrize("ratio", ["0", "-0.1", "1.01"])
def test_a_part_is_above_zero_and_at_most_everything(ratio):
    with pytest.raises(ValueError, match="part"):
        sale_by_ratio(1000, Decimal(ratio), lot())


@pytest.mark.parametrize(
    ("sellable", "shares", "taken"),
    [
        (1000, 100, True),
        (1000, 1000, True),
        (1050, 1050, True),
        (1050, 50, False),
        (1050, 150, False),
        (1000, 1100, False),
        (1000, 0, False),
        (90, 90, True),
    ],
)
def test_a_sale_by_shares_is_whole_lots_or_everything(sellable, shares, taken):
    quantity = sale_by_shares(sellable, shares, lot())
    assert quantity == shares if taken else isinstance(quantity, Denial)
