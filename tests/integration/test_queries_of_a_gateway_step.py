"""A quiet step of the gateway costs a handful of queries, whatever it watches over: one when nothing came."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.integration.scenes import STOCK
from tests.world import World

pytestmark = [pytest.mark.orders, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


def queries_of(world, second, *, answered):
    """Count the queries of the steps in one quiet second; `answered`: a round of queries comes back in it."""
    now = world.moment(f"09:30:{second:02}")
    with CaptureQueriesContext(connection) as captured:
        world.gateway.step(now)
        if answered:
            world._broker.request_snapshot(now)
            world.terminal.step(now)
            world.gateway.step(now)
    statements = [query["sql"] for query in captured]
    return len([sql for sql in statements if "SAVEPOINT" not in sql])


def test_a_quiet_step():
    world = World(holdings=[(STOCK, 1000, "10.00")])
    world.hold(STOCK, "10.00", since="09:30:00", until="09:31:00")
    world.run(until="09:30:31")
    world.gateway.step(world.moment("09:30:32"))
    assert queries_of(world, 33, answered=False) == 1
    assert queries_of(world, 34, answered=True) <= 7  # one asks whether the lease is still ours
