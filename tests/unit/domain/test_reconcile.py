"""Reconciliation: whose order, which fills are new, which answers can be believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.order_ids import client_order_id
from trading.domain.reconcile import (
    DifferenceKind,
    KnownOrder,
    clean,
    compare_positions,
    fill_key,
    new_fills,
)
from trading.domain.reports import (
    BrokerAsset,
    BrokerOrder,
    BrokerPosition,
    BrokerState,
    BrokerTrade,
    Snapshot,
)
from trading.domain.types import CHINA, Side, Symbol

pytestmark = [pytest.mark.fast, pytest.mark.orders]

BANK, LIQUOR = Symbol("600036.SH"), Symbol("600519.SH")
TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=CHINA)
REMARKS = [client_order_id(1, counter) for counter in range(4)]


def reported(number, remark="", **change):
    order = BrokerOrder(
        broker_order_id=number,
        symbol=BANK,
        side=Side.SELL,
        quantity=1000,
        price=Decimal("10.00"),
        state=BrokerState.REPORTED,
        traded_quantity=0,
        time=NOW,
        remark=remark,
    )
    return replace(order, **change)


def traded(traded_id="T1", **change):
    trade = BrokerTrade(
        traded_id=traded_id,
        broker_order_id=7,
        symbol=BANK,
        side=Side.SELL,
        quantity=100,
        price=Decimal("10.00"),
        time=NOW,
        sysid="S7",
        remark=REMARKS[0],
    )
    return replace(trade, **change)


# --- which fills are new ----------------------------------------------------------------------------------------


def test_a_fill_is_named_by_account_date_symbol_order_and_trade():
    assert fill_key("A", TODAY, traded()) == "A|20261123|600036.SH|S7|T1"
    assert fill_key("A", TODAY, traded(sysid="")) == "A|20261123|600036.SH|#7|T1"
    assert fill_key("A", TODAY, traded(sysid=""), {7: "S7"}) == fill_key("A", TODAY, traded())


@pytest.mark.parametrize("trade", [traded(""), traded(sysid="", broker_order_id=0)])
def test_a_fill_without_identity_is_ignored_until_a_query_brings_it(trade):
    assert fill_key("A", TODAY, trade) is None
    assert new_fills((), "A", TODAY, [trade]) == ()


@pytest.mark.parametrize(
    "other",
    [
        traded("T2"),
        traded(symbol=LIQUOR),
        traded(sysid="S8"),
        traded(sysid="", broker_order_id=8),
    ],
)
def test_two_fills_in_one_second_stay_two(other):
    assert len(new_fills((), "A", TODAY, [traded(), other])) == 2


def test_f018_a_fill_delivered_twice_is_booked_once():
    (fill,) = new_fills((), "A", TODAY, [traded(), traded(time=NOW + timedelta(seconds=1))])
    assert new_fills({fill.key}, "A", TODAY, [traded()]) == ()


@pytest.mark.parametrize("first", ["", "S7"])
@pytest.mark.parametrize("then", ["", "S7"])
def test_f018_a_fill_is_the_same_before_and_after_the_counter_has_numbered_its_order(first, then):
    numbers = {7: "S7"}
    (fill,) = new_fills((), "A", TODAY, [traded(sysid=first)])
    assert new_fills({fill.key}, "A", TODAY, [traded(sysid=then)], numbers) == ()
    both = new_fills((), "A", TODAY, [traded(sysid=first), traded(sysid=then)])
    assert len(both) == 1


def test_yesterdays_replay_is_not_booked_again():
    assert new_fills((), "A", TODAY, [traded(time=NOW - timedelta(days=1))]) == ()


def test_the_trade_date_is_the_one_in_china():
    late = datetime.fromisoformat("2026-11-23T01:00:00+00:00")
    evening = datetime.fromisoformat("2026-11-22T23:00:00-05:00")
    assert len(new_fills((), "A", TODAY, [traded("T1", time=late)])) == 1
    assert len(new_fills((), "A", TODAY, [traded("T2", time=evening)])) == 1


def test_an_empty_quantity_is_no_fill():
    assert new_fills((), "A", TODAY, [traded(quantity=0), traded("T2", quantity=-1)]) == ()


def test_f028_a_fill_of_unknown_side_is_kept_as_a_problem_and_not_called_a_sale():
    (fill,) = new_fills((), "A", TODAY, [traded(side=None)])
    assert fill.problem is not None
    assert fill.problem.zh


@pytest.mark.parametrize("price", [Decimal(0), Decimal(-1), Decimal("NaN")])
def test_f074_a_fill_without_a_price_is_kept_as_a_problem(price):
    (fill,) = new_fills((), "A", TODAY, [traded(price=price)])
    assert fill.problem is not None


def test_f019_f031_what_filled_is_the_sum_of_the_fills_of_one_order():
    trades = [traded(f"T{n}") for n in range(13)]
    fills = new_fills((), "A", TODAY, trades)
    assert sum(fill.trade.quantity for fill in fills) == 1300
    assert {fill.trade.broker_order_id for fill in fills} == {7}


trade_rows = st.builds(
    traded,
    st.sampled_from(["T1", "T2", "T3", ""]),
    broker_order_id=st.just(7),
    sysid=st.sampled_from(["", "S7"]),
    symbol=st.sampled_from([BANK, LIQUOR]),
    side=st.sampled_from([Side.BUY, Side.SELL, None]),
    time=st.sampled_from([NOW, NOW + timedelta(seconds=1), NOW - timedelta(days=1)]),
)


@given(st.lists(trade_rows, max_size=8), st.randoms(use_true_random=False))
def test_f018_duplication_by_24_and_reordering_book_the_same_fills(rows, chance):
    once = new_fills((), "A", TODAY, rows)
    storm = rows * 24
    chance.shuffle(storm)
    assert new_fills((), "A", TODAY, storm) == once
    keys = {fill.key for fill in once}
    assert len(keys) == len(once)
    assert new_fills(keys, "A", TODAY, storm) == ()


@given(st.lists(trade_rows, max_size=8), st.integers(0, 8))
def test_f020_fills_that_come_in_two_answers_add_up_to_the_same(rows, cut):
    first = new_fills((), "A", TODAY, rows[:cut])
    keys = {fill.key for fill in first}
    second = new_fills(keys, "A", TODAY, rows[cut:], {7: "S7"})
    whole = new_fills((), "A", TODAY, rows, {7: "S7"})
    assert len(first) + len(second) == len(whole)


# --- can this answer be believed --------------------------------------------------------------------------------

HOLDING = BrokerPosition(BANK, 1000, 1000)
ASSET = BrokerAsset(Decimal(50_000), Decimal(0), Decimal(10_000), Decimal(60_000))
PARTLY = reported(7, state=BrokerState.PARTIALLY_FILLED, traded_quantity=300)
CANCELLED = reported(8, state=BrokerState.CANCELLED)
SNAPSHOT = Snapshot(NOW, 1, True, ASSET, (HOLDING,), (PARTLY, CANCELLED), ())
KNOWN = [KnownOrder(7, 300, terminal=False), KnownOrder(8, 0, terminal=True)]


def test_a_complete_answer_with_every_known_order_is_clean():
    assert clean(KNOWN, SNAPSHOT) is None
    assert clean([], SNAPSHOT) is None


@pytest.mark.parametrize(
    "change",
    [
        {"account_ok": False},
        {"asset": None},
        {"positions": None},
        {"orders": None},
        {"trades": None},
        {"orders": ()},
        {"orders": (PARTLY,)},
        {"orders": (replace(PARTLY, traded_quantity=200), CANCELLED)},
        {"orders": (PARTLY, replace(CANCELLED, state=BrokerState.REPORTED))},
        {"asset": replace(ASSET, total=Decimal(0))},
    ],
    ids=str,
)
def test_f066_an_empty_shrunken_or_failed_answer_is_a_bad_query(change):
    reason = clean(KNOWN, replace(SNAPSHOT, **change))
    assert reason is not None
    assert reason.en
    assert reason.zh


def test_an_empty_account_may_answer_with_empty_lists():
    nothing = BrokerAsset(Decimal(0), Decimal(0), Decimal(0), Decimal(0))
    assert clean([], Snapshot(NOW, 1, True, nothing, (), (), ())) is None


# --- holdings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "rows", "kind"),
    [
        (1000, [], DifferenceKind.MISSING),
        (1000, [HOLDING], None),
        (1000, [replace(HOLDING, quantity=600)], DifferenceKind.LESS),
        (1000, [replace(HOLDING, quantity=0)], DifferenceKind.LESS),
        (0, [replace(HOLDING, quantity=0)], None),  # closed: the sold fills agree
        (0, [], None),
        (0, [HOLDING], DifferenceKind.MORE),
        (600, [HOLDING], DifferenceKind.MORE),
    ],
)
def test_f066_f067_f064_a_report_never_reduces_a_holding(expected, rows, kind):
    differences = compare_positions({BANK: expected}, rows)
    assert [difference.kind for difference in differences] == ([] if kind is None else [kind])
    assert all(difference.expected == expected for difference in differences)


def test_f067_half_a_list_is_half_a_list_of_missing_holdings():
    expected = {BANK: 1000, LIQUOR: 100}
    (difference,) = compare_positions(expected, [HOLDING])
    assert (difference.symbol, difference.kind) == (LIQUOR, DifferenceKind.MISSING)
    assert difference.reported is None
    assert difference.text.zh


def test_f081_a_holding_bought_at_the_terminal_shows_as_a_difference():
    (difference,) = compare_positions({}, [BrokerPosition(LIQUOR, 100, 0)])
    assert difference.kind is DifferenceKind.MORE
