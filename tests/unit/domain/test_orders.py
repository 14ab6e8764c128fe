"""The life of an order: every legal move, what reports and fills do, what a stale one does not do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.orders import (
    MOVES,
    OrderState,
    WorkingRef,
    can_move,
    contradiction,
    expires_at_outbox,
    remaining,
    state_after_fill,
    state_after_report,
    state_at_day_end,
)
from trading.domain.reports import BrokerOrder, BrokerState
from trading.domain.types import CHINA, Side, SignalKind, Symbol

pytestmark = [pytest.mark.fast, pytest.mark.orders]

S, B = OrderState, BrokerState
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=CHINA)
BANK = Symbol("600036.SH")

#: How far along a state is; a late fill may still move a cancel, nothing ever moves back.
RANK = {
    S.APPROVED: 0,
    S.SUBMITTING: 1,
    S.UNKNOWN: 2,
    S.SUBMITTED: 3,
    S.PARTIALLY_FILLED: 4,
    S.CANCEL_REQUESTED: 5,
    S.REJECTED: 6,
    S.ABSENT: 6,
    S.EXPIRED: 6,
    S.CANCELLED: 6,
    S.PARTIALLY_CANCELLED: 7,
    S.FILLED: 8,
}
LATE_FILLS = {
    (S.CANCELLED, S.PARTIALLY_CANCELLED),
    (S.CANCELLED, S.FILLED),
    (S.PARTIALLY_CANCELLED, S.FILLED),
}


#: What only the answer to its submit told of may turn out to be in doubt.
DOUBTS = {(S.SUBMITTED, S.UNKNOWN), (S.CANCEL_REQUESTED, S.UNKNOWN)}


def reported(state, traded=0, quantity=300):
    return BrokerOrder(
        broker_order_id=7,
        symbol=BANK,
        side=Side.SELL,
        quantity=quantity,
        price=Decimal("10.00"),
        state=state,
        traded_quantity=traded,
        time=NOW,
    )


@pytest.mark.parametrize("state", list(S))
def test_every_state_ends_works_or_both_is_wrong(state):
    assert state.terminal != state.working
    assert state in MOVES


def test_only_orders_the_broker_has_can_be_cancelled():
    assert {s for s in S if s.at_broker} == {
        S.SUBMITTED,
        S.PARTIALLY_FILLED,
        S.CANCEL_REQUESTED,
    }


def test_every_move_goes_forward_and_ends_change_only_by_late_fills():
    moves = {(old, new) for old in S for new in MOVES[old]}
    assert {(old, new) for old, new in moves if RANK[old] >= RANK[new]} == DOUBTS
    assert {(old, new) for old, new in moves if old.terminal} == LATE_FILLS
    assert can_move(S.APPROVED, S.SUBMITTING)
    assert not can_move(S.FILLED, S.SUBMITTED)


@pytest.mark.parametrize(
    ("state", "filled", "report", "expected"),
    [
        (S.SUBMITTING, 0, reported(B.UNREPORTED), S.SUBMITTED),
        (S.SUBMITTING, 0, reported(B.UNKNOWN), S.SUBMITTED),
        (S.SUBMITTING, 0, reported(B.REJECTED), S.REJECTED),
        (S.UNKNOWN, 0, reported(B.REPORTED), S.SUBMITTED),
        (S.UNKNOWN, 0, reported(B.CANCELLED), S.CANCELLED),
        (S.UNKNOWN, 100, reported(B.PARTIALLY_FILLED, 100), S.PARTIALLY_FILLED),
        (S.UNKNOWN, 300, reported(B.FILLED, 300), S.FILLED),
        (S.APPROVED, 0, reported(B.REPORTED), S.SUBMITTED),  # the last commit was lost
        (S.SUBMITTED, 0, reported(B.WAIT_REPORTING), S.SUBMITTED),
        (S.SUBMITTED, 0, reported(B.PARTIALLY_FILLED, 100), S.SUBMITTED),  # fill not booked yet
        (S.SUBMITTED, 0, reported(B.CANCEL_PENDING), S.SUBMITTED),  # somebody else's cancel
        (S.PARTIALLY_FILLED, 100, reported(B.REPORTED), S.PARTIALLY_FILLED),
        (S.PARTIALLY_FILLED, 100, reported(B.PARTIALLY_CANCELLED, 100), S.PARTIALLY_CANCELLED),
        (
            S.CANCEL_REQUESTED,
            0,
            reported(B.REPORTED),
            S.CANCEL_REQUESTED,
        ),  # the cancel was refused
        (S.CANCEL_REQUESTED, 0, reported(B.CANCELLED), S.CANCELLED),
        (S.CANCEL_REQUESTED, 0, reported(B.REJECTED), S.REJECTED),
        (S.CANCEL_REQUESTED, 100, reported(B.CANCELLED, 100), S.PARTIALLY_CANCELLED),
        (S.CANCEL_REQUESTED, 300, reported(B.FILLED, 300), S.FILLED),
        (S.FILLED, 300, reported(B.PARTIALLY_FILLED, 100), S.FILLED),
        (S.REJECTED, 0, reported(B.REPORTED), S.REJECTED),
        (S.ABSENT, 0, reported(B.REPORTED), S.ABSENT),
        (S.EXPIRED, 0, reported(B.CANCELLED), S.EXPIRED),
    ],
)
def test_a_report_moves_an_order(state, filled, report, expected):
    assert state_after_report(state, 300, filled, report) is expected


def test_f014_a_cancel_that_was_asked_for_is_not_a_cancel_that_happened():
    pending = reported(B.PARTIAL_CANCEL_PENDING, 100)
    assert state_after_report(S.CANCEL_REQUESTED, 300, 100, pending) is S.CANCEL_REQUESTED


@pytest.mark.parametrize(
    ("state", "filled", "report"),
    [
        (S.CANCEL_REQUESTED, 0, reported(B.PARTIALLY_CANCELLED, 100)),  # our fill is missing
        (S.CANCEL_REQUESTED, 200, reported(B.CANCELLED, 100)),  # the report is older than our fill
        (S.PARTIALLY_FILLED, 100, reported(B.FILLED, 300)),
        (S.PARTIALLY_FILLED, 100, reported(B.FILLED, 100)),  # traded lags behind the state
        (S.SUBMITTED, 0, reported(B.REJECTED, 100)),
    ],
)
def test_f031_a_terminal_report_waits_until_the_traded_quantity_equals_our_fills(
    state, filled, report
):
    assert state_after_report(state, 300, filled, report) is state


@pytest.mark.parametrize(
    ("state", "filled", "expected"),
    [
        (S.SUBMITTED, 0, S.SUBMITTED),
        (S.SUBMITTING, 100, S.PARTIALLY_FILLED),  # a fill may come before the answer
        (S.UNKNOWN, 100, S.PARTIALLY_FILLED),
        (S.SUBMITTED, 300, S.FILLED),
        (S.CANCEL_REQUESTED, 100, S.CANCEL_REQUESTED),
        (S.CANCEL_REQUESTED, 300, S.FILLED),
        (S.CANCELLED, 100, S.PARTIALLY_CANCELLED),
        (S.CANCELLED, 300, S.FILLED),
        (S.PARTIALLY_CANCELLED, 200, S.PARTIALLY_CANCELLED),
        (S.PARTIALLY_CANCELLED, 300, S.FILLED),
        (S.REJECTED, 100, S.REJECTED),
        (S.FILLED, 400, S.FILLED),
    ],
)
def test_a_fill_moves_an_order(state, filled, expected):
    assert state_after_fill(state, 300, filled) is expected


@pytest.mark.parametrize("traded", [100, 300])
def test_f017_what_a_report_says_was_traded_is_not_a_fill(traded):
    report = reported(B.FILLED, traded)
    assert state_after_report(S.SUBMITTED, 300, 0, report) is S.SUBMITTED


def test_f030_an_order_is_followed_until_its_last_share_is_filled():
    state = S.SUBMITTED
    for filled, expected in (
        (100, S.PARTIALLY_FILLED),
        (200, S.PARTIALLY_FILLED),
        (300, S.FILLED),
    ):
        state = state_after_fill(state, 300, filled)
        assert state is expected


def test_f020_a_rejection_is_an_end_and_not_a_fill():
    assert state_after_report(S.SUBMITTED, 300, 0, reported(B.REJECTED)) is S.REJECTED


def test_f025_an_unknown_order_keeps_promising_its_shares():
    unknown = WorkingRef("M1", BANK, Side.SELL, SignalKind.STOP_LOSS, S.UNKNOWN, 300, 100)
    assert S.UNKNOWN.working
    assert unknown.open_quantity == 200


@pytest.mark.parametrize(
    ("state", "filled", "expected"),
    [
        (S.SUBMITTED, 0, S.CANCELLED),
        (S.PARTIALLY_FILLED, 100, S.PARTIALLY_CANCELLED),
        (S.CANCEL_REQUESTED, 100, S.PARTIALLY_CANCELLED),
        (S.APPROVED, 0, S.EXPIRED),
        (S.UNKNOWN, 0, S.UNKNOWN),
        (S.SUBMITTING, 0, S.SUBMITTING),
        (S.FILLED, 300, S.FILLED),
    ],
)
def test_the_end_of_the_day_ends_what_rested_and_proves_nothing_about_the_unknown(
    state, filled, expected
):
    assert state_at_day_end(state, filled) is expected


@pytest.mark.parametrize(
    ("state", "report", "speaks"),
    [
        (S.ABSENT, reported(B.REPORTED), True),
        (S.EXPIRED, reported(B.FILLED, 300), True),
        (S.REJECTED, reported(B.FILLED, 300), True),
        (S.REJECTED, reported(B.WAIT_REPORTING), False),  # only stale
        (S.CANCELLED, reported(B.REPORTED), False),
    ],
)
def test_an_order_that_should_not_exist_is_said_aloud(state, report, speaks):
    text = contradiction(state, report)
    assert (text is not None) is speaks
    if text is not None:
        assert "600036.SH" in text.en
        assert "600036.SH" in text.zh


def test_an_order_waits_five_seconds_to_be_sent_and_an_exit_fifteen():
    assert expires_at_outbox(SignalKind.STOP_LOSS, NOW) == NOW + timedelta(seconds=15)
    assert expires_at_outbox(SignalKind.GRID, NOW) == NOW + timedelta(seconds=5)


def test_f029_what_remains_is_what_was_not_filled():
    assert remaining(1000, 300) == 700
    assert remaining(1000, 1100) == 0


def test_reserved_cash_follows_the_unfilled_part_and_ends_with_the_order():
    buy = WorkingRef(
        "M1", BANK, Side.BUY, SignalKind.GRID, S.SUBMITTED, 300, 0, Decimal(10), Decimal("3005.33")
    )
    assert buy.open_cash == Decimal("3005.33")
    assert replace(buy, filled=100).open_cash == Decimal("2003.56")
    assert replace(buy, filled=300).open_cash == 0
    assert replace(buy, state=S.REJECTED).open_cash == 0


broker_orders = st.builds(
    reported, st.sampled_from(list(B)), st.sampled_from([0, 100, 200, 300, 400])
)
steps = st.lists(st.one_of(broker_orders, st.sampled_from([100, 200])), max_size=24)


@given(st.sampled_from(list(S)), steps)
def test_no_sequence_of_reports_and_fills_moves_an_order_back(start, sequence):
    state, filled = start, 0
    for step in sequence:
        before = state
        if isinstance(step, int):
            filled = min(filled + step, 300)
            state = state_after_fill(state, 300, filled)
        else:
            state = state_after_report(state, 300, filled, step)
        if state is not before:
            assert can_move(before, state)
            assert RANK[state] > RANK[before]
            if before.terminal:
                assert (before, state) in LATE_FILLS
                assert filled > 0


@given(st.sampled_from(list(S)), broker_orders, st.sampled_from([0, 100, 200, 300]))
def test_a_doubled_report_changes_nothing_more(state, report, filled):
    once = state_after_report(state, 300, filled, report)
    assert state_after_report(once, 300, filled, report) is once


LIFE = [
    reported(B.UNREPORTED),
    reported(B.REPORTED),
    reported(B.PARTIALLY_FILLED, 100),
    reported(B.PARTIAL_CANCEL_PENDING, 100),
    reported(B.PARTIALLY_CANCELLED, 100),
]


@given(st.permutations(LIFE * 2))
def test_any_order_of_delivery_ends_the_same(reports):
    state = state_after_fill(S.SUBMITTING, 300, 100)
    for report in reports:
        state = state_after_report(state, 300, 100, report)
    assert state is S.PARTIALLY_CANCELLED
