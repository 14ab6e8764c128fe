"""The story of a seed for a person who looks for its cause: what happened, what was booked, how it stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tests.simulation.world import World
from trading.domain.types import CHINA
from trading.models import Account, Denial, Event, Fill, OrderEvent, Position, Signal


def story(world: World) -> list[str]:
    """Return one line per thing that happened, by time, then how both sides stand."""
    lines = sorted([*world.story, *_rows(world)], key=lambda line: line[:8])
    return [*lines, *_standing(world)]


def _rows(world: World) -> Iterator[str]:
    for move in OrderEvent.objects.select_related("order").order_by("pk"):
        order = move.order
        what = f"{order.client_order_id} {order.symbol} {order.side} {order.quantity} {order.kind}"
        yield f"{_clock(move.at)} move: {what} {move.old_state}->{move.new_state} {move.detail}"
    for event in Event.objects.order_by("pk"):
        yield f"{_clock(event.at)} event: {event.code} {event.text_en[:150]}"
    for fill in Fill.objects.order_by("pk"):
        number = fill.broker_order_id
        what = f"{fill.symbol} {fill.side} {fill.quantity} of {number}, order {fill.order_id}"
        yield f"{_clock(fill.booked_at)} booked: {what}"
    for denial in Denial.objects.order_by("pk"):
        yield f"{_clock(denial.at)} denial: {denial.symbol} {denial.kind} {denial.code}"
    for signal in Signal.objects.order_by("pk"):
        what = f"{signal.symbol} {signal.kind} {signal.side} {signal.quantity} {signal.state}"
        yield f"{_clock(signal.created_at)} signal: {what} {signal.outcome_en}"
    for arrived in world.arrived:
        order = arrived.order
        what = f"{order.symbol} {order.side} {order.quantity} {order.remark!r} {order.message}"
        yield f"{_clock(arrived.at)} arrived: {what}, {arrived.sellable} sellable"


def _standing(world: World) -> Iterator[str]:
    for order in world.account.orders.values():
        what = f"{order.symbol} {order.side} {order.traded_quantity}/{order.quantity}"
        yield f"broker: {order.order_id} {what} status {order.status} {order.remark!r}"
    for held in world.account.positions.values():
        yield f"broker: {held.symbol} {held.quantity}, {held.sellable} sellable"
    for row in Position.objects.order_by("pk"):
        yield f"books: {row.symbol} #{row.life} {row.quantity}, terminal {row.broker_quantity}"
    account = Account.objects.get()
    yield f"gateway {account.gateway_status} {account.gateway_reason}, {account.trading_state}"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%H:%M:%S}"
