"""A corporate action by itself decides nothing: not for a holding, not for a grid of either style, whatever its state.

The same moment is looked at twice, as it was and scaled. What a price two ticks beside would decide differently is left
out: prices after an event are rounded to the tick.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grid.domain.ledger import scaled as scaled_ledger
from grid.domain.rules import step
from grid.domain.state import Refusal, Stop, Trade, scaled_state, start
from tests.unit.domain.exit_cases import BANK, LOT, at, d, holding
from tests.unit.domain.test_exit_properties import positions, rules
from tests.unit.grid import cases
from tests.unit.grid.test_properties import all_rules, fillings, paths
from trading.domain.exits import fold
from trading.domain.positions import scale
from trading.domain.types import Quote

pytestmark = [pytest.mark.fast, pytest.mark.exits, pytest.mark.grid]

TICK = Decimal("0.01")
#: More than what the rounding of a lot's amount (to the fen) and of a level moves, as a ratio.
EDGE = Decimal("0.0001")
#: Prices × factor, shares × ratio: bonus shares, cash, rights, a fund's split, its merger, several at once.
EVENTS = [
    ("0.5", "2"), ("0.9725", "1"), ("0.909090909091", "1"), ("0.25", "4"), ("2", "0.5"),
    ("0.7592757595", "1.3"),
]  # fmt: skip
events = st.sampled_from(EVENTS).map(lambda pair: (Decimal(pair[0]), Decimal(pair[1])))
cents = st.integers(500, 2_500).map(lambda n: Decimal(n) / 100)


@st.composite
def holdings(draw):
    """A holding at any point of a usual life, and a price near one of its levels."""
    cost = draw(st.integers(800, 1_200)) * TICK
    high = (cost * draw(st.integers(1_000, 1_600)) / 1_000).quantize(TICK)
    done = draw(st.booleans())
    armed = not done and draw(st.booleans())
    level = (high * draw(st.sampled_from([d("0.96"), d("0.9"), d("0.83")]))).quantize(d("0.0001"))
    position = holding(
        str(cost),
        high_since_entry=high,
        first_take_profit_done=done,
        armed=armed,
        armed_high=high if armed else Decimal(0),
        trailing_level=level if done and draw(st.booleans()) else None,
    )
    around = draw(st.sampled_from([cost, high, level, cost * d("0.925"), cost * d("1.06")]))
    return position, (around * draw(st.integers(900, 1_100)) / 1_000).quantize(TICK)


def exit_of(position, price, exit_rules):
    quote = Quote(BANK, at(0), price, price)
    outcome = fold(position, [quote], exit_rules, position.quantity, LOT)
    kind = None if outcome.decision is None else outcome.decision.kind
    return kind, outcome.blocked, outcome.position.armed


@settings(max_examples=300)
@given(st.tuples(positions(), cents) | holdings() | holdings(), rules, events)
def test_no_exit_is_decided_or_lost_because_of_the_event_alone(moment, exit_rules, event):
    (position, price), (factor, ratio) = moment, event
    slack = 2 * TICK / (min(price, Decimal(5)) * factor)

    def moved(value, by):
        return value * (1 + by * slack)

    def beside(by):
        close, high, armed_high, level = by
        state = replace(
            position,
            high_since_entry=moved(position.high_since_entry, high),
            armed_high=moved(position.armed_high, armed_high),
            trailing_level=None
            if position.trailing_level is None
            else moved(position.trailing_level, level),
        )
        return exit_of(state, moved(price, close), exit_rules)

    here = exit_of(position, price, exit_rules)
    assume(all(beside(by) == here for by in itertools.product((-1, 0, 1), repeat=4)))
    reference = (price * factor / TICK).quantize(Decimal(1)) * TICK
    after = scale(position, factor, ratio, TICK)
    assume(after.quantity > 0 and (after.bought_quantity > 0) == (position.bought_quantity > 0))
    assert exit_of(after, reference, exit_rules) == here


def said(decision):
    """Which way it goes: what is too small a lot after a merger is refused, and goes the same way."""
    match decision:
        case Trade(side=side) | Refusal(side=side):
            return side
        case Stop(code=code):
            return code
    return None


@settings(max_examples=200)
@given(all_rules, paths(), fillings(), events)
def test_no_grid_trades_or_stops_because_of_the_event_alone(grid_rules, path, filling, event):
    """Whenever in its life the event comes."""
    market = cases.Market(grid_rules, start(d("10")), base=1000, filling=filling)
    for price, time in path:
        market.quote(price, time)
        if market.stopped is not None:
            return
        if market.state.pending is None:
            for change in (0, -12, 12):
                unmoved(market, (price * (1000 + change) / 1000).quantize(TICK), time, *event)


def unmoved(market, price, time, factor, ratio):
    """Look at one price the next morning, as the session is and scaled."""
    morning = cases.at(0, time.date() + timedelta(days=1))
    known = replace(market.facts(), on=morning.date(), sellable=market.held)
    slack = 2 * TICK / (price * factor)

    def grid_of(state, at_price, facts):
        quote = Quote(BANK, morning, at_price, at_price)
        return said(step(state, quote, market.rules, morning, facts)[1])

    reference = (price * factor / TICK).quantize(Decimal(1)) * TICK
    same = reference / factor  # between two lots' exits may lie a gap narrower than the slack
    prices = [price * (1 + by * slack) for by in (-1, 0, 1)]
    prices += [same * (1 + by * EDGE) for by in (-1, 0, 1)]
    here = {grid_of(market.state, at_price, known) for at_price in prices}
    if len(here) > 1:
        return
    after = replace(
        known,
        ledger=scaled_ledger(market.ledger, factor, ratio),
        held=int(known.held * ratio),
        sellable=int(known.sellable * ratio),
        base_quantity=int(known.base_quantity * ratio),
    )
    assert grid_of(scaled_state(market.state, factor), reference, after) in here
