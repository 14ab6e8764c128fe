"""Style B, quote by quote (rules §3.B)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from grid.domain.rules import ended, fold, paused, step
from grid.domain.state import (
    Outcome,
    Refusal,
    RefusalCode,
    Stop,
    StopCode,
    Tracker,
    Trade,
    reset,
    start,
)
from tests.unit.grid.cases import (
    STAR_LOT,
    at,
    centred,
    d,
    facts,
    fill,
    follow,
    quote,
    with_ledger,
)
from trading.domain.types import BookStatus, Side

pytestmark = [pytest.mark.fast, pytest.mark.grid]

B, S = Side.BUY, Side.SELL


def told(decisions):
    """Write decisions as `sell 200 @ 10.54` or by their code."""
    return [
        f"{one.side.value} {one.quantity} @ {one.trigger}"
        if isinstance(one, Trade)
        else one.code.value
        for one in decisions
    ]


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        # The worked example: armed above 10.5, the next quote is 10.00: below the floor 10.4475.
        (["10.51", "10.00"], ["BEYOND_LINE"]),
        # The floor is upper × (1 − callback) = 10.4475.
        (["10.51", "10.45"], ["sell 200 @ 10.45"]),
        (["10.51", "10.4475"], ["sell 200 @ 10.4475"]),
        (["10.51", "10.4474"], ["BEYOND_LINE"]),
        # Crossing is strict.
        (["10.50", "10.40", "10.50"], []),
        (["9.50", "9.60"], []),
        # The peak is followed; 10.80 × (0.005 − 0.0001) = 0.05292.
        (["10.60", "10.80", "10.75"], []),
        (["10.60", "10.80", "10.748"], []),
        (["10.60", "10.80", "10.747"], ["sell 200 @ 10.747"]),
        # Armed is armed, also just below the line, until it turned far enough.
        (["10.505", "10.49", "10.454"], []),
        (["10.505", "10.49", "10.453"], ["sell 200 @ 10.453"]),
        # The mirror: lower line 9.5, ceiling 9.5475.
        (["9.49", "10.00"], ["BEYOND_LINE"]),
        (["9.49", "9.5475"], ["buy 200 @ 9.5475"]),
        (["9.49", "9.5476"], ["BEYOND_LINE"]),
        (["9.40", "9.30", "9.345"], []),
        (["9.40", "9.30", "9.346"], ["buy 200 @ 9.346"]),
        # A trade is pending: nothing else is decided.
        (["10.51", "10.45", "10.60", "10.50", "9.40", "9.48"], ["sell 200 @ 10.45"]),
        # Prices that are none.
        (["10.51", "0", "10.45"], ["sell 200 @ 10.45"]),
        (["10.51", "NaN", "10.45"], ["sell 200 @ 10.45"]),
    ],
)  # fmt: skip
def test_lines_arm_and_a_turn_trades(prices, expected):
    assert told(follow(prices, centred())[1]) == expected


def test_the_quote_that_disarms_does_not_arm_the_other_side():
    rules = centred(max_deviation="0.5")
    state, said = follow(["10.51", "9.00"], rules)
    assert told(said) == ["BEYOND_LINE"]
    assert state == start(d(10))
    state, said = follow(["9.00"], rules, state=state)
    assert state.tracker is Tracker.FALLING


def test_a_suspended_symbol_decides_nothing():
    state, _ = follow(["10.51"], centred())
    halted = quote("10.45", 3, status=BookStatus.HALTED)
    assert step(state, halted, centred(), halted.time, facts()) == (state, None)


@pytest.mark.parametrize(
    ("known", "named", "expected"),
    [
        ({}, {}, "sell 200 @ 10.45"),  # 1000 × 25 % = 250 → 200
        ({"sellable": 500}, {}, "sell 100 @ 10.45"),
        ({"sellable": 300}, {}, "sell 100 @ 10.45"),  # below one lot → one lot
        ({"sellable": 100}, {}, "sell 100 @ 10.45"),
        ({"sellable": 99}, {}, "NOTHING_SELLABLE"),
        ({"sellable": 0}, {}, "NOTHING_SELLABLE"),
        ({"promised": 500}, {}, "sell 100 @ 10.45"),  # (1000 − 500) × 25 %
        ({"promised": 950}, {}, "NOTHING_SELLABLE"),
        ({"base_quantity": 100}, {}, "sell 100 @ 10.45"),  # never more than its lots and its base
        ({"base_quantity": 0}, {}, "NOTHING_SELLABLE"),
        ({"lot": STAR_LOT}, {}, "sell 250 @ 10.45"),
        ({"lot": STAR_LOT, "sellable": 500}, {}, "sell 200 @ 10.45"),
        ({"lot": STAR_LOT, "sellable": 199}, {}, "NOTHING_SELLABLE"),
        ({}, {"trade_mode": "shares", "fixed_quantity": 400}, "sell 400 @ 10.45"),
        ({"sellable": 350}, {"trade_mode": "shares", "fixed_quantity": 400}, "sell 300 @ 10.45"),
        ({}, {"trade_mode": "shares", "fixed_quantity": 0}, "sell 200 @ 10.45"),
        ({}, {"trade_mode": "amount", "fixed_quantity": 400}, "sell 200 @ 10.45"),
    ],
)
def test_the_size_of_a_sale(known, named, expected):
    assert told(follow(["10.51", "10.45"], centred(**named), facts(**known))[1]) == [expected]


@pytest.mark.parametrize(
    ("known", "named", "expected"),
    [
        ({}, {}, "buy 200 @ 9.45"),  # 1000 held × 25 % = 250 → 200
        ({"held": 300}, {}, "buy 100 @ 9.45"),  # below one lot → one lot
        ({"held": 4000}, {}, "buy 1000 @ 9.45"),
        # 9.45 × 1.02 = 9.639: the budget pays 9.
        ({"held": 4000}, {"max_investment": "9638"}, "buy 900 @ 9.45"),
        ({"held": 4000}, {"max_investment": "9639"}, "buy 1000 @ 9.45"),
        ({"reserved_buys": d("19036")}, {}, "buy 100 @ 9.45"),
        ({"reserved_buys": d("19037")}, {}, "BUDGET"),
        ({"reserved_buys": d("30000")}, {}, "BUDGET"),
        # Not above limit-up: reserved at 9.50, which the budget pays once more.
        ({"reserved_buys": d("19050"), "limit_up": d("9.50")}, {}, "buy 100 @ 9.45"),
        # Without a holding: min(left, 20,000 × 25 %) at 9.639 = 518.7 → 500.
        ({"held": 0}, {}, "buy 500 @ 9.45"),
        ({"held": 0, "reserved_buys": d("18000")}, {}, "buy 200 @ 9.45"),
        ({"held": None}, {}, "HOLDING_UNKNOWN"),
        ({"held": 1000, "lot": STAR_LOT}, {}, "buy 250 @ 9.45"),
        ({"held": 100, "lot": STAR_LOT}, {}, "buy 200 @ 9.45"),
        ({}, {"trade_mode": "shares", "fixed_quantity": 700}, "buy 700 @ 9.45"),
        ({}, {"trade_mode": "shares", "fixed_quantity": 700, "max_investment": "6000"}, "buy 600 @ 9.45"),
    ],
)  # fmt: skip
def test_the_size_of_a_buy(known, named, expected):
    known = facts(**{"base_quantity": 0, **known})
    assert told(follow(["9.40", "9.45"], centred(**named), known)[1]) == [expected]


def test_open_lots_use_up_the_budget():
    known = with_ledger(facts(), fill(1, "buy", 1900, "10"))
    assert told(
        follow(["9.40", "9.45"], centred(stop_loss="-0.5", target_profit="1"), known)[1]
    ) == ["buy 100 @ 9.45"]


def test_a_buy_names_the_price_it_is_reserved_at():
    _, (trade,) = follow(["9.40", "9.45"], centred())
    assert isinstance(trade, Trade)
    assert (trade.highest, trade.lots) == (d("9.6390"), ())


@pytest.mark.parametrize("code", ["denied", "expired", "sized to nothing"])
def test_f092_a_trigger_that_comes_to_nothing_resets_the_tracker_and_keeps_the_centre(code):
    rules = centred()
    if code == "sized to nothing":
        state, _ = follow(["10.51", "10.45"], rules, facts(sellable=0))
    else:
        state, (trade,) = follow(["10.51", "10.45"], rules)
        assert state.pending == trade
        state = reset(state)
    assert (state.tracker, state.pending, state.centre) == (Tracker.IDLE, None, d(10))
    # … and the next crossing starts anew, once the line has rested.
    _, said = follow(["10.60", "10.50"], rules, state=state, since=70)
    assert told(said) == ["sell 200 @ 10.50"]


def test_after_a_fill_the_centre_is_the_average_price_of_the_whole_order():
    rules = centred()
    state, _ = follow(["10.51", "10.45"], rules)
    state = ended(state, Outcome(S, 200, d("2091.00"), at(5)), rules)
    assert (state.centre, state.first_centre) == (d("10.455"), d(10))
    assert (state.tracker, state.pending) == (Tracker.IDLE, None)
    assert (state.last_sell_at, state.last_sale, state.last_buy_at) == (at(5), d("10.455"), None)


def test_an_order_that_ends_partly_filled_counts_with_what_filled():
    rules = centred()
    state, _ = follow(["9.40", "9.45"], rules)
    state = ended(state, Outcome(B, 37, d("350.00"), at(5)), rules)
    assert (state.centre, state.last_buy_at) == (d("9.45945946"), at(5))


def test_an_order_that_filled_nothing_moves_nothing():
    rules = centred()
    state, _ = follow(["9.40", "9.45"], rules)
    assert ended(state, Outcome(B, 0, d(0), at(5)), rules) == replace(
        start(d(10)), buy_tried_at=at(3)
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(59, ["COOLDOWN"]), (60, ["sell 200 @ 10.45"])],
)
def test_the_same_line_rests_60_seconds(seconds, expected):
    state, _ = follow(["10.51", "10.45"], centred())  # triggers at 3 s
    state = reset(state)  # denied
    _, said = follow(["10.51", "10.45"], centred(), state=state, since=seconds)
    assert told(said) == expected


def test_the_other_line_does_not_rest_with_it():
    state, _ = follow(["10.51", "10.45"], centred())
    _, said = follow(["9.40", "9.45"], centred(), state=reset(state), since=10)
    assert told(said) == ["buy 200 @ 9.45"]


@pytest.mark.parametrize(
    ("side", "seconds", "prices", "expected"),
    [
        # The last trade was at 0 s and 10.00; the second quote comes 3 s later.
        (
            "sell",
            296,
            ["10.52", "10.46"],
            ["sell 200 @ 10.46"],
        ),  # 4.6 % above the last sale: 150 s
        ("sell", 147, ["10.52", "10.46"], ["sell 200 @ 10.46"]),
        ("sell", 146, ["10.52", "10.46"], ["COOLDOWN"]),
        ("buy", 297, ["9.40", "9.45"], ["buy 200 @ 9.45"]),
        ("buy", 296, ["9.40", "9.45"], ["COOLDOWN"]),
    ],
)
def test_a_side_rests_after_its_trade(side, seconds, prices, expected):
    rules = centred()
    state = ended(start(d(10)), Outcome(Side(side), 100, d(1000), at(0)), rules)
    _, said = follow(prices, rules, state=state, since=seconds)
    assert told(said) == expected


@pytest.mark.parametrize(
    ("price", "seconds", "expected"),
    [
        ("10.20", 150, "COOLDOWN"),  # exactly 2 % above is not more
        ("10.20", 297, "sell 200 @ 10.20"),
        ("10.201", 147, "sell 200 @ 10.201"),
        ("10.201", 146, "COOLDOWN"),
    ],
)
def test_f103_a_rally_of_more_than_2_percent_halves_the_rest(price, seconds, expected):
    rules = centred(interval="0.01", callback="0.001", max_deviation="0.5")
    state = ended(start(d(10)), Outcome(S, 100, d(1000), at(0)), rules)
    _, said = follow(["10.22", price], rules, state=state, since=seconds)
    assert told(said) == [expected]


def test_a_sell_does_not_rest_because_of_a_buy():
    rules = centred()
    state = ended(start(d(10)), Outcome(B, 100, d(1000), at(0)), rules)
    assert told(follow(["10.51", "10.45"], rules, state=state, since=10)[1]) == [
        "sell 200 @ 10.45"
    ]


@pytest.mark.parametrize(
    ("centre", "price", "expected"),
    [
        ("10", "11.50", None),  # exactly 15 %: strictly more is needed
        ("10", "11.5001", StopCode.DEVIATION),
        ("10", "8.50", None),
        ("10", "8.4999", StopCode.DEVIATION),
        ("11.50", "11.50", None),
        ("11.51", "11.51", StopCode.DEVIATION),
        ("8.49", "8.49", StopCode.DEVIATION),
        ("11", "12.65", None),  # measured from the present centre
        ("11", "12.66", StopCode.DEVIATION),
    ],
)
def test_a_session_ends_beyond_its_deviation(centre, price, expected):
    state = replace(start(d(10)), centre=d(centre))
    decision = step(state, quote(price), centred(), at(0), facts())[1]
    assert (decision.code if isinstance(decision, Stop) else None) == expected


BOUGHT = fill(1, "buy", 1000, "10", "5")
SOLD = fill(2, "sell", 500, "10.50", "7.625")


@pytest.mark.parametrize(
    ("fills", "price", "expected"),
    [
        # max_investment 20,000: target 2,000, loss −2,000. One buy of 1000 @ 10 with 5 yuan fees.
        ([BOUGHT], "11.45", None),  # a gain needs a sell too
        ([BOUGHT], "8.51", None),
        ([replace(BOUGHT, quantity=2000)], "9.0025", StopCode.LOSS),  # −1995 − 5
        ([replace(BOUGHT, quantity=2000)], "9.0026", None),
        # 5,250 − 40,000 − 12.625 + 3,500 × price = 2,000 at 10.50360…
        ([BOUGHT, SOLD], "11.49", None),
        ([replace(BOUGHT, quantity=4000), SOLD], "10.5036", None),
        ([replace(BOUGHT, quantity=4000), SOLD], "10.5037", StopCode.TARGET),
        # A session that only sold has neither: 2,000 shares sold at 10.50, bought back nowhere.
        ([replace(SOLD, quantity=2000)], "9.00", None),
        ([replace(SOLD, quantity=2000)], "11.50", None),
        ([], "9.00", None),
    ],
)
def test_a_session_ends_at_its_target_or_loss_marked_to_market(fills, price, expected):
    known = with_ledger(facts(held=9000, sellable=9000, base_quantity=9000), *fills)
    decision = step(start(d(10)), quote(price), centred(), at(0), known)[1]
    assert (decision.code if isinstance(decision, Stop) else None) == expected


def test_f093_the_first_buy_is_no_loss():
    known = with_ledger(facts(), fill(1, "buy", 400, "9.50", "5"))
    assert step(start(d("9.50")), quote("9.50"), centred(), at(0), known)[1] is None


@pytest.mark.parametrize(("seconds", "expected"), [(0, None), (1, StopCode.EXPIRED)])
def test_a_session_ends_after_its_end(seconds, expected):
    known = facts(ends_at=at(100))
    decision = step(start(d(10)), quote("10"), centred(), at(100 + seconds), known)[1]
    assert (decision.code if isinstance(decision, Stop) else None) == expected


@pytest.mark.parametrize(
    ("reads", "base", "stops"),
    [
        # (held, second of the read)
        ([(0, 1), (0, 2)], 1000, True),
        ([(0, 1), (0, 1)], 1000, False),  # one read, seen by two quotes
        ([(0, 1), (None, 2)], 1000, False),
        ([(0, 1), (None, 2), (0, 3)], 1000, True),  # a failed read is neither
        ([(0, 1), (100, 2), (0, 3)], 1000, False),
        ([(None, 1), (None, 2)], 1000, False),
        ([(0, 1), (0, 2)], 0, False),  # it never had any
    ],
)
def test_f098_only_two_confirmed_reads_of_an_empty_holding_end_a_session(reads, base, stops):
    state, decision = start(d(10)), None
    for held, read in reads:
        known = facts(held=held, sellable=0, base_quantity=base, read_at=at(read))
        state, decision = step(state, quote("10"), centred(), at(read), known)
    assert isinstance(decision, Stop) == stops


def test_exits_come_in_their_order():
    known = with_ledger(facts(ends_at=at(-1)), fill(1, "buy", 9000, "10"))
    codes = []
    for price in ("8.49", "8.60", "10"):
        decision = step(start(d(10)), quote(price), centred(), at(0), known)[1]
        assert isinstance(decision, Stop)
        codes.append(decision.code.value)
    assert codes == ["DEVIATION", "LOSS", "EXPIRED"]


def test_a_paused_session_watches_its_exits_and_trades_nothing():
    state, _ = follow(["10.51"], centred())
    state = paused(state)
    known = facts(may_trade=False)
    same, said = follow(["10.60", "10.50", "9.40", "9.48"], centred(), known, state)
    assert (same, said) == (state, [])
    assert told(follow(["11.60"], centred(), known, state)[1]) == ["DEVIATION"]


def test_an_exit_is_watched_while_a_trade_is_pending():
    state, _ = follow(["10.51", "10.45"], centred())
    assert told(follow(["11.60"], centred(), state=state)[1]) == ["DEVIATION"]


def test_quotes_between_two_ticks_are_followed_each_and_one_trade_is_decided():
    path = ["10.51", "10.60", "10.54", "10.40", "9.00"]
    seen = [quote(price, 2 * number) for number, price in enumerate(path)]
    state, decisions = fold(start(d(10)), seen, centred(), facts())
    assert told(decisions) == ["sell 200 @ 10.54"]
    assert state.pending == decisions[0]
    assert state.sell_tried_at == at(4)


@pytest.mark.parametrize(
    ("oldest", "expected"),
    [
        (4, ["sell 200 @ 10.54"]),  # as old as a signal may be
        (5, ["TOO_LATE"]),  # its signal would have expired
        (9, ["TOO_LATE", "buy 200 @ 9.45"]),  # what came later still trades
    ],
)
def test_a_line_touched_before_an_outage_trades_only_while_its_signal_would_live(oldest, expected):
    path = ["10.51", "10.60", "10.54", "10.40", "9.40", "9.45"]
    seen = [quote(price, 2 * number) for number, price in enumerate(path)]
    if oldest < 9:
        seen = seen[:4]

    _, decisions = fold(start(d(10)), seen, centred(), facts(), at(oldest))

    assert told(decisions) == expected


def test_a_cooldown_is_told_as_a_refusal_with_its_reason():
    state = ended(start(d(10)), Outcome(B, 100, d(1000), at(0)), centred())
    _, (refusal,) = follow(["9.40", "9.45"], centred(), state=state, since=10)
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.COOLDOWN
    assert "300" in refusal.text.en
    assert "300" in refusal.text.zh


def test_cooldowns_are_counted_over_the_night():
    state = ended(start(d(10)), Outcome(B, 100, d(1000), at(0)), centred())
    later = at(0) + timedelta(days=1)
    known = facts(on=later.date())
    state, _ = step(state, replace(quote("9.40"), time=later), centred(), later, known)
    after = later + timedelta(seconds=3)
    _, trade = step(state, replace(quote("9.45"), time=after), centred(), after, known)
    assert isinstance(trade, Trade)
