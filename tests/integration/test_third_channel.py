"""The life of an order that nothing answers: a gateway over a strategy inside the full client."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import pytest

from tests.full_client.broker import LAG, FullClientBroker
from tests.full_client.client import Callback, FullClient, untold
from tests.integration.scenes import STOCK, at_broker, codes, falling, moves
from tests.misbehaving import Misbehaving
from tests.world import World
from trading.broker.gateway import CONFIRM_AFTER, Gateway
from trading.domain.types import GatewayStatus
from trading.replay.engine import BROKER_ACCOUNT
from trading.services.desk import SUBMIT_DEADLINE, AccountDesk

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]

SECOND = timedelta(seconds=1)


def over_the_full_client(world: World, seed: int = 1, *, calls_back: bool = False) -> World:
    clients: list[FullClient] = []

    def open_client(callback: Callback, now: datetime) -> FullClient:
        made = FullClient(
            world._address, BROKER_ACCOUNT, 101, seed, now, callback, calls_back=calls_back
        )
        clients.append(made)
        return made

    def converse(now: datetime) -> None:
        for client in clients:
            client.step(now)
        really(now)

    really = world._converse
    world._converse = converse  # type: ignore[method-assign]
    world._broker = FullClientBroker(open_client, BROKER_ACCOUNT, calls_back=calls_back)  # type: ignore[assignment]
    desk = AccountDesk(world.account.pk, world.store, world.calendar)
    world.gateway = Gateway(world._broker, desk)
    return world


def watched(world: World, since: str, seconds: int) -> list[tuple[int, str]]:
    """Return what the first order was in each second, once the world has run."""
    seen: list[tuple[int, str]] = []

    def look(number: int) -> None:
        states = [order.state for order in world.orders()]
        seen.append((number, states[0] if states else ""))

    for number in range(seconds):
        moment = world.moment(since) + number * SECOND
        world.at(moment, partial(look, number))
    return seen


@pytest.mark.parametrize("calls_back", [False, True])
def test_an_order_that_nothing_answers_is_sent_once_and_known_by_its_remark(calls_back):
    world = over_the_full_client(falling(book={}), calls_back=calls_back)
    world.run(until="09:31:30")
    [order] = world.orders()
    [sent] = at_broker(world)
    assert (sent.remark, sent.order_id) == (order.client_order_id, order.broker_order_id)
    assert (order.seq, order.state, order.filled_quantity) == (None, "filled", 1000)
    assert "unknown" not in moves(order)
    assert codes(world, "ORDER_BOUND_WEAKLY", "PUSHES_DEAD") == []


def test_books_open_and_a_gateway_arms_only_on_readings_that_cannot_be_the_same_old_one():
    world, seen = over_the_full_client(falling()), []
    converse = world._converse

    def watched_converse(now):
        converse(now)
        seen.append((now, world.gateway.status))

    world._converse = watched_converse
    world.run(until="09:30:10")
    began = seen[0][0]
    armed = next(at for at, status in seen if status is GatewayStatus.ARMED)
    assert armed - began == 2 * (
        LAG + CONFIRM_AFTER
    )  # the very first time: the books, then the gateway


def test_evidence_may_come_a_lag_later_and_then_the_order_is_unknown():
    never = Misbehaving(on_the_way=lambda m, now: () if m["op"] == "order_stock" else None)
    world = over_the_full_client(falling(never))
    seen = watched(world, "09:31:00", 40)
    world.run(until="09:31:40")
    [order] = world.orders()[:1]
    claimed = next(number for number, state in seen if state == "submitting")
    doubted = next(number for number, state in seen if state == "unknown")
    assert order.state == "unknown"
    assert 0 <= (doubted - claimed) - int((SUBMIT_DEADLINE + LAG).total_seconds()) <= 1


def test_a_refusal_without_a_trace_is_proven_absent_and_frees_its_shares_once():
    silent = next(seed for seed in range(100) if untold(seed, 1_082_130_433))
    world = over_the_full_client(falling(book={}, until="09:35:00"), silent)
    refused = world.exchange.submit
    world.exchange.submit = lambda *given: refused(*given[:8], "[COUNTER] 风控拒绝")
    world.at("09:31:30", lambda: setattr(world.exchange, "submit", refused))
    world.run(until="09:34:30")
    first, second = world.orders(symbol=STOCK)
    assert [one.refused for one in at_broker(world)] == [True, False]
    assert moves(first) == ["approved", "submitting", "unknown", "absent"]
    assert (second.state, second.quantity) == ("filled", 1000)
    assert len(codes(world, "ORDER_ABSENT")) == 1
