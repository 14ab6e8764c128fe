from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.exit_cases import BANK, ENTRY_DAY, LOT, RULES, at, d
from trading.domain.exits import ExitRules, fold, next_sale, trailing_level
from trading.domain.positions import Position
from trading.domain.types import Quote, SignalKind

pytestmark = [pytest.mark.fast, pytest.mark.exits]

prices = st.integers(500, 2_500).map(lambda cents: Decimal(cents) / 100)
rules = st.builds(
    ExitRules,
    stop_loss_enabled=st.booleans(),
    take_profit_enabled=st.booleans(),
    stop_loss_ratio=st.integers(-200, -10).map(lambda n: Decimal(n) / 1000),
    first_take_profit_ratio=st.integers(10, 200).map(lambda n: Decimal(n) / 1000),
    first_take_profit_sell_ratio=st.integers(1, 100).map(lambda n: Decimal(n) / 100),
    first_take_profit_pullback=st.integers(0, 50).map(lambda n: Decimal(n) / 1000),
    trailing_never_lowers=st.booleans(),
)


@st.composite
def positions(draw: st.DrawFn) -> Position:
    """Holdings with any stored state, corrupt highs and levels among them."""
    bought = draw(st.integers(1, 5_000))
    cost = draw(prices)
    armed = draw(st.booleans())
    return Position(
        BANK,
        quantity=draw(st.integers(1, bought)),
        bought_quantity=bought,
        bought_amount=draw(st.sampled_from([Decimal(0), cost * bought + 1, cost * bought])),
        opened_on=ENTRY_DAY,
        base_cost=draw(st.sampled_from([None, cost])),
        high_since_entry=draw(
            prices | st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(900)])
        ),
        first_take_profit_done=draw(st.booleans()),
        armed=armed,
        armed_high=draw(prices) if armed else Decimal(0),
        trailing_level=draw(st.none() | prices),
        seen=draw(st.sampled_from([None, at(-60)])),
    )


@st.composite
def walks(draw: st.DrawFn) -> list[Quote]:
    """Quotes of the entry day or a later one, with a day high that is the highest so far or not stated."""
    day = draw(st.sampled_from([ENTRY_DAY, date(2026, 7, 21)]))
    made, high = [], Decimal(0)
    for number, price in enumerate(draw(st.lists(prices | st.just(Decimal(0)), max_size=25))):
        high = max(high, price)
        shown = draw(st.sampled_from([high, Decimal(0)]))
        made.append(Quote(BANK, at(3 * number, day), price, Decimal(10), high=shown))
    return made


@given(positions(), walks(), rules, st.integers(0, 5_000))
def test_folding_one_by_one_leaves_the_same_state_as_folding_together(
    position, walk, settings, free
):
    together = fold(position, walk, settings, free, LOT).position
    one_by_one = position
    for quote in walk:
        one_by_one = fold(one_by_one, [quote], settings, free, LOT).position
    assert one_by_one == together


@given(positions(), walks(), rules)
def test_folding_the_newest_quote_again_changes_no_state(position, walk, settings):
    once = fold(position, walk, settings, 100, LOT).position
    stated = [quote for quote in walk if quote.last > 0]
    assert fold(once, stated[-1:], settings, 100, LOT).position == once


@given(positions(), walks(), rules, st.integers(0, 5_000))
def test_a_decision_sells_something_and_never_more_than_is_sellable(
    position, walk, settings, free
):
    outcome = fold(position, walk, settings, free, LOT)
    if outcome.decision is None:
        return
    assert 0 < outcome.decision.quantity <= free
    assert outcome.blocked is None
    if outcome.decision.kind is not SignalKind.FIRST_TAKE_PROFIT:
        assert outcome.decision.quantity == free
    elif free >= LOT.minimum:
        assert outcome.decision.quantity >= LOT.minimum


@given(positions(), walks(), rules, st.integers(0, 5_000))
def test_a_stop_loss_is_decided_exactly_when_a_price_reached_the_stop(
    position, walk, settings, free
):
    cost = Fraction(position.bought_amount) / position.bought_quantity
    if cost <= 0:
        cost = Fraction(position.base_cost or 0)
    stop = cost * (1 + Fraction(settings.stop_loss_ratio))
    reached = settings.stop_loss_enabled and any(0 < quote.last <= stop for quote in walk)
    outcome = fold(position, walk, settings, free, LOT)
    kind = outcome.blocked if outcome.decision is None else outcome.decision.kind
    assert (kind is SignalKind.STOP_LOSS) == reached


@given(walks(), walks(), st.integers(100, 5_000))
def test_the_trailing_level_of_a_sound_life_never_lowers(morning, afternoon, quantity):
    position = Position(
        BANK,
        quantity,
        quantity,
        Decimal(10) * quantity,
        ENTRY_DAY,
        base_cost=Decimal(10),
        high_since_entry=Decimal(10),
        first_take_profit_done=True,
    )
    level = Decimal(0)
    for quote in morning + afternoon:
        position = fold(position, [quote], RULES, quantity, LOT).position
        now = position.trailing_level or Decimal(0)
        assert level <= now < position.high_since_entry
        assert position.trailing_level == trailing_level(position, RULES)
        level = now


@given(positions(), walks(), rules)
def test_what_is_never_the_folds_business_stays(position, walk, settings):
    after = fold(position, walk, settings, 100, LOT).position
    kept = replace(
        after,
        high_since_entry=position.high_since_entry,
        armed=position.armed,
        armed_high=position.armed_high,
        trailing_level=position.trailing_level,
        seen=position.seen,
    )
    assert kept == position


@given(positions(), rules)
def test_the_price_of_the_next_sale_does_sell_and_a_higher_one_does_not(position, settings):
    position = fold(position, [Quote(BANK, at(0), d("25"), d("10"))], settings, 100, LOT).position
    sale = next_sale(position, settings)
    if sale is None or not settings.first_take_profit_pullback:
        return  # without a pullback any price above the first ratio sells
    kind, level = sale
    at_level = fold(position, [Quote(BANK, at(3), level, d("10"))], settings, 100, LOT).decision
    above = Quote(BANK, at(3), level + d("0.01"), d("10"))
    assert at_level is not None
    assert at_level.kind is kind
    assert fold(position, [above], settings, 100, LOT).decision is None
