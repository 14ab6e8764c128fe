from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.domain.exit_cases import (
    BANK,
    ENTRY_DAY,
    LOT,
    RULES,
    RoundLot,
    at,
    d,
    folded,
    holding,
    quotes,
)
from trading.domain.exits import (
    ExitOutcome,
    ExitRules,
    add_on_quantity,
    first_take_profit_quantity,
    fold,
    next_sale,
    trailing_level,
)
from trading.domain.positions import opened
from trading.domain.settings import SettingError
from trading.domain.types import Quote, SignalKind

pytestmark = [pytest.mark.fast, pytest.mark.exits]

STOP, TRAIL, FIRST = (
    SignalKind.STOP_LOSS,
    SignalKind.TRAILING_TAKE_PROFIT,
    SignalKind.FIRST_TAKE_PROFIT,
)
HISTORIC = replace(RULES, trailing_never_lowers=False)
NO_PULLBACK = replace(RULES, first_take_profit_pullback=d("0"))
NO_STOP = replace(RULES, stop_loss_enabled=False)
NO_PROFIT = replace(RULES, take_profit_enabled=False)


def sold(outcome: ExitOutcome) -> tuple[SignalKind, int] | None:
    decision = outcome.decision
    return None if decision is None else (decision.kind, decision.quantity)


def done(cost: str = "10", **state):
    return holding(cost, first_take_profit_done=True, **state)


# -- stop-loss -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cost", "price", "sells"),
    [
        ("10", "9.25", True),
        ("10", "9.26", False),
        ("10", "9.24", True),
        ("3.33", "3.08", True),  # the stop is at 3.08025
        ("3.33", "3.09", False),
    ],
)
def test_the_stop_loss_sells_everything_from_its_level_down(cost, price, sells):
    assert sold(folded(holding(cost), price)) == ((STOP, 1000) if sells else None)


def test_a_stop_loss_states_its_level_the_price_and_the_reason():
    decision = folded(holding("3.33"), "3.08").decision
    assert decision is not None
    assert (decision.trigger_price, decision.last, decision.quote_time) == (
        d("3.08025"),
        d("3.08"),
        at(0),
    )
    assert (
        decision.reason.en
        == "Stop-loss: price 3.08 reached 3.0803, 7.5% below cost; cost 3.33, gain -7.51%."
    )
    assert decision.reason.zh.startswith("止损：价格 3.08 触及 3.0803")


def test_a_stop_reached_by_any_quote_counts_and_is_decided_at_the_last_price():
    decision = folded(holding(), "9.50", "9.25", "9.40").decision
    assert decision is not None
    assert (decision.kind, decision.trigger_price, decision.last) == (STOP, d("9.25"), d("9.40"))
    assert decision.quote_time == at(6)
    assert "now 9.40" in decision.reason.en


def test_the_stop_loss_holds_after_the_first_take_profit_too():
    assert sold(folded(done(high_since_entry="10.20"), "9.25")) == (STOP, 1000)


@pytest.mark.parametrize(
    ("rules", "expected"), [(NO_PROFIT, (STOP, 1000)), (NO_STOP, None), (RULES, (STOP, 1000))]
)
def test_turning_take_profit_off_never_turns_the_stop_loss_off(rules, expected):
    assert sold(folded(holding(), "9.00", rules=rules)) == expected


def test_f040_a_changed_parameter_takes_effect_on_existing_holdings():
    position = folded(holding(), "9.50").position
    assert sold(folded(position, "9.50", rules=replace(RULES, stop_loss_ratio=d("-0.05")))) == (
        STOP,
        1000,
    )
    assert sold(folded(position, "9.10", rules=replace(RULES, stop_loss_ratio=d("-0.10")))) is None


def test_f051_a_reached_stop_with_nothing_sellable_makes_no_sale_but_says_so():
    outcome = folded(holding(), "9.00", sellable=0)
    assert (outcome.decision, outcome.blocked) == (None, STOP)


def test_f056_what_is_sold_is_what_is_sellable_not_what_is_held():
    assert sold(folded(holding("10", 1000), "9.00", sellable=300)) == (STOP, 300)


def test_f038_a_holding_decides_by_itself_whatever_list_it_is_on():
    odd = replace(opened(BANK, 37, d("10"), ENTRY_DAY), symbol=BANK)
    assert sold(folded(odd, "9.00", sellable=37)) == (STOP, 37)


# -- no decision ---------------------------------------------------------------------------------


@pytest.mark.parametrize("prices", [(), ("0",), ("-1", "0"), ("NaN",)])
def test_without_a_price_nothing_is_decided_and_nothing_changes(prices):
    position = holding(armed=True, armed_high="11", high_since_entry="11")
    assert folded(position, *prices) == ExitOutcome(position)


def test_an_unstated_price_between_stated_ones_is_passed_over():
    outcome = folded(holding(), "9.90", "0", "9.80")
    assert outcome.decision is None
    assert (outcome.position.seen, outcome.position.high_since_entry) == (at(6), d("10"))


def test_nothing_held_is_nothing_to_decide():
    position = replace(holding(), quantity=0)
    assert folded(position, "5") == ExitOutcome(position)


def test_f069_without_any_cost_nothing_is_decided_but_the_high_goes_on():
    outcome = folded(opened(BANK, 1000, d("0"), ENTRY_DAY), "5", "6", "1")
    assert (outcome.decision, outcome.blocked, outcome.reset_high) == (None, None, False)
    assert outcome.position.high_since_entry == d("6")


@pytest.mark.parametrize("amount", ["0", "-500"])
def test_f069_a_cost_that_is_not_positive_falls_back_to_the_first_cost(amount):
    assert sold(folded(holding(bought_amount=amount), "9.25")) == (STOP, 1000)
    assert sold(folded(holding(bought_amount=amount), "9.26")) is None


def test_seen_is_the_time_of_the_last_folded_quote():
    assert folded(holding(), "10", "10.1", "10.2").position.seen == at(6)


# -- the high ------------------------------------------------------------------------------------


def test_the_day_high_counts_from_the_session_after_the_entry():
    assert folded(holding(), "10.10", high="10.50").position.high_since_entry == d("10.50")


def test_the_day_high_of_the_entry_day_does_not_count():
    outcome = fold(holding(), quotes("10.10", day=ENTRY_DAY, high="10.50"), RULES, 0, LOT)
    assert outcome.position.high_since_entry == d("10.10")


def test_the_entry_day_is_a_day_in_china():
    late = Quote(BANK, at(0).astimezone(timezone(timedelta(hours=-12))), d("10.1"), d("10"))
    outcome = fold(holding(), [replace(late, high=d("10.5"))], RULES, 0, LOT)
    assert outcome.position.high_since_entry == d("10.5")


@pytest.mark.parametrize(
    ("stored", "price", "expected"),
    [
        ("0.99", "9.50", "10"),  # below 0.1 × cost: the cost is higher
        ("0.99", "10.40", "10.40"),
        ("1", "9.50", "9.50"),  # exactly 0.1 × cost is believed, and the price is higher
        ("200", "9.50", "200"),  # exactly 20 × cost is believed
        ("200.01", "9.50", "10"),
    ],
)
def test_f072_a_corrupt_high_is_replaced_by_cost_or_price(stored, price, expected):
    outcome = folded(holding(high_since_entry=stored), price)
    assert outcome.position.high_since_entry == d(expected)
    assert outcome.reset_high == (stored not in ("1", "200"))


def test_f072_a_high_lost_outside_hours_is_found_again():
    outcome = folded(done(high_since_entry="0", seen=at(-60)), "10.20", high="10.80")
    assert outcome.reset_high
    assert outcome.position.high_since_entry == d("10.80")


def test_a_high_that_was_never_known_is_not_corrupt():
    outcome = folded(holding(high_since_entry="0"), "9.90")
    assert (outcome.reset_high, outcome.position.high_since_entry) == (False, d("9.90"))


def test_f039_a_corrupt_high_takes_its_stored_level_with_it():
    outcome = folded(done(high_since_entry="900", trailing_level="720"), "10.20")
    assert (outcome.decision, outcome.reset_high) == (None, True)
    assert outcome.position.trailing_level is None


def test_f039_a_stored_level_at_the_peak_is_repaired_and_sells_nothing():
    outcome = folded(done(high_since_entry="10.20", trailing_level="10.20"), "10.10")
    assert (outcome.decision, outcome.reset_high) == (None, True)
    assert outcome.position.trailing_level is None


def test_f039_without_a_tier_only_the_fixed_stop_sells():
    position = done(high_since_entry="10.40")
    assert folded(position, "9.30").decision is None
    assert sold(folded(position, "9.25")) == (STOP, 1000)


def test_an_unbelievable_day_high_sells_nothing():
    outcome = folded(done(high_since_entry="10.40"), "10.30", high="1030")
    assert (outcome.decision, outcome.position.high_since_entry) == (None, d("10.40"))


def test_a_corrupt_armed_high_starts_again_at_the_price():
    outcome = folded(holding(armed=True, armed_high="10800", high_since_entry="10.9"), "10.80")
    assert (outcome.decision, outcome.position.armed_high) == (None, d("10.80"))


def test_f084_a_new_high_changes_nothing_else():
    before = holding()
    after = folded(before, "10.50").position
    assert after == replace(before, high_since_entry=d("10.50"), seen=at(0))


# -- first take-profit ---------------------------------------------------------------------------


@pytest.mark.parametrize(("price", "arms"), [("10.60", True), ("10.59", False), ("10.61", True)])
def test_f059_a_price_of_exactly_six_percent_arms_and_sells_nothing(price, arms):
    outcome = folded(holding(), price)
    assert (outcome.position.armed, outcome.decision) == (arms, None)
    assert outcome.position.armed_high == (d(price) if arms else 0)


@pytest.mark.parametrize(
    ("prices", "armed_high", "sale"),
    [
        (("10.60", "10.55"), "10.60", None),  # back 0.47 %
        (("10.60", "10.547"), "10.60", (FIRST, 600)),  # back exactly 0.5 %
        (("10.60", "10.70", "10.65"), "10.70", None),
        (("10.60", "10.70", "10.64"), "10.70", (FIRST, 600)),
        (("10.60", "10.54", "10.90"), "10.90", (FIRST, 600)),  # recovered: touched all the same
    ],
)
def test_the_first_take_profit_sells_part_on_a_pullback(prices, armed_high, sale):
    outcome = folded(holding(), *prices)
    assert (sold(outcome), outcome.position.armed_high) == (sale, d(armed_high))


def test_the_first_take_profit_states_the_level_of_its_pullback():
    decision = folded(holding(), "10.60", "10.80", "10.74").decision
    assert decision is not None
    assert (decision.trigger_price, decision.last) == (d("10.746"), d("10.74"))
    assert decision.reason.en == (
        "First take-profit: price 10.74 fell 0.56% from the breakout high 10.80; cost 10.00, gain 7.4%."
    )


@pytest.mark.parametrize(
    ("price", "still_armed"),
    [("10.50", True), ("10.494265", True), ("10.494264", False), ("10.40", False)],
)
def test_f044_a_breakout_below_its_floor_is_stale(price, still_armed):
    outcome = folded(holding(armed=True, armed_high="10.80", high_since_entry="10.80"), price)
    assert outcome.position.armed == still_armed
    assert sold(outcome) == ((FIRST, 600) if still_armed else None)
    assert outcome.position.armed_high == (d("10.80") if still_armed else 0)


def test_f044_armed_under_t1_then_a_gap_down_sells_nothing_the_next_day():
    armed = folded(holding(), "10.60", "10.80", "10.50", sellable=0)
    assert (armed.decision, armed.blocked, armed.position.armed) == (None, FIRST, True)
    gap = folded(armed.position, "10.30")
    assert (gap.decision, gap.position.armed) == (None, False)


def test_a_pullback_that_falls_through_the_floor_in_the_same_fold_sells_nothing():
    outcome = folded(holding(), "10.60", "10.52", "10.30")
    assert (outcome.decision, outcome.blocked, outcome.position.armed) == (None, None, False)


def test_a_new_breakout_after_a_stale_one_arms_again():
    outcome = folded(holding(), "10.60", "10.30", "10.70")
    assert (outcome.decision, outcome.position.armed_high) == (None, d("10.70"))


def test_without_a_pullback_the_crossing_quote_sells():
    assert sold(folded(holding(), "10.59", rules=NO_PULLBACK)) is None
    assert sold(folded(holding(), "10.60", rules=NO_PULLBACK)) == (FIRST, 600)


def test_take_profit_switched_off_neither_arms_nor_sells():
    outcome = folded(holding(), "10.60", "10.50", rules=NO_PROFIT)
    assert (outcome.decision, outcome.position.armed) == (None, False)


def test_f041_a_first_take_profit_that_is_done_is_not_decided_again():
    assert folded(done(), "10.60", "10.54").decision is None


@pytest.mark.parametrize(
    ("sellable", "ratio", "expected"),
    [
        (150, "0.6", 100),
        (90, "0.6", 90),
        (100, "0.6", 100),
        (1000, "0.6", 600),
        (1099, "0.6", 600),
        (1000, "0.01", 100),
        (1050, "1", 1050),
        (166, "0.6", 100),
    ],
)
def test_part_of_what_is_sellable_in_lots_at_least_one_never_less(sellable, ratio, expected):
    rules = replace(RULES, first_take_profit_sell_ratio=d(ratio))
    assert first_take_profit_quantity(sellable, rules, LOT) == expected


@pytest.mark.parametrize(
    ("sellable", "expected"), [(250, 200), (199, 199), (1001, 600), (500, 300)]
)
def test_a_star_holding_sells_at_least_two_hundred(sellable, expected):
    star = RoundLot(minimum=200, step=1, largest=100_000)
    assert first_take_profit_quantity(sellable, RULES, star) == expected


# -- trailing take-profit ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("high", "level"),
    [
        ("10.49", None),
        ("10.50", "10.08"),
        ("10.99", "10.5504"),
        ("11.00", "10.23"),
        ("11.50", "10.35"),
        ("12.00", "10.44"),
        ("13.00", "11.05"),
        ("14.00", "11.62"),
        ("15.00", "12"),
        ("30.00", "24"),
    ],
)
def test_the_table_gives_the_level_of_a_high(high, level):
    expected = None if level is None else d(level)
    assert trailing_level(done(high_since_entry=high), RULES) == expected


@pytest.mark.parametrize(("price", "sells"), [("11.05", True), ("11.06", False), ("9.90", True)])
def test_f059_eighty_five_percent_of_thirteen_is_eleven_point_zero_five(price, sells):
    outcome = folded(done(high_since_entry="13"), price)
    assert sold(outcome) == ((TRAIL, 1000) if sells else None)
    assert outcome.position.trailing_level == d("11.05")


def test_a_trailing_sale_states_its_level_and_reason():
    decision = folded(done(), "13", "11.05").decision
    assert decision is not None
    assert decision.trigger_price == d("11.05")
    assert decision.reason.en == (
        "Trailing take-profit: price 11.05 reached 11.05, 85% of the high 13.00; cost 10.00, gain 10.5%."
    )


def test_a_level_touched_in_between_counts():
    assert sold(folded(done(high_since_entry="13"), "11.05", "11.30")) == (TRAIL, 1000)


def test_the_level_of_one_life_only_rises():
    position = folded(done(), "10.99").position
    assert position.trailing_level == d("10.5504")
    higher = folded(position, "11.00").position
    assert higher.trailing_level == d("10.5504")
    assert sold(folded(higher, "10.55")) == (TRAIL, 1000)


def test_the_historic_level_falls_where_the_table_does():
    position = folded(done(), "10.99", rules=HISTORIC).position
    assert position.trailing_level == d("10.5504")
    higher = folded(position, "11.00", rules=HISTORIC).position
    assert higher.trailing_level == d("10.23")
    assert folded(higher, "10.55", rules=HISTORIC).decision is None


def test_before_the_first_take_profit_nothing_trails():
    outcome = folded(holding(high_since_entry="13"), "10.10")
    assert (outcome.decision, outcome.position.trailing_level) == (None, None)


def test_trailing_with_nothing_sellable_is_blocked():
    outcome = folded(done(high_since_entry="13"), "11.00", sellable=0)
    assert (outcome.decision, outcome.blocked) == (None, TRAIL)


def test_the_stop_loss_wins_over_the_trailing_level():
    assert sold(folded(done(high_since_entry="13"), "11.05", "9.25", "9.60")) == (STOP, 1000)
    blocked = folded(done(high_since_entry="13"), "9.25", sellable=0)
    assert blocked.blocked == STOP


def test_the_stop_loss_wins_over_a_pullback_of_the_same_fold():
    armed = holding(armed=True, armed_high="10.80", high_since_entry="10.80")
    assert sold(folded(armed, "10.60", "9.20")) == (STOP, 1000)


def test_a_whole_life_in_one_fold_after_another():
    bought = folded(holding(), "10.20", "10.60", "10.90")
    assert (bought.decision, bought.position.armed_high) == (None, d("10.90"))
    first = folded(bought.position, "10.84")
    assert sold(first) == (FIRST, 600)
    left = replace(first.position, quantity=400, first_take_profit_done=True, armed=False)
    risen = folded(left, "11.40", "12.60", sellable=400)
    assert (risen.decision, risen.position.trailing_level) == (None, d("10.962"))
    assert sold(folded(risen.position, "10.96", sellable=400)) == (TRAIL, 400)


# -- what would sell next ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "rules", "expected"),
    [
        (holding(), RULES, (STOP, "9.25")),
        (holding(), NO_STOP, None),
        (holding(armed=True, armed_high="10.80"), RULES, (FIRST, "10.746")),
        (holding(armed=True, armed_high="10.80"), NO_PROFIT, (STOP, "9.25")),
        (holding(armed=True, armed_high="10.20"), RULES, (STOP, "9.25")),  # below its floor
        (done(high_since_entry="13"), RULES, (TRAIL, "11.05")),
        (done(high_since_entry="11", trailing_level="10.5504"), RULES, (TRAIL, "10.5504")),
        (done(high_since_entry="11", trailing_level="10.5504"), HISTORIC, (TRAIL, "10.23")),
        (done(high_since_entry="10.40"), RULES, (STOP, "9.25")),
        (done(high_since_entry="10.40"), NO_STOP, None),
        (opened(BANK, 100, d("0"), ENTRY_DAY), RULES, None),
    ],
)
def test_the_next_sale_is_the_highest_level_below(position, rules, expected):
    sale = next_sale(position, rules)
    assert sale == (None if expected is None else (expected[0], d(expected[1])))


# -- add-on buying -------------------------------------------------------------------------------

ADDING = replace(RULES, add_on_enabled=True)


@pytest.mark.parametrize(
    ("last", "quantity"),
    [
        ("9.31", 0),  # down 6.9 %
        ("9.30", 3700),  # down exactly 7 %: 35,000 yuan
        ("9.26", 3700),
        ("9.25", 0),  # the stop-loss sells here
        ("0", 0),
        ("NaN", 0),
    ],
)
def test_f055_an_add_on_buys_above_the_stop_only(last, quantity):
    bought = add_on_quantity(holding(), d(last), ADDING, d("35000"), d("70000"), LOT)
    assert bought == quantity


@pytest.mark.parametrize(
    ("position", "rules", "limit", "quantity"),
    [
        (holding(), RULES, "70000", 0),  # switched off
        (done(), ADDING, "70000", 0),
        (holding(), ADDING, "10300", 100),  # 1,000 yuan left
        (holding(), ADDING, "10299", 0),
        (holding("20"), ADDING, "20000", 0),  # less than one lot left
        (holding(), ADDING, "5000", 0),
    ],
)
def test_an_add_on_stays_inside_the_position_value(position, rules, limit, quantity):
    last = (position.cost * d("0.93")).quantize(d("0.01"))
    assert add_on_quantity(position, last, rules, d("35000"), d(limit), LOT) == quantity


# -- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "lowest", "highest", "step"),
    [
        ("stop_loss_ratio", "-0.20", "-0.01", "0.001"),
        ("first_take_profit_ratio", "0.01", "0.20", "0.001"),
        ("first_take_profit_sell_ratio", "0.01", "1", "0.001"),
        ("first_take_profit_pullback", "0", "0.05", "0.001"),
    ],
)
def test_a_ratio_outside_its_range_is_refused_by_name_value_and_range(
    field, lowest, highest, step
):
    def with_value(value: Decimal) -> ExitRules:
        changes: dict[str, Any] = {field: value}
        return replace(RULES, **changes)

    with_value(d(lowest))
    with_value(d(highest))
    for value in (d(lowest) - d(step), d(highest) + d(step)):
        with pytest.raises(SettingError) as caught:
            with_value(value)
        assert (caught.value.field, caught.value.value) == (field, value)
        assert str(caught.value) == (
            f"{field} is {value}, expected a number from {lowest} to {highest}"
        )
        assert field in caught.value.text.zh


@pytest.mark.parametrize(
    "value", ["-0.075", -0.075, True, None, Decimal("NaN"), Decimal("-Infinity")]
)
def test_f170_only_a_finite_decimal_is_a_ratio(value):
    with pytest.raises(SettingError):
        ExitRules(stop_loss_ratio=value)


@pytest.mark.parametrize(
    "tiers",
    [
        (("0.10", "0.93"), ("0.05", "0.96")),
        (("0.05", "0.96"), ("0.05", "0.93")),
        (("0.05", "1"),),
        (("0.05", "0"),),
        (("0", "0.96"),),
        (("-0.05", "0.96"),),
    ],
)
def test_tiers_rise_strictly_and_keep_below_the_peak(tiers):
    with pytest.raises(SettingError, match="trailing_tiers"):
        ExitRules(trailing_tiers=tuple((d(gain), d(share)) for gain, share in tiers))


def test_f055_an_add_on_below_the_stop_is_refused():
    with pytest.raises(SettingError, match="add_on_drop"):
        replace(ADDING, stop_loss_ratio=d("-0.07"))
    assert not ADDING.for_holding(stop_loss_ratio=d("-0.05")).add_on_enabled


def test_a_holding_has_its_own_thresholds():
    own = RULES.for_holding(stop_loss_ratio=d("-0.03"), first_take_profit_pullback=d("0"))
    assert (own.stop_loss_ratio, own.first_take_profit_pullback) == (d("-0.03"), d("0"))
    assert own.first_take_profit_ratio == RULES.first_take_profit_ratio
    with pytest.raises(SettingError):
        RULES.for_holding(stop_loss_ratio=d("-0.5"))


def test_a_holding_switched_off_keeps_its_high_and_sells_nothing():
    outcome = folded(holding(), "12", "8", rules=RULES.for_holding(enabled=False))
    assert (outcome.decision, outcome.position.high_since_entry) == (None, d("12"))
