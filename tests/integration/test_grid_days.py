"""Grid sessions through the real order path: signals, risk, reservation, gateway, the twin, fills, ledger."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.integration.grid_days import BANK, books, grid_world, path, session, start, traded

pytestmark = [pytest.mark.django_db, pytest.mark.grid, pytest.mark.usefixtures("calendar")]


def test_a_centred_grid_sells_above_its_upper_line_and_buys_below_its_lower_one():
    world = grid_world()
    path(world, "09:30:00", ["10.00"] * 12)
    start(world, "09:30:30")
    path(world, "09:31:00", ["10.60", "10.70", "10.60"])
    path(world, "09:40:00", ["9.90", "9.80", "9.90"])
    world.run(until="09:41:30")
    assert traded(world) == ["sell 200 filled", "buy 200 filled"]
    sold, bought = world.orders(purpose="grid")
    row = session(world)
    assert [sold.source, bought.source] == [row.source, row.source]
    assert row.centre == bought.filled_amount / 200
    ledger = books(world)
    assert ledger.quantity == 0  # the buy closed what was sold out of the base
    assert ledger.realised == sold.filled_amount - bought.filled_amount - ledger.fees
    assert world.position(BANK).quantity == 1000
    assert row.pending is None
    assert row.signal is None


def test_a_lot_grid_buys_on_a_drop_and_sells_the_lot_the_next_day_at_the_earliest():
    world = grid_world()
    path(world, "09:30:00", ["10.00"] * 12)
    start(world, "09:30:30", "lot", grid_take_profit_ratio="0.03")
    path(world, "09:31:00", ["9.80"])
    path(world, "09:35:00", ["10.20"])
    world.run(until="09:36:30")
    assert traded(world) == ["buy 500 filled"]
    (lot,) = books(world).lots
    assert (lot.quantity, lot.id) == (500, world.orders(purpose="grid")[0].pk)
    assert lot.price == Decimal("9.81")
