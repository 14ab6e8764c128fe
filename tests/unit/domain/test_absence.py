"""Absence is proven by time, two clean queries and nothing that speaks for the order; or it is not proven."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.test_binding import BANK, LIQUOR, NOW, REMARKS, lost, reported
from trading.domain.absence import Missed, counts, proven, speaks_for, swallowed
from trading.domain.reports import (
    BrokerAsset,
    BrokerPosition,
    BrokerState,
    BrokerTrade,
    Snapshot,
)
from trading.domain.types import Side

pytestmark = [pytest.mark.fast, pytest.mark.orders]


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def missed(asked, first=None, *, listed=True, unchanged=False):
    return Missed(NOW, at(asked), None if first is None else at(first), listed, unchanged)


@pytest.mark.parametrize(
    ("facts", "it_counts", "is_proof"),
    [
        (missed(0), False, False),
        (missed(59), False, False),
        (missed(59, 0), False, False),  # a young order that is not shown is no news (R4)
        (missed(60), True, False),  # the first query that counts
        (missed(69, 60), True, False),
        (missed(70, 60), True, True),
        (missed(3600), True, False),  # however late: one query is one query
        # No order is shown at all today: no list can prove to be whole (R6).
        (missed(119, listed=False, unchanged=True), False, False),
        (missed(120, listed=False, unchanged=True), True, False),
        (missed(130, 120, listed=False, unchanged=True), True, True),
        (missed(130, 120, listed=False, unchanged=False), False, False),
        (missed(3600, 120, listed=False, unchanged=False), False, False),
    ],
    ids=str,
)
def test_two_clean_queries_ten_seconds_apart_after_a_minute_prove_absence(
    facts, it_counts, is_proof
):
    assert (counts(facts) is None) is it_counts
    assert (proven(facts) is None) is is_proof


@given(st.integers(0, 300), st.integers(0, 300) | st.none(), st.booleans(), st.booleans())
def test_no_proof_is_ever_younger_than_a_minute_nor_from_one_query(asked, first, listed, same):
    if proven(missed(asked, first, listed=listed, unchanged=same)) is None:
        assert asked >= (60 if listed else 120)
        assert first is not None
        assert asked - first >= 10
        assert listed or same


ASSET = BrokerAsset(Decimal(100_000), Decimal(0), Decimal(10_000), Decimal(110_000))
CLEAN = Snapshot(NOW, 1, True, ASSET, (BrokerPosition(BANK, 1000, 1000),), (), ())
BUY = lost(0, side=Side.BUY)


def trade(**change):
    made = BrokerTrade("T1", 7, BANK, Side.SELL, 100, Decimal("10.00"), NOW)
    return replace(made, **change)


def holding(quantity, sellable):
    return (BrokerPosition(BANK, quantity, sellable),)


@pytest.mark.parametrize(
    ("change", "speaks"),
    [
        ({}, False),
        ({"orders": (reported(7),)}, True),
        ({"orders": (reported(7, "by hand"),)}, True),  # whatever its remark
        ({"orders": (reported(7, side=None),)}, True),
        ({"orders": (reported(9),)}, False),  # another order of ours
        ({"orders": (reported(7, symbol=LIQUOR),)}, False),
        ({"trades": (trade(),)}, True),
        ({"trades": (trade(side=None),)}, True),
        ({"trades": (trade(time=at(-6)),)}, False),
        ({"trades": (trade(side=Side.BUY),)}, False),
        ({"trades": (trade(broker_order_id=9),)}, False),
        ({"orders": (reported(7, price=Decimal("9.00")),), "trades": (trade(),)}, False),
        ({"positions": holding(1000, 0)}, True),
        ({"positions": holding(1000, 900)}, True),  # a share that is missing must be explained
        ({"positions": ()}, True),  # what is not shown cannot be seen to be free
        ({"positions": holding(0, 0)}, False),
        (
            {
                "positions": holding(1000, 700),
                "orders": (reported(7, quantity=300, price=Decimal(11)),),
            },
            False,
        ),
        (
            {
                "positions": holding(1000, 700),
                "orders": (
                    reported(7, quantity=300, price=Decimal(11), state=BrokerState.CANCELLED),
                ),
            },
            True,
        ),
    ],
    ids=str,
)
def test_what_speaks_for_an_unknown_sale(change, speaks):
    said = speaks_for(lost(0), replace(CLEAN, **change), {9}, locked=0)
    assert (said is not None) is speaks


def test_shares_that_t1_keeps_do_not_speak_for_a_sale():
    bought_today = replace(CLEAN, positions=holding(1000, 600))
    assert speaks_for(lost(0), bought_today, (), locked=400) is None
    assert speaks_for(lost(0), bought_today, (), locked=0) is not None


@pytest.mark.parametrize(
    ("frozen", "shown", "speaks"),
    [
        ("0", 0, False),
        ("9999.99", 0, False),  # less than the order would freeze: it is not this order
        ("10000", 0, True),
        ("10006.35", 0, True),
        ("10006.35", 1000, False),  # another buy that is shown freezes it
        ("20012.70", 1000, True),
    ],
)
def test_cash_that_no_order_explains_speaks_for_an_unknown_buy(frozen, shown, speaks):
    other = (
        (reported(8, quantity=shown, price=Decimal("10.00"), side=Side.BUY, symbol=LIQUOR),)
        if shown
        else ()
    )
    snapshot = replace(CLEAN, asset=replace(ASSET, frozen_cash=Decimal(frozen)), orders=other)
    assert (speaks_for(BUY, snapshot, (), locked=0) is not None) is speaks


@pytest.mark.parametrize(
    ("asked", "shown", "doubted"),
    [
        (59, (), False),  # only late (R4)
        (60, (), True),
        (600, (), True),
        (60, (reported(7),), False),
        (60, (reported(8),), True),
        (60, (reported(8, REMARKS[0]),), False),  # shown under another number
    ],
)
@pytest.mark.parametrize("lag", [0, 6])
def test_an_answer_alone_is_doubted_when_a_list_a_minute_later_does_not_show_the_order(
    asked, shown, doubted, lag
):
    order = replace(lost(0), broker_order_id=7, submitted_at=NOW)
    late = replace(CLEAN, taken_at=at(asked + lag), lag=timedelta(seconds=lag), orders=shown)
    assert swallowed(order, late) is doubted
