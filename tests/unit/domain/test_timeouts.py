"""Timeouts, cancels and re-orders: who is cancelled when, and what is sent again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from trading.domain.calendar import MarketPhase
from trading.domain.orders import OrderState
from trading.domain.timeouts import (
    DueAction,
    EndedOrder,
    OrderRules,
    ReorderDecision,
    WorkingOrder,
    due_action,
    order_timeout,
    reorder_after,
)
from trading.domain.types import CHINA, Side, SignalKind, Symbol

pytestmark = [pytest.mark.fast, pytest.mark.orders]

K, S = SignalKind, OrderState
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=CHINA)
RULES = OrderRules()
STOP = WorkingOrder(
    client_order_id="M1",
    symbol=Symbol("600036.SH"),
    side=Side.SELL,
    kind=K.STOP_LOSS,
    state=S.SUBMITTED,
    quantity=1000,
    filled=0,
    price=Decimal("9.25"),
    submitted_at=NOW - timedelta(seconds=30),
    limit_down=Decimal("9.00"),
    continuous_seconds=Decimal(30),
)
ENDED = EndedOrder(K.STOP_LOSS, S.PARTIALLY_CANCELLED, 1000, 300, attempt=0, confirmed=True)


def due(order, phase=MarketPhase.MORNING, rules=RULES, now=NOW):
    return due_action(order, rules, phase, now)


@pytest.mark.parametrize(
    ("kind", "side", "seconds"),
    [
        (K.STOP_LOSS, Side.SELL, 30),
        (K.FIRST_TAKE_PROFIT, Side.SELL, 300),
        (K.TRAILING_TAKE_PROFIT, Side.SELL, 300),
        (K.GRID, Side.SELL, 90),
        (K.GRID, Side.BUY, 90),
        (K.MANUAL, Side.BUY, 60),
        (K.ADD_ON, Side.BUY, 60),
        (K.MANUAL, Side.SELL, 30),
    ],
)
def test_f023_every_kind_has_its_own_timeout(kind, side, seconds):
    assert order_timeout(kind, side, RULES) == seconds
    order = replace(STOP, kind=kind, side=side)
    reached = replace(order, continuous_seconds=Decimal(seconds))
    before = replace(order, continuous_seconds=Decimal(seconds) - Decimal("0.001"))
    assert due(reached) is DueAction.CANCEL
    assert due(before) is DueAction.NONE


def test_f027_a_grid_order_does_not_rest_for_hours():
    grid = replace(STOP, kind=K.GRID, side=Side.BUY, continuous_seconds=Decimal(90))
    assert due(grid) is DueAction.CANCEL


def test_take_profits_may_share_the_timeout_of_other_sales():
    rules = replace(RULES, take_profit_order_timeout=None)
    assert order_timeout(K.FIRST_TAKE_PROFIT, Side.SELL, rules) == 30


def test_the_sell_monitor_can_be_switched_off_for_sales_alone():
    rules = replace(RULES, sell_monitor_enabled=False)
    assert order_timeout(K.STOP_LOSS, Side.SELL, rules) is None
    assert due(STOP, rules=rules) is DueAction.NONE
    assert order_timeout(K.MANUAL, Side.BUY, rules) == 60
    assert order_timeout(K.GRID, Side.SELL, rules) == 90


@pytest.mark.parametrize("phase", list(MarketPhase))
def test_nothing_is_cancelled_outside_continuous_trading(phase):
    expected = DueAction.CANCEL if phase.continuous else DueAction.NONE
    assert due(STOP, phase) is expected
    assert due(replace(STOP, state=S.CANCEL_REQUESTED), phase) is expected


@pytest.mark.parametrize("phase", list(MarketPhase))
def test_a_person_may_cancel_whenever_the_exchange_takes_cancels(phase):
    order = replace(STOP, state=S.CANCEL_REQUESTED, cancelled_by_person=True)
    assert (due(order, phase) is DueAction.CANCEL) is (phase.continuous or phase.accepts_cancels)


def test_a_sale_at_the_limit_down_keeps_its_place_in_the_queue():
    assert due(replace(STOP, price=Decimal("9.00"))) is DueAction.NONE
    assert due(replace(STOP, price=Decimal("9.01"))) is DueAction.CANCEL
    assert due(replace(STOP, price=Decimal("9.00"), limit_down=None)) is DueAction.CANCEL
    buy = replace(STOP, kind=K.ADD_ON, side=Side.BUY, continuous_seconds=Decimal(60))
    assert due(replace(buy, price=Decimal("9.00"))) is DueAction.CANCEL


@pytest.mark.parametrize(
    ("tries", "seconds_ago", "expected"),
    [
        (0, None, DueAction.CANCEL),
        (1, "2.4", DueAction.NONE),
        (1, "2.5", DueAction.CANCEL),
        (2, "10", DueAction.CANCEL),
        (3, "2.4", DueAction.NONE),
        (3, "2.5", DueAction.ALERT),
        (3, "59.9", DueAction.ALERT),
        (3, "60", DueAction.CANCEL),
        (40, "59.9", DueAction.ALERT),
        (40, "60", DueAction.CANCEL),
    ],
)
def test_a_refused_cancel_is_tried_three_times_then_a_person_is_called_and_it_is_tried_each_minute(
    tries, seconds_ago, expected
):
    last = None
    if seconds_ago is not None:
        last = NOW - timedelta(milliseconds=int(Decimal(seconds_ago) * 1000))
    order = replace(STOP, state=S.CANCEL_REQUESTED, cancel_tries=tries, last_cancel_at=last)
    assert due(order) is expected


@pytest.mark.parametrize("state", [s for s in S if not s.at_broker])
def test_f025_an_order_that_is_not_known_to_be_at_the_broker_is_never_cancelled_by_time(state):
    assert due(replace(STOP, state=state)) is DueAction.NONE


def test_f010_an_order_that_has_filled_is_not_cancelled():
    assert due(replace(STOP, state=S.CANCEL_REQUESTED, filled=1000)) is DueAction.NONE


def test_f029_only_the_unfilled_remainder_is_ordered_again():
    assert reorder_after(ENDED, RULES) == ReorderDecision(quantity=700, attempt=1)


def test_f013_a_re_order_is_a_new_attempt_of_its_own():
    first = reorder_after(ENDED, RULES)
    assert first is not None
    second = reorder_after(replace(ENDED, quantity=700, filled=0, attempt=first.attempt), RULES)
    assert second is not None
    assert (first.attempt, second.attempt) == (1, 2)


@pytest.mark.parametrize("state", [s for s in S if s not in (S.CANCELLED, S.PARTIALLY_CANCELLED)])
def test_f014_nothing_is_ordered_again_before_the_cancel_has_happened(state):
    assert reorder_after(replace(ENDED, state=state), RULES) is None


@pytest.mark.parametrize(
    "change",
    [
        {"confirmed": False},
        {"cancelled_by_person": True},
        {"day_ended": True},
        {"filled": 1000},
        {"attempt": 3},
    ],
    ids=str,
)
def test_an_ended_order_is_not_always_ordered_again(change):
    assert reorder_after(replace(ENDED, **change), RULES) is None


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        (K.STOP_LOSS, 3),
        (K.FIRST_TAKE_PROFIT, 3),
        (K.TRAILING_TAKE_PROFIT, 3),
        (K.GRID, 1),
        (K.MANUAL, 0),
        (K.ADD_ON, 0),
    ],
)
def test_f047_attempts_are_counted_and_limited_by_kind(kind, allowed):
    decisions = [reorder_after(replace(ENDED, kind=kind, attempt=n), RULES) for n in range(5)]
    assert sum(decision is not None for decision in decisions) == allowed


@pytest.mark.parametrize(
    "wrong",
    [
        {"price_mode": "market"},
        {"sell_order_timeout": 0},
        {"take_profit_order_timeout": 4},
        {"reorder_max_attempts": -1},
        {"cancel_retry_gap": Decimal(2)},
        {"cancel_retry_gap": Decimal("NaN")},
        {"cancel_max_tries": 4},
    ],
    ids=str,
)
def test_a_setting_outside_its_range_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        OrderRules(**wrong)
