"""Commission, stamp duty and transfer fee by date, and the cash a buy freezes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.fees import FeeSchedule, cash_needed, fill_fees, order_fees
from trading.domain.instruments import instrument_for
from trading.domain.symbols import parse_symbol
from trading.domain.types import Fees, Side

pytestmark = [pytest.mark.fast, pytest.mark.orders]

D = Decimal
TODAY = date(2026, 7, 6)
PUBLIC = FeeSchedule()
SHARE, SZ_SHARE, STAR_DR, FUND, BOND = (
    instrument_for(parse_symbol(code))
    for code in ("600000", "000001", "689009", "510300", "113050")
)


def fees(commission="0", stamp_duty="0", transfer_fee="0"):
    return Fees(D(commission), D(stamp_duty), D(transfer_fee))


@pytest.mark.parametrize(
    ("instrument", "side", "amount", "on", "expected"),
    [
        (SHARE, Side.BUY, "100000", TODAY, fees("25.00", "0", "1.00")),
        (SHARE, Side.SELL, "100000", TODAY, fees("25.00", "50.00", "1.00")),
        (SHARE, Side.SELL, "100000", date(2023, 8, 28), fees("25.00", "50.00", "1.00")),
        (SHARE, Side.SELL, "100000", date(2023, 8, 27), fees("25.00", "100.00", "1.00")),
        (SHARE, Side.BUY, "100000", date(2022, 4, 29), fees("25.00", "0", "1.00")),
        (SHARE, Side.BUY, "100000", date(2022, 4, 28), fees("25.00", "0", "2.00")),
        (SHARE, Side.BUY, "1000", TODAY, fees("5.00", "0", "0.01")),
        (SHARE, Side.BUY, "20000", TODAY, fees("5.00", "0", "0.20")),
        (SHARE, Side.BUY, "20020", TODAY, fees("5.01", "0", "0.20")),  # 5.005 rounds half up
        (SHARE, Side.BUY, "0", TODAY, fees()),
        (STAR_DR, Side.SELL, "100000", TODAY, fees("25.00", "50.00", "1.00")),
        (FUND, Side.BUY, "1000", TODAY, fees("0.25")),
        (FUND, Side.SELL, "100000", TODAY, fees("25.00")),
        (BOND, Side.SELL, "100000", TODAY, fees("25.00")),
    ],
)
def test_fees_of_an_order_by_instrument_side_and_date(instrument, side, amount, on, expected):
    assert order_fees(PUBLIC, instrument, side, D(amount), on) == expected


def test_an_account_has_its_own_rates():
    own = FeeSchedule(
        commission_rate=D("0.0001"),
        commission_minimum=D("1"),
        fund_commission_minimum=D("0.2"),
        stamp_duty_rate=D("0.002"),
        transfer_fee_rate=D("0.0001"),
        transfer_fee_exchanges=frozenset({"SH"}),
    )
    assert order_fees(own, SHARE, Side.SELL, D(100_000), TODAY) == fees("10.00", "200.00", "10.00")
    assert order_fees(own, SZ_SHARE, Side.BUY, D(100_000), TODAY) == fees("10.00")
    assert order_fees(own, SHARE, Side.BUY, D(100), TODAY) == fees("1.00", "0", "0.01")
    assert order_fees(own, FUND, Side.BUY, D(100), TODAY) == fees("0.20")


def test_a_rate_of_zero_is_a_rate_not_the_public_one():
    free = FeeSchedule(
        stamp_duty_rate=D(0), transfer_fee_rate=D(0), commission_rate=D(0), commission_minimum=D(0)
    )
    assert order_fees(free, SHARE, Side.SELL, D(100_000), date(2020, 1, 2)).total == 0


def test_a_negative_amount_is_refused():
    with pytest.raises(ValueError, match="-1"):
        order_fees(PUBLIC, SHARE, Side.BUY, D(-1), TODAY)


def test_the_minimum_is_paid_once_over_the_fills_of_an_order():
    first = fill_fees(PUBLIC, SHARE, Side.BUY, TODAY, D(0), D(1000))
    second = fill_fees(PUBLIC, SHARE, Side.BUY, TODAY, D(1000), D(1000))
    third = fill_fees(PUBLIC, SHARE, Side.BUY, TODAY, D(2000), D(38_000))
    assert [fill.commission for fill in (first, second, third)] == [D("5.00"), D(0), D("5.00")]


@pytest.mark.parametrize(
    ("instrument", "quantity", "price", "expected"),
    [
        (SHARE, 100, "10.00", "1005.11"),  # 1000 + 5.00 + 0.01 + 0.10
        (SHARE, 1000, "35.00", "35012.60"),  # 35000 + 8.75 + 0.35 + 3.50
        (FUND, 1000, "4.005", "4006.40"),  # 4005 + 1.00 + 0.4005
    ],
)
def test_a_buy_freezes_amount_fees_and_margin(instrument, quantity, price, expected):
    assert cash_needed(PUBLIC, instrument, quantity, D(price), TODAY) == D(expected)


amounts = st.lists(st.decimals(min_value="0.01", max_value=2_000_000, places=3), max_size=12)
instruments = st.sampled_from([SHARE, SZ_SHARE, STAR_DR, FUND, BOND])
dates = st.dates(date(2015, 8, 1), date(2027, 1, 1))


@given(amounts, instruments, st.sampled_from(Side), dates)
def test_the_fees_of_the_fills_are_the_fees_of_the_order(parts, instrument, side, on):
    booked, before = Fees(), D(0)
    for amount in parts:
        fill = fill_fees(PUBLIC, instrument, side, on, before, amount)
        assert min(fill.commission, fill.stamp_duty, fill.transfer_fee) >= 0
        booked, before = booked + fill, before + amount
    assert booked == order_fees(PUBLIC, instrument, side, before, on)
    assert all(
        fee == fee.quantize(D("0.01"))
        for fee in (booked.commission, booked.stamp_duty, booked.total)
    )


@given(instruments, st.integers(1, 10_000), st.integers(1, 500_000), dates)
def test_the_frozen_cash_covers_the_order(instrument, lots, ticks, on):
    quantity, price = lots * 100, ticks * D("0.01")
    needed = cash_needed(PUBLIC, instrument, quantity, price, on)
    amount = quantity * price
    assert needed >= amount + order_fees(PUBLIC, instrument, Side.BUY, amount, on).total
    assert needed == needed.quantize(D("0.01"))
