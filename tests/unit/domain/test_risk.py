"""Risk before every order: each code speaks, in the order of rules §6, and protective sales are let through."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.calendar import MarketPhase
from trading.domain.instruments import Instrument, LotRule
from trading.domain.orders import OrderState, WorkingRef
from trading.domain.risk import (
    CHECKS,
    Intent,
    RiskFacts,
    RiskLimits,
    cancel_allowed,
    cancel_ratio_alarm,
    check,
    in_the_way,
    refusal_cooldown,
    trips,
)
from trading.domain.types import (
    Denial,
    DenialCode,
    Limits,
    Side,
    SignalKind,
    Symbol,
    Text,
    TradingState,
)

pytestmark = [pytest.mark.fast, pytest.mark.orders]

C, K, S = DenialCode, SignalKind, OrderState
Changes = dict[str, Any]
BANK = Symbol("600036.SH")
LIMITS = RiskLimits(auto_trading_enabled=True)
BUY = Intent(
    kind=K.GRID,
    symbol=BANK,
    side=Side.BUY,
    quantity=1000,
    price=Decimal("10.00"),
    instrument=Instrument(BANK),
    lot=LotRule(100, 100, 1_000_000),
    tick=Decimal("0.01"),
)
MANUAL_BUY = replace(BUY, kind=K.MANUAL)
STRATEGY_BUY = replace(BUY, kind=K.STRATEGY)
GRID_SELL = replace(BUY, side=Side.SELL)
MANUAL_SELL = replace(GRID_SELL, kind=K.MANUAL)
STOP = replace(GRID_SELL, kind=K.STOP_LOSS)
FACTS = RiskFacts(
    trading_state=TradingState.ACTIVE,
    gateway_armed=True,
    calendar_known=True,
    phase=MarketPhase.MORNING,
    quote_fresh=True,
    suspended=False,
    limits=Limits(Decimal("11.00"), Decimal("9.00")),
    limits_problem=None,
    sellable=1000,
    held=1000,
    held_sellable=1000,
    bought_today=0,
    cash=Decimal(50_000),
    cash_needed=Decimal("10006.10"),
    position_value=Decimal(10_000),
    total_position_value=Decimal(40_000),
    total_asset=Decimal(100_000),
    day_loss_ratio=Decimal("0.01"),
    buys_today=10,
    orders_last_second=0,
    cancels_last_10s=0,
    orders_today=30,
    cancels_today=2,
)
WORKING_SALE = WorkingRef("M1", BANK, Side.SELL, K.STOP_LOSS, S.SUBMITTED, 500, 0, Decimal(10))
LIMITS_DISAGREE = Denial(C.LIMITS_DISAGREE, Text("limits disagree", "涨跌停价不一致"))


def code(intent=BUY, limits=LIMITS, **facts):
    denial = check(intent, replace(FACTS, **facts), limits)
    return None if denial is None else denial.code


@pytest.mark.parametrize("intent", [BUY, MANUAL_BUY, GRID_SELL, MANUAL_SELL, STOP])
def test_an_order_without_objection_may_go(intent):
    assert code(intent) is None


#: What makes each code speak, in the order of rules §6: intent changes, facts, limits.
OBJECTIONS: list[tuple[DenialCode, Intent, Changes, Changes, Changes]] = [
    (C.AUTO_OFF, BUY, {}, {}, {"auto_trading_enabled": False}),
    (C.STRATEGY_OFF, STRATEGY_BUY, {}, {}, {"strategy_execution_enabled": False}),
    (C.STAGE, STOP, {}, {"may_send": False}, {}),
    (C.TRADING_STATE, BUY, {}, {"trading_state": TradingState.REDUCING}, {}),
    (C.GATEWAY_NOT_ARMED, BUY, {}, {"gateway_armed": False}, {}),
    (C.MARKET_CLOSED, BUY, {}, {"phase": MarketPhase.LUNCH}, {}),
    (C.CALENDAR_UNKNOWN, BUY, {}, {"calendar_known": False, "phase": MarketPhase.CLOSED}, {}),
    (C.QUOTE_SOURCE, STOP, {}, {"quote_may_trade": False, "quote_fresh": False}, {}),
    (C.QUOTE_STALE, BUY, {}, {"quote_fresh": False}, {}),
    (C.SUSPENDED, BUY, {}, {"suspended": True}, {}),
    (C.LIMITS_DISAGREE, BUY, {}, {"limits_problem": LIMITS_DISAGREE}, {}),
    (C.NO_PRICE, BUY, {"price": Decimal(0)}, {}, {}),
    (C.NO_PRICE, BUY, {"price": Decimal("NaN")}, {}, {}),
    (C.NO_PRICE, BUY, {}, {"limits": None}, {}),
    (C.PRICE_LIMIT, BUY, {"price": Decimal("11.01")}, {}, {}),
    (C.PRICE_LIMIT, BUY, {"price": Decimal("11.00")}, {}, {}),
    (C.PRICE_LIMIT, BUY, {"price": Decimal("8.99")}, {}, {}),
    (C.PRICE_LIMIT, GRID_SELL, {"price": Decimal("9.00")}, {}, {}),
    (C.PRICE_LIMIT, STOP, {"price": Decimal("8.99")}, {}, {}),
    (C.LOT, BUY, {"quantity": 150}, {}, {}),
    (C.LOT, BUY, {"quantity": 0}, {}, {}),
    (C.LOT, GRID_SELL, {"quantity": 150}, {}, {}),
    (C.TICK, BUY, {"price": Decimal("10.005")}, {}, {}),
    (C.TICK, BUY, {"tick": Decimal(0)}, {}, {}),
    (C.T1_NOT_SELLABLE, STOP, {}, {"held_sellable": 400, "sellable": 400}, {}),
    (C.SHARES_PROMISED, STOP, {}, {"sellable": 400}, {}),
    (C.CASH, BUY, {}, {"cash": Decimal("10006.09")}, {}),
    (C.CASH, BUY, {}, {"cash": None}, {}),
    (C.CASH, BUY, {}, {"cash_needed": None}, {}),
    (C.CAPS, BUY, {}, {"capped": True}, {}),
    (C.MAX_ORDER_VALUE, BUY, {}, {}, {"max_order_value": Decimal("9999.99")}),
    (C.MAX_ORDER_VALUE, MANUAL_SELL, {}, {}, {"max_order_value": Decimal("9999.99")}),
    (C.MAX_POSITION_VALUE, BUY, {}, {"position_value": Decimal("60000.01")}, {}),
    (C.MAX_POSITION_VALUE, BUY, {}, {"position_value": None}, {}),
    (C.MAX_TOTAL_POSITION_RATIO, BUY, {}, {"total_position_value": Decimal("85000.01")}, {}),
    (C.MAX_TOTAL_POSITION_RATIO, BUY, {}, {"total_asset": None}, {}),
    (C.MAX_TOTAL_POSITION_RATIO, BUY, {}, {"total_asset": Decimal(0)}, {}),
    (C.MAX_TOTAL_POSITION_RATIO, BUY, {}, {"total_position_value": Decimal("NaN")}, {}),
    (C.DAILY_LOSS, BUY, {}, {"day_loss_ratio": Decimal("0.05")}, {}),
    (C.DAILY_LOSS, BUY, {}, {"day_loss_ratio": None}, {}),
    (C.BOOKS_DIFFER, BUY, {}, {"books_differ": True}, {}),
    (C.BOOKS_DIFFER, GRID_SELL, {}, {"books_differ": True}, {}),
    (C.MAX_ORDERS_PER_DAY, BUY, {}, {"buys_today": 200}, {}),
    (C.ORDER_RATE, BUY, {}, {"orders_last_second": 2}, {}),
    (C.CANCEL_RATIO, BUY, {}, {"orders_today": 20, "cancels_today": 3}, {}),
    (C.CANCEL_RATIO, GRID_SELL, {}, {"orders_today": 20, "cancels_today": 3}, {}),
    (C.SELF_TRADE, BUY, {}, {"opposite_working": (WORKING_SALE,)}, {}),
    (C.DUPLICATE, BUY, {}, {"same_purpose_working": True}, {}),
    (C.BUY_DISABLED, BUY, {}, {}, {"buy_enabled": False}),
    (C.SELL_DISABLED, STOP, {}, {}, {"sell_enabled": False}),
    (C.REFUSED_REPEATEDLY, BUY, {}, {"refusals_in_a_row": 3}, {}),
    (C.REFUSED_REPEATEDLY, GRID_SELL, {}, {"refusals_in_a_row": 3}, {}),
]


@pytest.mark.parametrize(("expected", "intent", "order", "facts", "limits"), OBJECTIONS)
def test_each_objection_speaks_in_both_languages(expected, intent, order, facts, limits):
    denial = check(replace(intent, **order), replace(FACTS, **facts), replace(LIMITS, **limits))
    assert denial is not None
    assert denial.code is expected
    assert denial.text.en
    assert denial.text.zh


BUY_OBJECTIONS = [row for row in OBJECTIONS if row[1] is BUY]


@pytest.mark.parametrize("first", range(len(BUY_OBJECTIONS)))
def test_of_several_objections_the_first_of_the_rules_wins(first):
    intent, facts, limits = BUY, FACTS, LIMITS
    for expected, _, order, fact, limit in reversed(BUY_OBJECTIONS[first:]):
        if expected is C.CALENDAR_UNKNOWN and BUY_OBJECTIONS[first][0] is C.MARKET_CLOSED:
            continue  # an unknown day is closed too; then the calendar is what a person must hear of
        intent, facts = replace(intent, **order), replace(facts, **fact)
        limits = replace(limits, **limit)
    denial = check(intent, facts, limits)
    assert denial is not None
    assert denial.code is BUY_OBJECTIONS[first][0]


def test_the_checks_stand_in_the_order_of_the_rules():
    order = [c for c in C if c in {row[0] for row in OBJECTIONS}]
    spoken = list(dict.fromkeys(row[0] for row in OBJECTIONS))
    assert [c for c in order if c is not C.LIMITS_DISAGREE] == [
        c for c in spoken if c is not C.LIMITS_DISAGREE
    ]
    assert len(CHECKS) == len(spoken) - 1  # one switch, two codes: buying and selling


def test_on_books_that_differ_a_person_and_a_stop_sell_as_ever():
    for intent in (STOP, MANUAL_SELL):
        assert check(intent, replace(FACTS, books_differ=True), LIMITS) is None


NEVER_FOR_PROTECTION = {
    "position_value": Decimal(10**9),
    "total_position_value": Decimal(10**9),
    "total_asset": None,
    "day_loss_ratio": Decimal("0.5"),
    "buys_today": 5000,
    "orders_today": 100,
    "cancels_today": 100,
    "cash": None,
    "cash_needed": None,
}


@pytest.mark.parametrize("kind", [k for k in K if k.protective])
def test_a_protective_sale_is_never_denied_by_value_count_ratio_or_loss(kind):
    tight = replace(LIMITS, max_order_value=Decimal(100), max_position_value=Decimal(100))
    assert code(replace(STOP, kind=kind), tight, **NEVER_FOR_PROTECTION) is None


@given(
    st.decimals(0, 10**9, places=2),
    st.one_of(st.none(), st.decimals("-1", 1, places=4)),
    st.integers(0, 5000),
    st.integers(0, 5000),
)
def test_f036_no_value_however_odd_stops_a_protective_sale(value, loss, count, cancels):
    assert (
        code(
            STOP,
            position_value=value,
            total_asset=value,
            day_loss_ratio=loss,
            buys_today=count,
            orders_today=count,
            cancels_today=cancels,
        )
        is None
    )


@pytest.mark.parametrize(
    "unknown",
    [
        "cash",
        "cash_needed",
        "position_value",
        "total_position_value",
        "total_asset",
        "day_loss_ratio",
        "limits",
    ],
)
def test_f036_what_cannot_be_checked_is_not_sent(unknown):
    missing: dict[str, Any] = {unknown: None}
    assert check(BUY, replace(FACTS, **missing), LIMITS) is not None
    if unknown != "limits":
        assert code(BUY, **{unknown: Decimal("NaN")}) is not None


def test_manual_orders_pass_the_same_checks_without_the_automatic_switch():
    off = replace(LIMITS, auto_trading_enabled=False)
    assert code(MANUAL_BUY, off) is None
    assert code(STOP, off) is C.AUTO_OFF
    for expected, _, order, facts, limits in BUY_OBJECTIONS:
        intent = replace(MANUAL_BUY, **order)
        denial = check(intent, replace(FACTS, **facts), replace(LIMITS, **limits))
        assert expected is C.AUTO_OFF or (denial is not None and denial.code is expected)


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        (TradingState.ACTIVE, {"buy", "sell"}),
        (TradingState.REDUCING, {"sell"}),
        (TradingState.HALTED, set()),
    ],
)
def test_the_main_switch_allows_all_sales_only_or_nothing(state, allowed):
    for name, intent in (("buy", MANUAL_BUY), ("sell", STOP)):
        assert (code(intent, trading_state=state) is None) is (name in allowed)


@pytest.mark.parametrize("phase", list(MarketPhase))
def test_automatic_orders_need_continuous_trading_manual_ones_an_open_phase(phase):
    assert (code(STOP, phase=phase) is None) is phase.continuous
    assert (code(MANUAL_SELL, phase=phase) is None) is phase.accepts_orders


@pytest.mark.parametrize("intent", [STOP, MANUAL_SELL])
def test_a_protective_or_manual_sale_at_the_limit_down_is_sent(intent):
    assert code(replace(intent, price=Decimal("9.00"))) is None


def test_without_daily_limits_any_price_may_go():
    free = Limits(None, None)
    assert code(replace(BUY, price=Decimal("15.00")), limits=LIMITS) is C.PRICE_LIMIT
    denial = check(replace(BUY, price=Decimal("15.00")), replace(FACTS, limits=free), LIMITS)
    assert denial is None


def test_f057_two_engines_cannot_promise_the_same_shares():
    assert code(GRID_SELL, sellable=0) is C.SHARES_PROMISED
    assert code(replace(GRID_SELL, quantity=400), sellable=400) is None


def test_an_odd_remainder_is_sold_whole():
    odd = replace(STOP, quantity=50)
    assert code(odd, sellable=50, held=50, held_sellable=50) is None
    assert code(odd, sellable=150, held=150, held_sellable=150) is C.LOT


def test_f054_a_buy_that_fills_the_limit_exactly_goes_and_one_yuan_more_does_not():
    assert code(BUY, position_value=Decimal(60_000)) is None
    assert code(BUY, position_value=Decimal(60_001)) is C.MAX_POSITION_VALUE
    assert code(BUY, total_position_value=Decimal(85_000)) is None


def test_a_buy_may_use_the_last_cent():
    assert code(BUY, cash=FACTS.cash_needed) is None


@pytest.mark.parametrize("intent", [BUY, STOP])
def test_f048_asking_twice_gives_the_same_answer(intent):
    for facts in (FACTS, replace(FACTS, same_purpose_working=True)):
        assert check(intent, facts, LIMITS) == check(intent, facts, LIMITS)


@pytest.mark.parametrize(
    ("refusals", "seconds"), [(3, 60), (4, 120), (5, 240), (6, 480), (7, 600), (50, 600)]
)
def test_f047_a_refused_stop_loss_cools_down_and_never_stops(refusals, seconds):
    cooldown = timedelta(seconds=seconds)
    assert refusal_cooldown(refusals) == cooldown
    just_before = {"since_refusal": cooldown - timedelta(seconds=1)}
    assert code(STOP, refusals_in_a_row=refusals, **just_before) is C.REFUSED_REPEATEDLY
    assert code(STOP, refusals_in_a_row=refusals, since_refusal=cooldown) is None
    assert code(MANUAL_SELL, refusals_in_a_row=refusals, **just_before) is None


@pytest.mark.parametrize(
    ("intent", "facts", "waits"),
    [
        (STOP, {"sellable": 0}, True),
        (STOP, {"held_sellable": 0, "sellable": 0}, True),
        (STOP, {"opposite_working": (WORKING_SALE,)}, True),
        (STOP, {"same_purpose_working": True}, True),
        (STOP, {"orders_last_second": 2}, True),
        (STOP, {"quote_fresh": False}, True),
        (BUY, {"cash": Decimal(1)}, False),
        (BUY, {"position_value": Decimal(70_000)}, False),
    ],
)
def test_f024_a_blocked_order_is_kept_and_a_denied_one_is_not(intent, facts, waits):
    assert code(intent, **facts).blocks is waits


def other(kind, side, state=S.SUBMITTED, price="10.00", symbol=BANK):
    return WorkingRef("M2", symbol, side, kind, state, 500, 0, Decimal(price))


@pytest.mark.parametrize(
    ("intent", "working", "waits"),
    [
        (STOP, other(K.GRID, Side.SELL), True),  # lower sale: cancelled first
        (STOP, other(K.GRID, Side.BUY, price="9.00"), True),  # and lower buys too
        (STOP, other(K.STOP_LOSS, Side.SELL), False),  # a duplicate, not in the way
        (GRID_SELL, other(K.STOP_LOSS, Side.SELL), False),  # promised shares, not in the way
        (BUY, other(K.STOP_LOSS, Side.SELL, price="10.50"), True),
        (BUY, other(K.GRID, Side.SELL, price="10.01"), False),  # both sides of a grid, not crossed
        (BUY, other(K.GRID, Side.SELL, price="10.00"), True),  # would trade with ourselves
        (BUY, other(K.ADD_ON, Side.BUY), False),
        (STOP, other(K.GRID, Side.BUY, S.UNKNOWN), False),  # protection never waits for unknown
        (BUY, other(K.GRID, Side.SELL, S.UNKNOWN), True),
        (MANUAL_SELL, other(K.GRID, Side.SELL, S.UNKNOWN), False),
        (STOP, other(K.GRID, Side.BUY, S.CANCELLED), False),
        (STOP, other(K.GRID, Side.BUY, symbol=Symbol("000001.SZ")), False),
    ],
)
def test_which_orders_of_ours_must_end_first(intent, working, waits):
    assert bool(in_the_way(intent, [working])) is waits


@pytest.mark.parametrize(
    ("rejections", "loss", "unknown", "tripped"),
    [
        (2, "0.049", 2, False),
        (3, "0", 0, True),
        (0, "0.05", 0, True),
        (0, "0", 3, True),
        (0, None, 0, False),
    ],
)
def test_trips_reduce_the_account(rejections, loss, unknown, tripped):
    ratio = None if loss is None else Decimal(loss)
    text = trips(rejections, ratio, unknown, LIMITS)
    assert (text is not None) is tripped
    assert text is None or (text.en and text.zh)


def test_cancels_are_paced_and_their_share_is_watched():
    assert cancel_allowed(4, LIMITS)
    assert not cancel_allowed(5, LIMITS)
    assert cancel_ratio_alarm(19, 19, LIMITS) is None
    assert cancel_ratio_alarm(20, 1, LIMITS) is None
    assert cancel_ratio_alarm(20, 2, LIMITS) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_position_value": Decimal(0)},
        {"max_position_value": Decimal("NaN")},
        {"max_total_position_ratio": Decimal("1.01")},
        {"daily_loss_ratio": Decimal(0)},
        {"orders_per_second": 0},
        {"cancel_ratio_stop": Decimal("0.05")},
    ],
    ids=str,
)
def test_a_limit_outside_its_range_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RiskLimits(**wrong)


def test_the_highest_order_value_is_the_highest_position_value_unless_set():
    assert LIMITS.order_value_limit == Decimal(70_000)
    assert replace(LIMITS, max_order_value=Decimal(5_000)).order_value_limit == Decimal(5_000)
