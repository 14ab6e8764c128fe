"""Binding: which of the broker's orders is which of ours, and what nobody can say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.binding import LocalOrder, bind, looks_like, order_of_answer
from trading.domain.order_ids import client_order_id
from trading.domain.orders import OrderState
from trading.domain.reports import BrokerOrder, BrokerState
from trading.domain.types import CHINA, Side, Symbol

pytestmark = [pytest.mark.fast, pytest.mark.orders]

BANK, LIQUOR = Symbol("600036.SH"), Symbol("600519.SH")
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=CHINA)
REMARKS = [client_order_id(1, counter) for counter in range(6)]


def local(number, **change):
    order = LocalOrder(
        id=number,
        client_order_id=REMARKS[number],
        symbol=BANK,
        side=Side.SELL,
        quantity=1000,
        price=Decimal("10.00"),
        state=OrderState.SUBMITTING,
        filled=0,
        broker_order_id=None,
        seq=None,
        submitted_at=NOW,
        epoch=1,
    )
    return replace(order, **change)


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


@pytest.mark.parametrize(
    ("order", "report"),
    [
        (local(0, broker_order_id=7), reported(7)),
        (local(0), reported(7, REMARKS[0])),
        (local(0), reported(7, REMARKS[0][:8])),  # cut by the terminal
        (local(0), reported(7, REMARKS[0] + ".ex")),
        (local(0), reported(7, REMARKS[0], side=None)),  # an unknown side is no contradiction
        (local(0, broker_order_id=7), reported(7, "rewritten")),
    ],
)
def test_a_report_is_bound_by_number_by_remark_or_by_its_beginning(order, report):
    binding = bind([order, local(1)], [report])
    assert binding.bound == {0: report}
    assert not (binding.foreign)
    assert not (binding.ambiguous)
    assert not (binding.orphans)
    assert not (binding.doubled)


def test_f003_a_short_remark_or_an_equal_price_binds_nothing():
    report = reported(7, REMARKS[0][:7])
    binding = bind([local(0)], [report])
    assert binding.bound == {}
    assert binding.foreign == (report,)


def test_f003_of_two_candidates_none_is_taken():
    report = reported(7, REMARKS[0])
    binding = bind([local(0), local(1, client_order_id=REMARKS[0])], [report])
    assert binding.bound == {}
    assert binding.ambiguous == (report,)


def test_f011_a_broker_number_that_returns_for_another_symbol_is_another_order():
    report = reported(7, symbol=LIQUOR)
    assert bind([local(0, broker_order_id=7)], [report]).foreign == (report,)


def test_f028_a_buy_is_never_bound_to_our_sale():
    report = reported(7, REMARKS[0], side=Side.BUY)
    assert bind([local(0)], [report]).orphans == (report,)


def test_f081_an_order_placed_at_the_terminal_is_foreign():
    report = reported(9, "", side=Side.BUY, symbol=LIQUOR)
    assert bind([local(0)], [report]).foreign == (report,)


def test_f026_an_order_our_books_lost_is_named_an_orphan():
    report = reported(9, REMARKS[3])
    assert bind([local(0)], [report]).orphans == (report,)


def test_a_second_broker_order_of_one_of_ours_is_named():
    first, second = reported(7, REMARKS[0]), reported(8, REMARKS[0])
    binding = bind([local(0)], [second, first])
    assert binding.bound == {0: first}
    assert binding.doubled == ((0, second),)


def test_of_repeated_reports_of_one_order_the_most_advanced_counts():
    early = reported(7, REMARKS[0])
    late = reported(7, REMARKS[0], state=BrokerState.PARTIALLY_FILLED, traded_quantity=300)
    assert bind([local(0)], [late, early]).bound == {0: late}


def test_f034_two_orders_of_one_symbol_are_both_kept():
    reports = [reported(7, REMARKS[0]), reported(8, REMARKS[1])]
    assert set(bind([local(0), local(1)], reports).bound) == {0, 1}


ORDERS = [local(0, broker_order_id=70), local(1), local(2)]
REPORTS = [
    reported(70, REMARKS[0]),
    reported(71, REMARKS[1]),
    reported(72, REMARKS[2][:9]),
    reported(73, "manual"),
    reported(74, REMARKS[3]),
]


@given(st.permutations(ORDERS), st.permutations(REPORTS * 2))
def test_the_binding_does_not_depend_on_the_order_of_the_answer(orders, reports):
    binding = bind(orders, reports)
    assert binding == bind(ORDERS, REPORTS)
    assert set(binding.bound) == {0, 1, 2}


# --- by the seq of an answer ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, True),
        ({"state": OrderState.UNKNOWN}, True),
        ({"state": OrderState.FILLED}, False),  # it has its answer
        ({"connection": 2}, False),  # the numbers of another connection begin at 1 again
        ({"epoch": 4}, False),
        ({"seq": 8}, False),
    ],
)
def test_f004_an_answer_without_a_remark_names_the_order_in_doubt_with_its_seq_of_this_connection(
    change, found
):
    order = local(0, **{"seq": 7, "epoch": 3, "connection": 1} | change)
    assert order_of_answer([order, local(1)], "", 7, 3, 1) == (order if found else None)


def test_f004_the_remark_of_an_answer_wins_over_its_seq():
    named, numbered = local(0), local(1, seq=7, epoch=3, connection=1)
    assert order_of_answer([numbered, named], REMARKS[0], 7, 3, 1) == named


#: When better evidence has had its time.
LATER = NOW + timedelta(seconds=61)

# --- by likeness ------------------------------------------------------------------------------------------------


def lost(number, **change):
    """An order of ours whose outcome is unknown."""
    about = {"state": OrderState.UNKNOWN, "sent_at": NOW, "tick": Decimal("0.01")}
    return local(number, submitted_at=None, **about | change)


@pytest.mark.parametrize(
    ("change", "like"),
    [
        ({}, True),
        ({"price": Decimal("10.01")}, True),
        ({"price": Decimal("9.99")}, True),
        ({"price": Decimal("10.02")}, False),
        ({"quantity": 900}, False),
        ({"symbol": LIQUOR}, False),
        ({"side": Side.BUY}, False),
        ({"time": NOW - timedelta(seconds=5)}, True),
        ({"time": NOW - timedelta(seconds=6)}, False),
        ({"time": NOW + timedelta(seconds=60)}, True),
        ({"time": NOW + timedelta(seconds=61)}, False),
        ({"state": BrokerState.CANCELLED}, True),
    ],
    ids=str,
)
def test_f003_symbol_side_volume_price_and_time_bind_an_unknown_order_weakly(change, like):
    report = reported(7, **change)
    binding = bind([lost(0)], [report], complete_at=LATER)
    assert looks_like(report, lost(0)) is like
    assert binding.bound == ({0: report} if like else {})
    assert binding.weak == ({0} if like else set())
    assert binding.foreign == (() if like else (report,))


@pytest.mark.parametrize(
    ("remark", "bound"),
    [("", True), (REMARKS[0][:7], True), ("M", True), ("by hand", False), (REMARKS[1][:7], False)],
)
def test_f003_a_remark_of_somebody_else_is_never_bound_by_likeness(remark, bound):
    assert bool(bind([lost(0)], [reported(7, remark)], complete_at=LATER).bound) is bound


@pytest.mark.parametrize("state", [OrderState.SUBMITTING, OrderState.SUBMITTED, OrderState.ABSENT])
def test_only_an_unknown_order_is_sought_by_likeness(state):
    assert bind([lost(0, state=state)], [reported(7)], complete_at=LATER).bound == {}


def test_a_push_binds_nothing_by_likeness_for_it_does_not_show_the_other_candidates():
    assert bind([lost(0)], [reported(7)]).bound == {}


def test_a_side_nobody_knows_binds_nothing_by_likeness_and_speaks_against_absence():
    report = reported(7, side=None)
    assert bind([lost(0)], [report], complete_at=LATER).bound == {}
    assert looks_like(report, lost(0))


def test_f003_of_two_alike_at_the_broker_nobody_is_bound_and_a_person_decides():
    reports = (reported(7), reported(8))
    binding = bind([lost(0)], reports, complete_at=LATER)
    assert (dict(binding.bound), binding.ambiguous, binding.foreign) == ({}, reports, ())


def test_f003_of_two_unknown_orders_alike_nobody_is_bound():
    binding = bind([lost(0), lost(1)], [reported(7)], complete_at=LATER)
    assert (dict(binding.bound), binding.ambiguous) == ({}, (reported(7),))


def test_one_that_its_remark_names_is_no_candidate_for_another():
    named, alike = reported(7, REMARKS[0][:9]), reported(8)
    binding = bind([lost(0), lost(1)], [alike, named], complete_at=LATER)
    assert (dict(binding.bound), binding.weak) == ({0: named, 1: alike}, frozenset({1}))


def test_f003_where_our_remarks_come_back_whole_a_row_without_one_is_a_persons():
    whole, alike = reported(7, REMARKS[0]), reported(8)
    binding = bind([lost(0), lost(1)], [alike, whole], complete_at=LATER)
    assert (dict(binding.bound), binding.foreign) == ({0: whole}, (alike,))


@pytest.mark.parametrize(
    ("seconds", "early"), [(-2, True), (0, True), (20, True), (60, True), (60.1, False)]
)
def test_f003_what_may_still_come_is_not_taken_for_what_looks_like_it(seconds, early):
    report = reported(7)
    at = NOW + timedelta(seconds=seconds)
    binding = bind([lost(0)], [report], complete_at=at)
    assert binding.early == ((report,) if early else ())
    assert binding.bound == ({} if early else {0: report})
    assert binding.foreign == binding.ambiguous == ()


def test_a_remark_that_contradicts_a_weak_binding_is_for_a_person():
    order = lost(0, state=OrderState.SUBMITTED, broker_order_id=7, weak=True)
    taken, named = reported(7), reported(8, REMARKS[0])
    for reports in ([taken, named], [named]):
        binding = bind([order], reports, complete_at=LATER)
        assert binding.ambiguous == (named,)
        assert binding.doubled == ()


# --- for any list -----------------------------------------------------------------------------------------------

SOME_ORDERS = st.lists(
    st.builds(
        lost,
        st.integers(0, 5),
        price=st.sampled_from([Decimal("10.00"), Decimal("10.01"), Decimal("10.05")]),
        quantity=st.sampled_from([100, 1000]),
        state=st.sampled_from([OrderState.UNKNOWN, OrderState.SUBMITTING, OrderState.SUBMITTED]),
        broker_order_id=st.sampled_from([None, None, 70, 71]),
    ),
    max_size=5,
    unique_by=(lambda order: order.id,),
)
SOME_REPORTS = st.lists(
    st.builds(
        reported,
        st.integers(70, 76),
        st.sampled_from(["", REMARKS[0], REMARKS[1], REMARKS[2][:8], REMARKS[3][:7], "by hand"]),
        price=st.sampled_from([Decimal("10.00"), Decimal("10.01")]),
        quantity=st.sampled_from([100, 1000]),
        traded_quantity=st.sampled_from([0, 100]),
    ),
    max_size=7,
)


@given(
    SOME_ORDERS,
    SOME_REPORTS,
    st.randoms(use_true_random=False),
    st.sampled_from([None, NOW, LATER]),
)
def test_no_order_of_the_answer_changes_the_binding(orders, reports, chance, complete_at):
    expected = bind(orders, reports, complete_at=complete_at)
    chance.shuffle(orders)
    chance.shuffle(reports)
    assert bind(orders, reports, complete_at=complete_at) == expected


@given(SOME_ORDERS, SOME_REPORTS, st.sampled_from([NOW, LATER]))
def test_every_report_is_exactly_one_thing(orders, reports, complete_at):
    binding = bind(orders, reports, complete_at=complete_at)
    said = [
        *(report.broker_order_id for report in binding.bound.values()),
        *(report.broker_order_id for _, report in binding.doubled),
    ]
    for group in (binding.foreign, binding.ambiguous, binding.early, binding.orphans):
        said += [report.broker_order_id for report in group]
    assert sorted(said) == sorted({report.broker_order_id for report in reports})


@given(SOME_ORDERS, SOME_REPORTS)
def test_one_pass_finds_all_there_is_and_the_second_changes_nothing(orders, reports):
    first = bind(orders, reports, complete_at=LATER)
    numbered = [
        replace(
            order,
            broker_order_id=first.bound[order.id].broker_order_id,
            weak=order.weak or order.id in first.weak,
            state=OrderState.SUBMITTED,
        )
        if order.id in first.bound and order.broker_order_id is None
        else order
        for order in orders
    ]
    second = bind(numbered, reports, complete_at=LATER)
    assert second.bound == first.bound
    assert second.weak == frozenset()
    assert second.ambiguous == first.ambiguous
    assert (second.foreign, second.orphans, second.doubled) == (
        first.foreign,
        first.orphans,
        first.doubled,
    )
