"""The made-up day itself works: a first look at the whole path."""

from __future__ import annotations

import pytest

from tests.world import World

pytestmark = [pytest.mark.exits, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


def test_a_holding_that_falls_through_its_stop_is_sold_with_a_reason():
    world = World(holdings=[("600036.SH", 1000, "10.00")])
    world.hold("600036.SH", "10.00", since="09:30:00", until="09:31:00")
    world.hold("600036.SH", "9.20", since="09:31:00", until="09:32:00")
    world.run(until="09:32:00")
    [signal] = world.signals()
    assert (signal.kind, signal.quantity, signal.state) == ("stop_loss", 1000, "accepted")
    [order] = world.orders()
    assert (order.state, order.filled_quantity) == ("filled", 1000)
