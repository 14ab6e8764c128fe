"""What the database itself refuses, whoever asks: doubled ids, doubled decisions, changed history."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from django.utils import timezone

from monitoring.audit import chain
from monitoring.models import AuditForm, AuditLink
from tests.integration.scenes import FELL, STOCK, falling
from trading.models import BrokerEvent, Event, Fill, FormerFill, Order, OrderEvent
from trading.models.fields import AppendOnlyModel

pytestmark = [
    pytest.mark.orders,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]


@pytest.fixture
def order():
    world = falling()
    world.run(until="09:31:05")
    [row] = world.orders()
    return row


def _again(order: Order, **changes: object) -> None:
    """Insert the same order once more with these changes."""
    row = Order.objects.get(pk=order.pk)
    row.pk = None
    row._state.adding = True
    for name, value in changes.items():
        setattr(row, name, value)
    with transaction.atomic():
        row.save()


OTHER_ID = {"client_order_id": "MOTHER"}
OTHER_KEY = {"decision_key": "other"}


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({**OTHER_KEY, "purpose": "manual"}, "client_order_id"),
        ({**OTHER_ID, "purpose": "manual"}, "decision_key"),
        (
            {**OTHER_ID, **OTHER_KEY},
            "one_working_order_per_purpose|account_id, trading_order.symbol",
        ),
        ({**OTHER_ID, **OTHER_KEY, "purpose": "manual", "quantity": 0}, "quantity_positive"),
        ({**OTHER_ID, **OTHER_KEY, "purpose": "manual", "price": 0}, "price_positive"),
    ],
)
def test_f048_f091_the_database_refuses_a_second_one(order, changes, constraint):
    with pytest.raises(IntegrityError, match=constraint):
        _again(order, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "manual"},
        {"side": "buy"},
        {"state": "filled"},
        {"was_unknown": True, "state": "unknown"},
    ],
)
def test_another_purpose_side_or_an_end_is_no_second_one(order, changes):
    _again(order, **OTHER_ID, **OTHER_KEY, **changes)
    assert Order.objects.count() == 2


def test_a_fill_has_one_key():
    world = falling(book={})
    world.run(until="09:31:05")
    fill = Fill.objects.first()
    fill.pk = None
    fill._state.adding = True
    with pytest.raises(IntegrityError, match="key"), transaction.atomic():
        fill.save()


APPEND_ONLY = [m for m in apps.get_models() if issubclass(m, AppendOnlyModel)]


def test_history_is_append_only():
    assert {Event, BrokerEvent, OrderEvent, Fill} <= set(APPEND_ONLY)


@pytest.mark.parametrize("model", APPEND_ONLY, ids=lambda model: model.__name__)
def test_history_can_neither_be_changed_nor_deleted_one_by_one_or_at_once(model):
    world = falling(book={})
    world.run(until="09:31:05")
    if model is FormerFill:  # no day of trading makes one
        moved_in = {"symbol": STOCK, "side": "buy", "quantity": 100, "price": 1, "amount": 100}
        FormerFill.objects.create(
            account=world.account, number=1, at=world.moment(FELL), **moved_in
        )
    if model in (AuditForm, AuditLink):
        chain.extend(timezone.now())
    row = model.objects.first()
    assert row is not None
    field = next(f.name for f in model._meta.concrete_fields if not f.primary_key)
    value = getattr(row, field)
    for forbidden in (
        row.save,
        row.delete,
        lambda: model.objects.all().delete(),
        lambda: model.objects.update(**{field: value}),
        lambda: model.objects.filter(pk=row.pk).update(**{field: value}),
        lambda: model.objects.bulk_update([row], [field]),
        lambda: model.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["id"], update_fields=[field]
        ),
    ):
        with pytest.raises(TypeError, match="append-only"):
            forbidden()


def test_a_move_that_is_not_legal_or_came_second_affects_no_row(order):
    from trading.domain.orders import OrderState
    from trading.services.moves import move

    now = order.submitted_at + timedelta(seconds=1)
    assert not move(order, OrderState.APPROVED, order.epoch, now)
    assert not move(order, OrderState.CANCELLED, order.epoch - 1, now)
    stale = Order.objects.get(pk=order.pk)
    assert move(order, OrderState.CANCEL_REQUESTED, order.epoch, now)
    assert not move(stale, OrderState.CANCEL_REQUESTED, order.epoch, now)
    assert order.events.filter(new_state="cancel_requested").count() == 1


def test_every_move_left_a_row_with_its_epoch():
    world = falling(book={})
    world.run(until="09:31:05")
    [order] = world.orders()
    rows = list(order.events.order_by("pk").values_list("old_state", "new_state", "epoch"))
    assert rows[0] == ("", "approved", 0)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(rows))
    assert {epoch for _, _, epoch in rows[1:]} == {order.epoch}
    assert order.claimed_at == world.moment(FELL)
    assert order.symbol == STOCK
