"""What sales earned by rule: every cent of the day's result belongs to exactly one sale, and to one rule."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.results import (
    OUTSIDE,
    RULES,
    Basis,
    Deal,
    Rescaled,
    by_day,
    by_rule,
    sales_of,
    total_of,
)
from trading.domain.types import Side, Symbol

pytestmark = pytest.mark.fast

STOCK, DAY = Symbol("600036.SH"), date(2023, 2, 1)
CENT = Decimal("0.01")


def deal(number: int, side: Side, quantity: int, price: str, **other) -> Deal:
    values = {
        "life": 1, "on": DAY, "symbol": STOCK, "fees": Decimal(0), "rule": "manual", "chain": number,
        **other,
    }  # fmt: skip
    return Deal(number=number, side=side, quantity=quantity, amount=Decimal(price) * quantity, **values)  # fmt: skip


def sold(number: int, quantity: int, price: str, **other) -> Deal:
    return deal(number, Side.SELL, quantity, price, **other)


def bought(number: int, quantity: int, price: str, **other) -> Deal:
    return deal(number, Side.BUY, quantity, price, **other)


def test_a_sale_earns_its_amount_less_its_fees_and_the_average_cost():
    now = {1: Basis(1000, Decimal(10_000))}
    [sale] = sales_of([sold(1, 400, "10.50", fees=Decimal("7.25"))], now)
    assert sale.realised == Decimal("192.75")


def test_what_was_bought_after_a_sale_is_no_part_of_its_cost():
    # 1,000 at 10 were held; 500 went at 11; then 1,000 were bought at 20.
    now = {1: Basis(2000, Decimal(30_000))}
    steps = [sold(1, 500, "11.00"), bought(2, 1000, "20.00"), sold(3, 100, "15.00")]
    assert [sale.realised for sale in sales_of(steps, now)] == [Decimal(500), Decimal(0)]


def test_a_sale_before_an_ex_rights_morning_is_counted_at_the_cost_of_then():
    # One new share for each old one that night: 1,000 at 10 became 2,000 at 5.
    now = {1: Basis(2000, Decimal(10_000))}
    steps: list[Deal | Rescaled] = [
        sold(1, 100, "11.00"),
        Rescaled(1, 1000, None),
        sold(2, 100, "5.50"),
    ]
    assert [sale.realised for sale in sales_of(steps, now)] == [Decimal(100), Decimal(50)]


def test_an_ex_rights_morning_of_cash_alone_gives_the_amount_back():
    now = {1: Basis(1000, Decimal(9_500))}
    [sale] = sales_of([sold(1, 100, "11.00"), Rescaled(1, None, Decimal(10_000))], now)
    assert sale.realised == Decimal(100)


@pytest.mark.parametrize(
    ("life", "now"), [(None, {}), (1, {}), (1, {1: Basis(0, Decimal(0))})]
)  # fmt: skip
def test_a_sale_of_unknown_cost_earned_nobody_knows_what(life, now):
    sales = sales_of([sold(1, 100, "10.00", life=life)], now)
    assert [sale.realised for sale in sales] == [None]
    [rule] = by_rule(sales, {})
    assert (rule.sales, rule.unknown, rule.won, rule.win_rate, rule.realised) == (
        1,
        1,
        0,
        None,
        Decimal(0),
    )


def test_an_order_with_its_re_orders_is_one_sale():
    now = {1: Basis(300, Decimal(3_000))}
    steps = [
        sold(1, 100, "10.50", chain=7, rule="stop_loss"),
        sold(2, 100, "9.00", chain=7, rule="stop_loss"),
        sold(3, 100, "10.10", chain=8, rule="stop_loss"),
    ]
    [rule] = by_rule(sales_of(steps, now), {})
    assert (rule.sales, rule.won, rule.win_rate, rule.realised) == (
        2,
        1,
        Decimal("0.5"),
        Decimal(-40),
    )


@pytest.mark.parametrize(
    ("close", "saved"),
    [("9.00", Decimal("200.00")), ("9.20", Decimal("0.00")), ("9.50", Decimal("-300.00")), (None, None)],
)  # fmt: skip
def test_a_stop_loss_saved_what_it_brought_more_than_the_close(close, saved):
    sales = sales_of([sold(1, 1000, "9.20", rule="stop_loss")], {1: Basis(1000, Decimal(10_000))})
    closes = {} if close is None else {(STOCK, DAY): Decimal(close)}
    assert [rule.saved for rule in by_rule(sales, closes)] == [saved]


def test_only_stop_losses_save():
    sales = sales_of([sold(1, 1000, "9.20", rule="grid")], {1: Basis(1000, Decimal(10_000))})
    assert [rule.saved for rule in by_rule(sales, {(STOCK, DAY): Decimal(9)})] == [None]


def test_rules_come_in_their_order_and_an_unknown_one_last():
    rules = ["new", OUTSIDE, "grid", "stop_loss"]
    sales = sales_of([sold(n, 1, "1", rule=rule) for n, rule in enumerate(rules, 1)], {})
    assert [one.rule for one in by_rule(sales, {})] == ["stop_loss", "grid", OUTSIDE, "new"]


_SALE = st.tuples(
    st.integers(0, 3),  # day
    st.integers(1, 4),  # life
    st.sampled_from([*RULES, "new"]),
    st.integers(1, 5000),
    st.integers(1, 3_000_000),  # price in 1/10000 yuan
    st.integers(0, 50_000),  # fees in cents
    st.booleans(),
)


@given(
    st.lists(_SALE, max_size=40),
    st.lists(st.tuples(st.integers(1, 99_999), st.integers(1, 10**9)), min_size=4, max_size=4),
)
def test_the_rules_add_up_to_the_ledger_to_the_cent(rows, bases):
    steps: list[Deal] = []
    for number, (day, life, rule, quantity, price, fees, sells) in enumerate(sorted(rows), 1):
        side = Side.SELL if sells else Side.BUY
        steps.append(
            Deal(number, life, DAY + timedelta(days=day), STOCK, side, quantity,
                 Decimal(price) * quantity / 10_000, Decimal(fees) / 100, str(rule), number)
        )  # fmt: skip
    # What is known now is what was held at first and everything bought since.
    start = {life: Basis(q, Decimal(a) / 100) for life, (q, a) in enumerate(bases, 1)}
    now = dict[int | None, Basis](start.items())
    ledger: dict[date, Decimal] = {}
    for step in steps:
        basis = now[step.life]
        if step.side is Side.BUY:
            now[step.life] = Basis(basis.quantity + step.quantity, basis.amount + step.amount)
        else:
            earned = step.amount - step.fees - basis.amount * step.quantity / basis.quantity
            ledger[step.on] = ledger.get(step.on, Decimal(0)) + earned
    sales = sales_of(steps, {life: now[life] for life in start})
    days = by_day(sales)
    assert days.keys() == ledger.keys()
    for day, exact in ledger.items():
        assert abs(days[day] - exact) <= CENT / 2 + Decimal("1e-9")
        assert days[day] == days[day].quantize(CENT, ROUND_HALF_UP)
    rules = by_rule(sales, {})
    assert sum(rule.realised for rule in rules) == total_of(sales) == sum(days.values())
    assert sum(rule.sales for rule in rules) == len(sales)
