"""The portfolio of a tick: what is promised, reserved and worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.orders import OrderState, WorkingRef
from trading.domain.portfolio import AccountFacts, Portfolio
from trading.domain.positions import Position
from trading.domain.types import CHINA, Purpose, Quote, Side, SignalKind, Symbol

pytestmark = [pytest.mark.fast, pytest.mark.orders]

K, S = SignalKind, OrderState
BANK, LIQUOR = Symbol("600036.SH"), Symbol("600519.SH")
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=CHINA)
ACCOUNT = AccountFacts(Decimal(50_000), Decimal(60_000), Decimal(62_500))


def holding(symbol, quantity=1000):
    return Position(symbol, quantity, quantity, quantity * Decimal(10), date(2026, 11, 20))


def sale(name, kind, quantity=300, filled=0, state=S.SUBMITTED, symbol=BANK):
    return WorkingRef(name, symbol, Side.SELL, kind, state, quantity, filled, Decimal(10))


def purchase(name, quantity=100, filled=0, state=S.SUBMITTED, symbol=BANK, kind=K.GRID):
    cash = quantity * Decimal("10.10")
    return WorkingRef(
        name, symbol, Side.BUY, kind, state, quantity, filled, Decimal(10), cash=cash
    )


def quote(symbol=BANK, last="12", previous_close="11"):
    return Quote(symbol, NOW, Decimal(last), Decimal(previous_close))


def portfolio(*working, **change):
    return Portfolio(
        ACCOUNT, {BANK: holding(BANK)}, working=working, quotes={BANK: quote()}, **change
    )


def test_f057_shares_are_promised_across_engines():
    known = portfolio(sale("M1", K.STOP_LOSS), sale("M2", K.GRID, 200, filled=50))
    assert known.promised_shares(BANK) == 450
    assert known.promised_shares(BANK, at_least=K.MANUAL.priority) == 300
    assert known.promised_shares(BANK, at_least=K.STOP_LOSS.priority) == 300
    assert known.promised_shares(LIQUOR) == 0


def test_f025_an_unknown_sale_keeps_its_shares_from_every_other_order():
    known = portfolio(sale("M1", K.GRID, state=S.UNKNOWN))
    assert known.promised_shares(BANK, at_least=K.STOP_LOSS.priority) == 300


def test_cash_is_reserved_once_whoever_has_frozen_it():
    known = portfolio(purchase("M1"), purchase("M2"), frozen_at_broker=frozenset({"M1"}))
    assert known.reserved_cash() == Decimal(2020)
    assert known.free_cash() == Decimal(48_990)


def test_free_cash_is_not_known_when_the_broker_did_not_say_and_never_below_nothing():
    unknown = replace(portfolio(), account=replace(ACCOUNT, cash=None))
    assert unknown.free_cash() is None
    poor = replace(portfolio(purchase("M1")), account=replace(ACCOUNT, cash=Decimal(5)))
    assert poor.free_cash() == 0


def test_f054_the_value_of_a_holding_includes_what_is_being_bought():
    known = portfolio(purchase("M1", 100, filled=40), purchase("M2", symbol=LIQUOR))
    assert known.position_value(BANK) == 1000 * 12 + 60 * 10
    assert known.position_value(LIQUOR) == 100 * 10
    assert known.total_position_value() == 12_600 + 1000
    assert known.position_value(BANK, quote(last="13")) == 13_600


def test_a_holding_without_a_price_is_not_worth_nothing_its_value_is_not_known():
    assert portfolio().position_value(BANK, quote(last="0")) == 11_000
    assert portfolio().position_value(BANK, quote(last="0", previous_close="0")) is None
    assert replace(portfolio(), quotes={}).total_position_value() is None


@pytest.mark.parametrize(
    ("now", "before", "loss"),
    [
        ("60000", "62500", "0.04"),
        ("65000", "62500", "-0.04"),
        (None, "62500", None),
        ("60000", None, None),
        ("60000", "0", None),
    ],
)
def test_the_loss_of_the_day_is_measured_from_the_previous_close(now, before, loss):
    def number(text):
        return None if text is None else Decimal(text)

    account = AccountFacts(Decimal(0), number(now), number(before))
    assert Portfolio(account).day_loss_ratio() == number(loss)


def test_an_order_of_the_same_purpose_is_found_and_an_unknown_one_does_not_count():
    known = portfolio(sale("M1", K.TRAILING_TAKE_PROFIT), sale("M2", K.GRID, state=S.UNKNOWN))
    assert known.works(BANK, Side.SELL, Purpose.EXIT)
    assert not known.works(BANK, Side.BUY, Purpose.EXIT)
    assert not known.works(BANK, Side.SELL, Purpose.GRID)


def test_the_portfolio_of_a_tick_cannot_change():
    positions = {BANK: holding(BANK)}
    known = Portfolio(ACCOUNT, positions)
    positions.clear()
    assert known.held(BANK) == 1000
    assert known.held(LIQUOR) == 0
    with pytest.raises(TypeError):
        known.positions[LIQUOR] = holding(LIQUOR)  # type: ignore[index]  # that is the point


orders = st.lists(
    st.builds(
        lambda make, quantity, filled, state: make(
            "M1", quantity=quantity, filled=filled, state=state
        ),
        st.sampled_from([purchase, lambda name, **facts: sale(name, K.GRID, **facts)]),
        st.integers(1, 10_000),
        st.integers(0, 11_000),
        st.sampled_from(list(S)),
    ),
    max_size=12,
)


@given(orders)
def test_reservations_are_never_negative_and_never_more_than_was_ordered(working):
    known = portfolio(*working)
    assert 0 <= known.promised_shares(BANK) <= sum(o.quantity for o in working)
    assert 0 <= known.reserved_cash() <= sum(o.cash for o in working)


@given(orders)
def test_reservations_are_zero_when_nothing_is_open(working):
    ended = [replace(order, state=S.CANCELLED) for order in working]
    known = portfolio(*ended)
    assert known.promised_shares(BANK) == 0
    assert known.reserved_cash() == 0
    assert known.free_cash() == ACCOUNT.cash


@given(st.integers(1, 10_000), st.lists(st.integers(1, 3000), max_size=12))
def test_fills_free_a_reservation_step_by_step_to_nothing(quantity, fills):
    order, before = purchase("M1", quantity=quantity), None
    for fill in fills:
        order = replace(order, filled=min(order.filled + fill, quantity))
        assert before is None or order.open_cash <= before
        before = order.open_cash
    assert (order.open_cash == 0) is (order.filled == quantity)
