"""The books of a day against the terminal: exact to the last digit, and every difference named."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.books import BookedFill, Item, OurBooks, compare_books
from trading.domain.reports import BrokerAsset, BrokerPosition, BrokerTrade, Snapshot
from trading.domain.types import CHINA, Side, Symbol

pytestmark = [pytest.mark.fast, pytest.mark.orders]

BANK, LIQUOR = Symbol("600036.SH"), Symbol("600519.SH")
TODAY = date(2026, 11, 23)
CLOSE = datetime(2026, 11, 23, 15, 35, tzinfo=CHINA)

SOLD = BookedFill("T1", 7, BANK, Side.SELL, 1000, Decimal("9.20"), Decimal("9.69"), TODAY)
BOUGHT = BookedFill("T2", 8, LIQUOR, Side.BUY, 100, Decimal("15.10"), Decimal("5.02"), TODAY)
#: 100,000 + 9,200 − 9.69 − 1,510 − 5.02
CASH = Decimal("107675.29")
OURS = OurBooks(TODAY, Decimal("100000"), (SOLD, BOUGHT), {LIQUOR: 100})


def trade(fill, **change):
    at = datetime.combine(fill.on, CLOSE.time(), CHINA) - timedelta(hours=2)
    made = BrokerTrade(
        fill.traded_id, fill.broker_order_id, fill.symbol, fill.side, fill.quantity, fill.price, at
    )
    return replace(made, **change)


def theirs(cash=CASH, frozen="0", positions=((LIQUOR, 100),), trades=None):
    asset = BrokerAsset(Decimal(cash), Decimal(frozen), Decimal(0), Decimal(cash))
    rows = tuple(BrokerPosition(symbol, quantity, quantity) for symbol, quantity in positions)
    shown = (trade(SOLD), trade(BOUGHT)) if trades is None else tuple(trades)
    return Snapshot(CLOSE, 1, True, asset, rows, (), shown)


def found(ours, snapshot):
    return [(one.item, one.ours, one.theirs) for one in compare_books(ours, snapshot)]


def test_books_that_agree_to_the_cent_have_no_difference():
    assert OURS.expected_cash == CASH
    assert found(OURS, theirs()) == []


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        (theirs(cash="107675.30"), [(Item.CASH, "107675.29", "107675.30")]),
        (theirs(cash="107670.29"), [(Item.CASH, "107675.29", "107670.29")]),
        (theirs(cash="100000.29", frozen="7675.00"), []),  # frozen cash is ours too
        (theirs(positions=()), [(Item.HOLDING, "100", "-")]),
        (theirs(positions=((LIQUOR, 200),)), [(Item.HOLDING, "100", "200")]),
        (theirs(positions=((LIQUOR, 100), (BANK, 0))), []),  # a row of what was sold out today
        (theirs(positions=((LIQUOR, 100), (BANK, 50))), [(Item.HOLDING, "0", "50")]),
        (theirs(trades=[trade(SOLD)]), [(Item.FILL, "1", "0")]),
        (
            theirs(trades=[trade(SOLD), trade(BOUGHT), trade(BOUGHT, traded_id="T3")]),
            [(Item.FILL, "0", "1")],
        ),
        (
            theirs(trades=[trade(SOLD), trade(BOUGHT, price=Decimal("15.11"))]),
            [(Item.FILL, "1", "0"), (Item.FILL, "0", "1")],
        ),
        # A replay of yesterday's fills is not news.
        (
            theirs(
                trades=[trade(SOLD), trade(BOUGHT), trade(replace(SOLD, on=date(2026, 11, 20)))]
            ),
            [],
        ),
    ],
    ids=str,
)
def test_every_difference_is_named_with_both_values(snapshot, expected):
    assert found(OURS, snapshot) == expected
    assert all(one.text.en and one.text.zh for one in compare_books(OURS, snapshot))


@pytest.mark.parametrize(
    ("stated", "cash", "items"),
    [
        ((Decimal("9.69"), Decimal("5.02")), CASH, []),
        ((Decimal("0"), Decimal("0")), "107670", [Item.CASH]),  # it states no fees
        ((Decimal("10.69"), Decimal("5.02")), "107674.29", [Item.CASH, Item.FEES]),
        ((Decimal("9.00"), Decimal("5.00")), CASH, []),  # cash agrees: it only states a part
    ],
)
def test_fees_are_named_where_the_cash_differs_and_the_terminal_states_them(stated, cash, items):
    sold, bought = stated
    trades = [trade(SOLD, commission=sold), trade(BOUGHT, commission=bought)]
    assert [item for item, _, _ in found(OURS, theirs(cash=cash, trades=trades))] == items


def test_the_very_first_books_cannot_say_what_the_cash_should_be():
    assert found(replace(OURS, opening_cash=None), theirs(cash="1")) == []


def test_fills_of_the_days_since_the_last_books_and_dividends_count_for_the_cash():
    before = replace(SOLD, traded_id="T0", on=date(2026, 11, 20))
    ours = replace(OURS, fills=(before, *OURS.fills), dividends=Decimal("12.34"))
    assert ours.expected_cash == CASH + Decimal("9190.31") + Decimal("12.34")
    assert found(ours, theirs(cash=ours.expected_cash)) == []


def test_an_order_nobody_knows_the_outcome_of_keeps_the_books_open():
    [(item, _, _)] = found(replace(OURS, unknown_orders=("M0000001",)), theirs())
    assert item is Item.ORDER


PRICES = st.integers(1, 500_000).map(lambda cents: Decimal(cents) / 100)
FILLS = st.lists(
    st.builds(
        BookedFill,
        st.uuids().map(str),
        st.just(7),
        st.sampled_from([BANK, LIQUOR]),
        st.sampled_from(list(Side)),
        st.integers(1, 100_000),
        PRICES,
        PRICES,
        st.just(TODAY),
    ),
    max_size=8,
)


@given(FILLS, PRICES, st.integers(-1, 1))
def test_a_cent_is_always_seen_and_nothing_else(fills, opening, cents):
    ours = OurBooks(TODAY, opening, tuple(fills), {})
    cash = (ours.expected_cash or Decimal(0)) + Decimal(cents) / 100
    snapshot = theirs(cash=cash, positions=(), trades=[trade(fill) for fill in fills])
    assert [item for item, _, _ in found(ours, snapshot)] == ([Item.CASH] if cents else [])
