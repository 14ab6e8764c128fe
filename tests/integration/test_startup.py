"""A start: import, then arm (R1); what happened while nobody looked is in the books before anything is sent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.scenes import (
    FELL,
    STOCK,
    account,
    codes,
    falling,
    moves,
    restart,
    start_gateway,
    stop_gateway,
)
from tests.misbehaving import Misbehaving
from trading.models import GatewayLease

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]


def test_f066_a_start_arms_after_two_equal_snapshots_3_s_apart():
    terminal = Misbehaving()
    world = falling(terminal, skip=False)
    armed = []
    for second in range(60):
        clock = f"09:15:{second:02}"
        world.at(clock, lambda clock=clock: armed.append((clock, world.gateway.status.value)))
    world._made.clear()
    world.quote("09:15:00", STOCK, "10.00")
    world.run(until="09:15:30")
    asked = [request for request in terminal.requests if request["op"] == "query_stock_orders"]
    assert len(asked) >= 2
    assert world.gateway.status == "armed"


def test_books_that_keep_changing_are_not_confirmed():
    # Every answer shows another fill-like change: the positions differ each time for 30 s.
    count = iter(range(10_000))

    def shown(request, truth):
        restless = world.exchange.now < world.moment("09:15:30")
        if request["op"] == "query_stock_positions" and truth and restless:
            return [{**truth[0], "can_use_volume": 1000 - next(count)}]
        return truth

    world = falling(Misbehaving(shown=shown))
    status = {}
    world.at("09:15:29", lambda: status.update(early=world.gateway.status))
    world._made.clear()
    world.quote("09:15:00", STOCK, "10.00")
    world.run(until="09:15:50")
    assert status["early"] == "observing"
    assert world.gateway.status == "armed"


def test_f033_a_restart_imports_the_fills_that_happened_while_it_was_down_and_arms_again():
    terminal = Misbehaving()
    world = falling(terminal, until="09:31:10")
    world.hold(
        STOCK, "9.20", since="09:31:10", until="09:31:19", bids=[("9.20", 400)], volume=2_000_000
    )
    world.hold(STOCK, "9.20", since="09:31:19", until="09:33:00", bids=[], volume=2_000_000)
    world.at("09:31:05", lambda: stop_gateway(world))
    world.at("09:31:15", lambda: start_gateway(world))
    world.run(until="09:31:28")
    [order] = world.orders()
    assert order.filled_quantity == sum(fill.quantity for fill in world.fills()) == 1000
    assert order.state == "filled"
    assert world.gateway.status == "armed"
    assert len(terminal.calls("order_stock")) == 1
    assert account(world).gateway_status == "armed"


def test_every_start_has_a_higher_epoch():
    world = falling()
    world.at("09:30:20", lambda: restart(world))
    world.at("09:30:40", lambda: restart(world, session=102))
    world.run(until="09:31:20")
    assert GatewayLease.objects.get().epoch == 3
    assert {event.epoch for event in world.orders()[0].events.all()} == {0, 3}


def test_f080_nothing_is_sent_before_the_account_was_read_after_a_restart():
    terminal = Misbehaving()
    world = falling(terminal, until="09:32:00")
    world.at("09:30:59", lambda: restart(world))
    world.run(until="09:31:20")
    [order] = [order for order in world.orders() if order.claimed_at]
    assert order.claimed_at >= world.moment("09:30:59") + timedelta(seconds=3)
    assert order.state == "submitted"


def test_a_restart_in_the_middle_of_a_cancel_ends_it_by_query():
    def shown(request, truth):
        return truth

    world = falling(Misbehaving(shown=shown), until="09:33:00")
    really = world._broker.cancel

    def cancel_and_die(number):
        really(number)
        stop_gateway(world)

    world._broker.cancel = cancel_and_die
    world.at("09:31:40", lambda: start_gateway(world))
    world.run(until="09:31:55")
    first, second = world.orders()
    assert moves(first)[-2:] == ["cancel_requested", "cancelled"]
    assert (second.attempt, second.quantity) == (1, 1000)
    assert "EXITS_PAUSED" not in codes(world)
    assert first.claimed_at == world.moment(FELL)
