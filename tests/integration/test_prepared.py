"""A prepared query says what Django's own query set says, and is built once."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from unittest import mock

import pytest
from django.db.models import F, Q, Sum
from django.db.models.sql.compiler import SQLCompiler

from tests.integration.scenes import STOCK
from tests.world import World
from trading.domain.orders import OrderState
from trading.models import Account, BrokerSnapshot, Fill, Order, Position
from trading.models.prepared import Prepared, PreparedUpdate

pytestmark = [
    pytest.mark.fast,
    pytest.mark.orders,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]


@pytest.fixture
def world():
    world = World(holdings=[(STOCK, 1000, "10.00"), ("600036.SH", 500, "20.00")])
    world.hold(STOCK, "9.20", since="09:30:00", until="09:31:00")
    world.run(until="09:31:00")
    assert Fill.objects.exists()
    return world


def of_day(account, on):
    return Order.objects.filter(account_id=account, trade_date=on).order_by("pk")


#: What is asked, and with which parameters after the account.
QUESTIONS = {
    "models with money, times and texts": (of_day, ["on"]),
    "models of another table": (
        lambda account: Position.objects.filter(account_id=account).order_by("symbol"),
        [],
    ),
    "a row with JSON": (lambda account: BrokerSnapshot.objects.filter(pk=account), []),
    "some columns": (
        lambda account, on: of_day(account, on).values_list("state", "price", "approved_at"),
        ["on"],
    ),
    "one column": (
        lambda account, on: of_day(account, on).values_list("filled_amount", flat=True),
        ["on"],
    ),
    "a column of another table": (
        lambda account: Fill.objects.filter(account_id=account).values_list("order__symbol"),
        [],
    ),
    "a sum": (
        lambda account: (
            Fill.objects.filter(account_id=account).values_list("symbol").annotate(Sum("amount"))
        ),
        [],
    ),
    "before a moment": (
        lambda account, at: Order.objects.filter(account_id=account, approved_at__lte=at),
        ["at"],
    ),
    "a state": (
        lambda account, state: Order.objects.filter(account_id=account, state=state),
        ["state"],
    ),
    "either of two, and not a third": (
        lambda account, on: Position.objects.filter(
            Q(opened_on__lte=on) | Q(closed_at=None), account_id=account
        ).exclude(broker_quantity=F("quantity"), stale_since=None),
        ["on"],
    ),
}


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_it_returns_what_the_query_set_returns(world, name):
    build, asked = QUESTIONS[name]
    order = Order.objects.order_by("pk").first()
    known = {"on": order.trade_date, "at": order.approved_at, "state": OrderState(order.state)}
    values = [world.account.pk, *(known[one] for one in asked)]

    found, expected = Prepared(build)(*values), list(build(*values))

    assert found == expected
    assert [getattr(row, "__dict__", None) and fields_of(row) for row in found] == [
        getattr(row, "__dict__", None) and fields_of(row) for row in expected
    ]


def fields_of(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_the_questions_find_rows(world):
    order = Order.objects.order_by("pk").first()
    assert len(Prepared(of_day)(world.account.pk, order.trade_date)) > 0
    assert Prepared(of_day)(world.account.pk, order.trade_date - timedelta(days=1)) == []
    assert Prepared(of_day)(world.account.pk + 1, order.trade_date) == []


def test_it_is_built_once(world):
    ask = Prepared(of_day)
    ask(world.account.pk, date(2026, 8, 10))
    with mock.patch.object(SQLCompiler, "as_sql", side_effect=AssertionError):
        assert ask(world.account.pk, date(1999, 1, 1)) == []


def test_a_row_it_returns_can_be_saved(world):
    row = Prepared(lambda account: Account.objects.filter(pk=account))(world.account.pk)[0]
    row.cash = Decimal("12.34")
    row.save(update_fields=["cash"])
    assert Account.objects.get().cash == Decimal("12.34")


def test_an_update_writes_what_it_is_given_and_counts_the_rows(world):
    order = Order.objects.order_by("pk").first()
    update = PreparedUpdate(lambda pk, state: Order.objects.filter(pk=pk, state=state))
    at = order.approved_at + timedelta(seconds=1.5)

    assert update(order.pk, "approved", price=Decimal("1.2345"), ended_at=at) == 0
    assert update(order.pk, order.state, price=Decimal("1.2345"), ended_at=at, seq=None) == 1
    assert update(order.pk, OrderState(order.state), filled_quantity=7) == 1

    order = Order.objects.get(pk=order.pk)
    assert (order.price, order.ended_at) == (Decimal("1.2345"), at)
    assert (order.seq, order.filled_quantity) == (None, 7)


def test_an_update_refuses_more_decimals_than_are_kept(world):
    update = PreparedUpdate(lambda pk: Order.objects.filter(pk=pk))
    with pytest.raises(ValueError, match="more than 4 decimals"):
        update(1, price=Decimal("0.00001"))
