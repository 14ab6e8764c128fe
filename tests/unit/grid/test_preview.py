"""What a grid would do, told before it starts (rules §3)."""

from __future__ import annotations

from datetime import date

import pytest

from grid.domain.preview import Market, break_even, holding_facts, preview, round_trip
from tests.unit.grid.cases import centred, d, lots
from trading.domain.fees import FeeSchedule
from trading.domain.instruments import instrument_for
from trading.domain.types import Side, Symbol

pytestmark = [pytest.mark.fast, pytest.mark.grid]

STOCK = Market(instrument_for(Symbol("600036.SH")), FeeSchedule(), date(2026, 7, 21))
FUND = Market(instrument_for(Symbol("510300.SH")), FeeSchedule(), date(2026, 7, 21))


def test_a_lot_grid_lists_its_buys_with_their_cost_and_where_each_lot_takes_its_profit():
    found = preview(d(10), lots(max_investment="12000"), holding_facts(STOCK, 0, 0, 0), STOCK)
    first, second, third = found.lines
    assert [line.price for line in found.lines] == [d("9.80"), d("9.60"), d("9.41")]
    assert [line.quantity for line in found.lines] == [500, 500, 200]
    assert (first.amount, first.fees, first.invested) == (d(4900), d("5.05"), d(4900))
    assert second.invested == 9700
    assert third.invested == d("11582.00")
    assert first.closes_at == d("10.59")
    # 500 × 10.59 = 5295: 5 + 2.65 stamp duty + 0.05 transfer fee
    assert first.profit == d(5295) - 4900 - d("5.05") - d("7.70")
    # 500 × 9.83 = 4915: +15 − 5.05 − 7.51; at 9.82 it would lose 2.56
    assert first.break_even == d("9.83")
    assert found.losing == ()


def test_a_centred_grid_moves_its_centre_from_buy_to_buy_until_it_would_stop():
    rules = centred(max_investment="100000")
    found = preview(d(10), rules, holding_facts(STOCK, 1000, 1000, 1000), STOCK)
    assert [(line.side, line.price, line.quantity) for line in found.lines] == [
        (Side.SELL, d("10.50"), 200),
        (Side.BUY, d("9.50"), 200),
        (Side.BUY, d("9.02"), 300),  # 1,200 × 25 %
        (Side.BUY, d("8.57"), 300),  # 1,500 × 25 %
        (Side.BUY, d("8.14"), 400),
    ]
    # The centre of the fourth, 8.145, is more than 15 % below 10: the session ends there.
    assert found.lines[1].closes_at == d("9.98")


def test_the_worst_case_is_every_buy_at_its_reservation_price_within_the_budget():
    found = preview(d(10), lots(max_investment="12000"), holding_facts(STOCK, 0, 0, 0), STOCK)
    assert d(11582) < found.worst_case <= 12000 + sum(line.fees for line in found.lines) + 1


@pytest.mark.parametrize(
    ("market", "quantity", "bought_at"),
    [
        (STOCK, 500, "9.80"),
        (STOCK, 100, "2.00"),
        (STOCK, 10000, "9.80"),
        (FUND, 1000, "4.000"),
        (STOCK, 100, "1500"),
    ],
)
def test_the_break_even_is_the_first_price_at_which_a_round_trip_loses_nothing(
    market, quantity, bought_at
):
    price = break_even(quantity, d(bought_at), market)
    assert round_trip(quantity, d(bought_at), price, market) >= 0
    assert round_trip(quantity, d(bought_at), price - market.tick, market) < 0


def test_a_line_whose_round_trip_does_not_pay_its_fees_is_named():
    rules = centred(interval="0.01", callback="0.001", max_investment="2000", position_ratio="0.2")
    found = preview(d("2.00"), rules, holding_facts(STOCK, 0, 0, 0), STOCK)
    assert found.losing
    assert all(line.side is Side.BUY for line in found.losing)
