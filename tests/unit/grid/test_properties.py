"""What must hold on any path of prices, with any filling, for both styles."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.domain.ledger import GridFill, Ledger, book, rebuild, scaled
from grid.domain.rules import fold
from grid.domain.state import Decision, from_json, start, to_json
from tests.unit.grid.cases import TODAY, Market, at, centred, d, lots, quote
from trading.domain.types import Side

pytestmark = [pytest.mark.fast, pytest.mark.grid]

CENT = Decimal("0.01")

all_rules = st.one_of(
    st.builds(
        centred,
        max_investment=st.sampled_from(["3000", "20000", "60000"]),
        interval=st.sampled_from(["0.01", "0.02", "0.05"]),
        position_ratio=st.sampled_from(["0.1", "0.25", "1"]),
        callback=st.sampled_from(["0.001", "0.003"]),
        max_deviation=st.just("0.5"),
        target_profit=st.just("1"),
        stop_loss=st.just("-0.5"),
        trade_mode=st.sampled_from(["amount", "shares"]),
        fixed_quantity=st.sampled_from([0, 100, 700]),
    ),
    st.builds(
        lots,
        max_investment=st.sampled_from(["5000", "12000", "60000"]),
        grid_price_drop=st.sampled_from(["0.005", "0.02"]),
        grid_take_profit_ratio=st.sampled_from(["0.005", "0.03"]),
        grid_stop_loss_ratio=st.sampled_from(["-0.01", "-0.10"]),
        grid_max_hold_days=st.just(1),
        max_lots=st.sampled_from([1, 3, 10]),
    ),
)


@st.composite
def paths(draw):
    """Prices around 10 that wander in jumps of up to 2 %, 90 s apart, over up to four days."""
    price, time = Decimal(10), at(0)
    made = []
    for jump in draw(st.lists(st.integers(-20, 20), min_size=1, max_size=120)):
        price = max((price * (1000 + jump) / 1000).quantize(CENT), CENT)
        time += timedelta(seconds=90)
        if time.hour >= 15:
            time = at(0, time.date() + timedelta(days=1))
        made.append((price, time))
    return made


@st.composite
def fillings(draw):
    """How much of each order trades: all of it, a part, an odd part, nothing."""
    parts = draw(st.lists(st.sampled_from([1, 1, 2, 3, 0]), min_size=1, max_size=6))
    numbers = iter(range(10**6))

    def filling(trade):
        part = parts[next(numbers) % len(parts)]
        return 0 if part == 0 else max(1, trade.quantity // part)

    return filling


@given(all_rules, paths(), fillings(), st.sampled_from([0, 1000]), st.booleans())
def test_a_session_never_outgrows_its_budget_its_lots_or_its_base(rules, path, filling, base, t1):
    market = Market(rules, start(d(10)), base=base, t1=t1, filling=filling)
    before = market.cash
    for price, time in path:
        free = market.held - (market.bought_today if t1 and time.date() == market.on else 0)
        known = market.ledger
        decision = market.quote(price, time)
        ledger = market.ledger
        assert ledger.cost <= rules.max_investment
        assert market.held >= 0
        assert all(
            lot.quantity > 0 and lot.amount > 0 and lot.fees >= 0
            for lot in (*ledger.lots, *ledger.unmatched)
        )
        assert ledger.unmatched_quantity <= base
        assert not (ledger.lots and ledger.unmatched)
        # Shares and cash are conserved, to the last hundredth of a cent.
        assert market.held == base + ledger.net_quantity
        assert market.cash - before == ledger.sold_amount - ledger.bought_amount - ledger.fees
        assert ledger.profit(price) == market.cash - before + ledger.net_quantity * price
        if (
            decision is not None
            and getattr(decision, "side", None) is Side.SELL
            and hasattr(decision, "quantity")
        ):
            assert decision.quantity <= free
            assert decision.quantity <= known.quantity + base
        if rules.style == "lot":
            assert len(ledger.lots) <= rules.max_lots
            assert ledger.unmatched == ()


@given(all_rules, paths(), fillings())
def test_rebuilding_from_the_fills_gives_the_same_ledger(rules, path, filling):
    market = Market(rules, start(d(10)), base=1000, filling=filling).play(path)
    assert rebuild(market.fills) == market.ledger


@given(all_rules, paths(), fillings())
def test_a_restart_at_any_quote_changes_nothing(rules, path, filling):
    used: list[int] = []

    def counted(trade):
        used.append(filling(trade))
        return used[-1]

    through = Market(rules, start(d(10)), base=1000, filling=counted).play(path)
    again = iter(used)
    restarted = Market(rules, start(d(10)), base=1000, filling=lambda trade: next(again))
    for price, time in path:
        restarted.state = from_json(json.loads(json.dumps(to_json(restarted.state))))
        restarted.ledger = rebuild(restarted.fills)
        restarted.quote(price, time)
    assert restarted.said == through.said
    assert restarted.state == through.state
    assert restarted.ledger == through.ledger


@given(all_rules, paths(), st.integers(1, 20))
def test_following_quotes_together_or_one_by_one_is_the_same(rules, path, size):
    """Up to the first trade: then the service fills in between."""
    market = Market(rules, start(d(10)), base=1000)
    known = market.facts()
    quotes = [replace(quote(price), time=time) for price, time in path]
    quotes = [one for one in quotes if one.time.date() == TODAY]
    together, said = fold(start(d(10)), quotes, rules, known)
    one_by_one = start(d(10))
    told: list[Decision] = []
    for index in range(0, len(quotes), size):
        if one_by_one.pending is not None or (
            told and hasattr(told[-1], "code") and not hasattr(told[-1], "side")
        ):
            break
        one_by_one, more = fold(one_by_one, quotes[index : index + size], rules, known)
        told += more
    assert (together, list(said)) == (one_by_one, told)


grid_fills = st.lists(
    st.builds(
        lambda order, side, quantity, cents, fees: GridFill(
            order, side, quantity, Decimal(cents) / 100, Decimal(fees) / 100, TODAY
        ),
        st.integers(1, 5),
        st.sampled_from(list(Side)),
        st.integers(1, 1000),
        st.integers(300, 3000),
        st.integers(0, 999),
    ),
    max_size=30,
)


@given(grid_fills)
def test_lifo_matches_a_stack_of_single_shares(fills):
    """The same books kept share by share: a stack of bought shares, a stack of sold ones."""
    # One order is one lot: give every fill an order of its own.
    fills = [replace(one, order=number, quantity=one.quantity % 40 + 1, fees=Decimal(0)) for number, one in enumerate(fills)]  # fmt: skip
    bought: list[tuple[int, Decimal]] = []
    sold: list[tuple[int, Decimal]] = []
    realised = Decimal(0)
    for one in fills:
        own, other = (bought, sold) if one.side is Side.BUY else (sold, bought)
        for _ in range(one.quantity):
            if other:
                _, price = other.pop()
                realised += one.price - price if one.side is Side.SELL else price - one.price
            else:
                own.append((one.order, one.price))
    ledger = rebuild(fills)
    assert ledger.realised == realised
    for lots_, shares in ((ledger.lots, bought), (ledger.unmatched, sold)):
        assert [(lot.id, lot.price) for lot in lots_ for _ in range(lot.quantity)] == shares


@given(grid_fills)
def test_profit_is_what_came_in_less_what_went_out(fills):
    ledger = Ledger()
    for one in fills:
        ledger = book(ledger, one)
    price = Decimal("12.34")
    flow = ledger.sold_amount - ledger.bought_amount - ledger.fees
    assert ledger.profit(price) == flow + (ledger.bought_quantity - ledger.sold_quantity) * price
    assert ledger.profit(price) == ledger.realised + ledger.unrealised(price)


@given(grid_fills, st.sampled_from([(Decimal("0.5"), Decimal(2)), (Decimal("0.97"), Decimal(1))]))
def test_a_split_changes_no_value(fills, action):
    factor, ratio = action
    ledger = rebuild(fills)
    after = scaled(ledger, factor, ratio)
    assert after.net_quantity == ledger.net_quantity * ratio
    assert after.cost == pytest.approx(ledger.cost * factor * ratio, abs=Decimal("0.01"))
