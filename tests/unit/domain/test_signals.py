from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.exit_cases import BANK, LOT, RULES, at, d, folded, holding, quotes
from trading.domain.exits import ExitRules
from trading.domain.positions import Position, scale, with_first_take_profit
from trading.domain.signals import (
    Deny,
    Expire,
    Go,
    SignalFacts,
    SignalRules,
    Supersede,
    Verdict,
    Wait,
    recheck,
    winner,
)
from trading.domain.types import (
    BookStatus,
    DenialCode,
    Quote,
    Side,
    SignalKind,
    SignalState,
)

pytestmark = [pytest.mark.fast, pytest.mark.exits]

STOP, TRAIL, FIRST = (
    SignalKind.STOP_LOSS,
    SignalKind.TRAILING_TAKE_PROFIT,
    SignalKind.FIRST_TAKE_PROFIT,
)
ARMED = holding(armed=True, armed_high="10.80", high_since_entry="10.80")
TRAILING = holding(first_take_profit_done=True, high_since_entry="13", trailing_level="11.05")


def signal(
    kind: SignalKind = STOP, trigger: str = "9.25", last: str = "9.25", **facts
) -> SignalFacts:
    values: dict[str, Any] = {
        "quantity": 1000,
        "quote_time": at(0),
        "held_at": at(0),
        "life": 1,
    } | facts
    return SignalFacts(kind=kind, trigger_price=d(trigger), last=d(last), **values)


FIRST_SIGNAL = signal(FIRST, "10.746", "10.74", quantity=600)
TRAIL_SIGNAL = signal(TRAIL, "11.05", "11.05")
GRID_SELL = signal(SignalKind.GRID, "10.50", "10.50", quantity=200)
GRID_BUY = replace(GRID_SELL, side=Side.BUY, life=None)
ADD_ON = replace(signal(SignalKind.ADD_ON, "9.30", "9.30", quantity=3700), side=Side.BUY)
MANUAL = signal(SignalKind.MANUAL, "10", "10", quantity=300)


def rechecked(
    facts: SignalFacts,
    last: str = "9.25",
    position: Position | None = holding(),  # noqa: B008 - an immutable value
    rules: ExitRules = RULES,
    after: int = 3,
    quote: Quote | None = None,
    fresh: bool = True,
    sellable: int = 1000,
    **more,
) -> Verdict:
    now = at(after)
    shown = quote or replace(quotes(last)[0], time=now)
    return recheck(facts, position, rules, SignalRules(), shown, fresh, sellable, now, LOT, **more)


def code(verdict: Verdict) -> DenialCode | None:
    return verdict.denial.code if isinstance(verdict, Wait | Deny) else None


# -- which one first -----------------------------------------------------------------------------


def test_f055_the_stop_loss_goes_before_everything_else():
    assert winner([ADD_ON, GRID_SELL, MANUAL, FIRST_SIGNAL, TRAIL_SIGNAL, signal()]) == signal()
    assert winner([ADD_ON, GRID_SELL, MANUAL, FIRST_SIGNAL, TRAIL_SIGNAL]) == TRAIL_SIGNAL
    assert winner([ADD_ON, GRID_SELL, MANUAL, FIRST_SIGNAL]) == FIRST_SIGNAL
    assert winner([ADD_ON, GRID_SELL, MANUAL]) == MANUAL
    assert winner([ADD_ON, GRID_SELL]) == GRID_SELL


def test_only_pending_signals_compete():
    ended = replace(signal(), state=SignalState.EXPIRED)
    assert winner([ended, GRID_SELL]) == GRID_SELL
    assert winner([ended]) is None
    assert winner([]) is None


# -- age and time --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "age", "good"),
    [
        (signal(), 120, True),
        (signal(), 121, False),
        (GRID_SELL, 60, True),
        (GRID_SELL, 61, False),
        (MANUAL, 120, True),
        (MANUAL, 121, False),
    ],
)
def test_f043_a_signal_too_old_expires(facts, age, good):
    verdict = rechecked(facts, str(facts.last), after=age)
    assert isinstance(verdict, Go if good else Expire)


def test_f042_the_age_counts_from_the_last_tick_the_condition_held():
    kept = replace(signal(), held_at=at(600))
    assert rechecked(kept, after=700) == Go(1000)


def test_f042_a_level_once_touched_counts_when_the_price_has_recovered():
    assert rechecked(signal(), "9.80") == Go(1000)


@pytest.mark.parametrize("field", ["quote_time", "held_at"])
@pytest.mark.parametrize(("ahead", "refused"), [(2, False), (3, True)])
def test_a_signal_of_the_future_is_refused(field, ahead, refused):
    times: dict[str, Any] = {field: at(3 + ahead)}
    verdict = rechecked(replace(signal(), **times))
    assert code(verdict) == (DenialCode.FUTURE_TIME if refused else None)


def test_a_quote_of_the_future_is_refused():
    quote = replace(quotes("9.25")[0], time=at(3) + timedelta(seconds=2.5))
    assert code(rechecked(signal(), quote=quote)) == DenialCode.FUTURE_TIME


def test_a_signal_that_ended_is_not_checked_again():
    with pytest.raises(ValueError, match="expired"):
        rechecked(replace(signal(), state=SignalState.EXPIRED))


# -- what keeps a signal waiting -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"fresh": False}, DenialCode.QUOTE_STALE),
        ({"fresh": False, "may_trade": False}, DenialCode.QUOTE_SOURCE),
        ({"quote": replace(quotes("9.2")[0], status=BookStatus.HALTED)}, DenialCode.SUSPENDED),
        ({"last": "0"}, DenialCode.NO_PRICE),
        ({"last": "NaN"}, DenialCode.NO_PRICE),
        ({"sellable": 0}, DenialCode.T1_NOT_SELLABLE),
        ({"sellable": 0, "promised": 1000}, DenialCode.SHARES_PROMISED),
    ],
)
def test_f024_a_blocked_signal_is_kept(changes, expected):
    verdict = rechecked(signal(), **changes)
    assert isinstance(verdict, Wait)
    assert verdict.denial.code is expected
    assert expected.blocks


def test_without_any_quote_a_signal_waits():
    verdict = recheck(signal(), holding(), RULES, SignalRules(), None, True, 1000, at(3), LOT)
    assert code(verdict) == DenialCode.QUOTE_STALE


def test_a_stale_quote_disarms_nothing():
    assert code(rechecked(FIRST_SIGNAL, "9.90", ARMED, fresh=False)) == DenialCode.QUOTE_STALE


# -- position, rule and session ------------------------------------------------------------------


@pytest.mark.parametrize("facts", [signal(), TRAIL_SIGNAL, FIRST_SIGNAL, GRID_SELL, MANUAL])
@pytest.mark.parametrize(
    "position", [None, replace(holding(), quantity=0), replace(holding(), life=2)]
)
def test_f064_a_signal_of_an_ended_life_is_superseded(facts, position):
    assert isinstance(rechecked(facts, position=position), Supersede)


@pytest.mark.parametrize("position", [None, holding()])
def test_a_first_buy_needs_no_position(position):
    assert rechecked(GRID_BUY, "10.50", position, sellable=0) == Go(200)


@pytest.mark.parametrize(
    ("facts", "rules"),
    [
        (signal(), replace(RULES, stop_loss_enabled=False)),
        (TRAIL_SIGNAL, replace(RULES, take_profit_enabled=False)),
        (FIRST_SIGNAL, replace(RULES, take_profit_enabled=False)),
        (signal(), RULES.for_holding(enabled=False)),
        (FIRST_SIGNAL, RULES.for_holding(enabled=False)),
        (ADD_ON, RULES),
    ],
)
def test_f046_a_rule_or_holding_switched_off_supersedes_at_once(facts, rules):
    assert isinstance(rechecked(facts, rules=rules, fresh=False, after=500), Supersede)


def test_switching_exits_off_leaves_manual_and_grid_alone():
    off = RULES.for_holding(enabled=False)
    assert rechecked(MANUAL, "10", rules=off) == Go(300)
    assert rechecked(GRID_SELL, "10.50", rules=off) == Go(200)


def test_a_grid_signal_needs_its_own_session():
    assert isinstance(rechecked(GRID_SELL, "10.50", session_active=False), Supersede)


# -- stop-loss -----------------------------------------------------------------------------------


def test_a_stop_loss_has_no_drift():
    assert rechecked(signal(), "8.00") == Go(1000)
    assert rechecked(signal(), "11.00") == Go(1000)


def test_f040_a_stop_above_the_live_stop_is_superseded():
    verdict = rechecked(signal(), rules=replace(RULES, stop_loss_ratio=d("-0.10")))
    assert isinstance(verdict, Supersede)
    assert "9.25 is above the live level 9.00" in verdict.text.en


def test_a_cheaper_cost_supersedes_a_stop_and_a_dearer_one_does_not():
    assert isinstance(rechecked(signal(), position=holding("9.80")), Supersede)
    assert rechecked(signal(), position=holding("10.20")) == Go(1000)


def test_a_stop_from_before_ex_rights_is_superseded():
    scaled = scale(holding(), d("0.5"), d("2"), d("0.01"))
    assert isinstance(rechecked(signal(), "4.80", scaled), Supersede)


def test_a_stop_rounded_to_what_the_house_stores_is_the_same_stop():
    cost_of_thirds = holding("10", bought_quantity=3000, bought_amount="10001")
    level = folded(cost_of_thirds, "3").decision
    assert level is not None
    stored = level.trigger_price.quantize(d("0.0001"), "ROUND_UP")
    assert stored > level.trigger_price
    facts = replace(signal(), trigger_price=stored)
    assert rechecked(facts, "3", cost_of_thirds) == Go(1000)


def test_f051_an_exit_sells_what_is_sellable_now():
    assert rechecked(signal(), sellable=400) == Go(400)
    assert rechecked(TRAIL_SIGNAL, "11", TRAILING, sellable=400) == Go(400)


# -- first take-profit ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("10.74", None),
        ("10.84", None),
        ("10.85", DenialCode.PRICE_DRIFT),
        ("10.64", None),
        ("10.63", DenialCode.PRICE_DRIFT),
        ("10.50", DenialCode.PRICE_DRIFT),
    ],
)
def test_f043_a_take_profit_at_another_price_is_denied(last, expected):
    verdict = rechecked(FIRST_SIGNAL, last, ARMED)
    assert code(verdict) == expected
    if expected is None:
        assert verdict == Go(600)


def test_a_drift_of_exactly_the_maximum_is_still_inside():
    facts = replace(FIRST_SIGNAL, last=d("11"))
    assert rechecked(facts, "11.11", ARMED) == Go(600)
    assert code(rechecked(facts, "11.111", ARMED)) == DenialCode.PRICE_DRIFT


def test_f044_a_take_profit_below_its_floor_is_superseded_and_disarmed():
    verdict = rechecked(FIRST_SIGNAL, "10.49", ARMED)
    assert isinstance(verdict, Supersede)
    assert verdict.disarm
    assert isinstance(rechecked(FIRST_SIGNAL, "10.50", ARMED), Deny)


def test_f044_a_gap_through_the_floor_disarms_even_when_nothing_is_sellable():
    verdict = rechecked(FIRST_SIGNAL, "10.20", ARMED, sellable=0)
    assert isinstance(verdict, Supersede)
    assert verdict.disarm


def test_f041_a_take_profit_that_was_filled_meanwhile_is_superseded():
    verdict = rechecked(FIRST_SIGNAL, "10.74", with_first_take_profit(ARMED))
    assert isinstance(verdict, Supersede)
    assert not verdict.disarm


def test_a_take_profit_disarmed_meanwhile_is_superseded():
    assert isinstance(rechecked(FIRST_SIGNAL, "10.74", holding()), Supersede)


@pytest.mark.parametrize(("sellable", "quantity"), [(1000, 600), (500, 300), (150, 100), (90, 90)])
def test_a_take_profit_is_sized_again_from_what_is_sellable_now(sellable, quantity):
    assert rechecked(FIRST_SIGNAL, "10.74", ARMED, sellable=sellable) == Go(quantity)


# -- trailing take-profit ------------------------------------------------------------------------


@pytest.mark.parametrize("last", ["11.05", "10.50", "9.90", "9.30", "5"])
def test_a_trailing_sale_is_sent_at_any_price_at_or_below_its_level(last):
    assert rechecked(TRAIL_SIGNAL, last, TRAILING) == Go(1000)


@pytest.mark.parametrize(
    ("last", "drifted"), [("11.10", False), ("11.16", False), ("11.17", True)]
)
def test_f043_a_trailing_sale_far_above_its_level_is_denied(last, drifted):
    verdict = rechecked(TRAIL_SIGNAL, last, TRAILING)
    assert code(verdict) == (DenialCode.PRICE_DRIFT if drifted else None)


def test_a_recovery_from_far_below_up_to_the_level_is_not_drift():
    assert rechecked(replace(TRAIL_SIGNAL, last=d("10")), "11.05", TRAILING) == Go(1000)


def test_a_trailing_level_that_moved_down_supersedes_a_sale_above_it():
    historic = replace(RULES, trailing_never_lowers=False)
    moved = holding(first_take_profit_done=True, high_since_entry="11.00")
    facts = signal(TRAIL, "10.5504", "10.55")
    assert isinstance(rechecked(facts, "10.55", moved, historic), Supersede)
    assert rechecked(facts, "10.23", moved, historic) == Go(1000)


def test_a_trailing_sale_after_the_first_take_profit_was_given_back_is_superseded():
    assert isinstance(rechecked(TRAIL_SIGNAL, "11", holding()), Supersede)


# -- grid, manual, add-on ------------------------------------------------------------------------


@pytest.mark.parametrize("facts", [GRID_SELL, GRID_BUY])
@pytest.mark.parametrize(
    ("last", "drifted"), [("10.50", False), ("10.60", False), ("10.61", True), ("10.39", True)]
)
def test_a_grid_signal_drifts_both_ways(facts, last, drifted):
    verdict = rechecked(facts, last)
    assert code(verdict) == (DenialCode.PRICE_DRIFT if drifted else None)


def test_a_manual_order_has_no_drift():
    assert rechecked(MANUAL, "12") == Go(300)


@pytest.mark.parametrize(("last", "good"), [("9.30", True), ("9.31", False), ("9.25", False)])
def test_f054_an_add_on_is_checked_again_at_the_live_price(last, good):
    verdict = rechecked(ADD_ON, last, rules=replace(RULES, add_on_enabled=True), sellable=0)
    assert verdict == Go(3700) if good else isinstance(verdict, Supersede)


@given(
    st.sampled_from([signal(), TRAIL_SIGNAL, FIRST_SIGNAL]),
    st.sampled_from([holding(), ARMED, TRAILING]),
    st.integers(500, 1500),
    st.integers(0, 1000),
    st.integers(0, 200),
)
def test_an_exit_never_sells_more_than_is_sellable(facts, position, cents, sellable, after):
    verdict = rechecked(facts, str(d(str(cents)) / 100), position, sellable=sellable, after=after)
    if isinstance(verdict, Go):
        assert 0 < verdict.quantity <= sellable
    assert after <= 120 or not isinstance(verdict, Go | Wait)


@given(st.integers(1050, 1300), st.integers(500, 1300), st.integers(500, 1300))
def test_what_a_fold_decides_is_good_at_the_same_quote(high, low, last):
    for position in (holding(), ARMED, replace(TRAILING, trailing_level=None)):
        prices = [str(d(str(cents)) / 100) for cents in (high, low, last)]
        outcome = folded(position, *prices)
        decision = outcome.decision
        if decision is None:
            continue
        facts = SignalFacts(
            decision.kind,
            decision.quantity,
            decision.trigger_price,
            decision.last,
            decision.quote_time,
            decision.quote_time,
            life=1,
        )
        quote = replace(quotes(prices[-1])[0], time=decision.quote_time)
        assert quote.symbol == BANK
        verdict = rechecked(facts, position=outcome.position, quote=quote, after=9)
        assert verdict == Go(decision.quantity)
