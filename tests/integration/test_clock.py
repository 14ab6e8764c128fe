"""The machine's clock jumps: the gateway observes, nothing is sent, and it comes back by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.scenes import STOCK, account, codes, falling, moves
from tests.misbehaving import Misbehaving, lost
from tests.world import World
from trading.domain.calendar import MarketPhase
from trading.domain.types import Text
from trading.management.clock_guard import ClockGuard

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]

WHY = Text("the clock jumped", "时钟跳变")


def distrusting(world, since, until):
    gateway = world.gateway
    world.at(since, lambda: gateway.distrust(WHY, world.moment(since)))
    world.at(until, lambda: gateway.distrust(None, world.moment(until)))


def test_a_clock_that_jumped_sends_nothing_and_the_gateway_arms_again_by_itself():
    terminal, seen = Misbehaving(), []
    world = falling(terminal, until="09:33:00", skip=False)
    distrusting(world, "09:30:40", "09:31:20")
    world.at(
        "09:31:15", lambda: seen.append((world.gateway.status, account(world).gateway_reason))
    )
    world.run(until="09:31:45")

    assert seen == [("observing", WHY._asdict())]
    assert world.gateway.status == "armed"
    [order] = world.orders()
    assert order.approved_at >= world.moment("09:31:20")
    assert len(terminal.calls("order_stock")) == 1


def test_an_order_claimed_before_the_clock_went_back_becomes_unknown_all_the_same():
    world = falling(Misbehaving(on_the_way=lost(lambda m: m.get("op") == "order_stock")))
    world.run(until="09:31:02")
    earlier = world.moment("08:31:02")
    world.gateway.distrust(WHY, earlier)
    world.gateway.step(earlier)

    assert moves(world.orders()[0])[-1] == "unknown"


def doubts(world, machine, market):
    """Whether the guard doubts in each second of a minute; `machine`, `market`: how far the clocks are set by then."""
    start = world.moment("10:00:00")
    clock = {"real": start, "monotonic": 0.0}
    guard = ClockGuard(
        world.account.pk, world.store, lambda: clock["real"], lambda: clock["monotonic"]
    )
    said = []
    for second in range(60):
        real = start + timedelta(seconds=second) + machine(second)
        clock.update(real=real, monotonic=float(second))
        said.append(guard(real + market(second), MarketPhase.MORNING) is not None)
    return said


def from_the_tenth_second(shift):
    return lambda second: shift if second >= 10 else timedelta(0)


STILL = from_the_tenth_second(timedelta(0))


def test_a_jump_is_told_once_and_its_end_once():
    world = World(symbols=[STOCK])
    said = doubts(world, machine=from_the_tenth_second(timedelta(hours=1)), market=STILL)

    assert said == [False] * 10 + [True] * 30 + [False] * 20
    assert codes(world) == ["CLOCK_JUMPED", "CLOCK_STEADY"]


def test_a_market_clock_that_is_set_back_is_told_and_the_account_is_read_anew():
    world = World(symbols=[STOCK])
    said = doubts(world, machine=STILL, market=from_the_tenth_second(timedelta(days=-50)))

    assert said == [False] * 10 + [True] + [False] * 49
    assert codes(world) == ["CLOCK_JUMPED", "CLOCK_STEADY"]


def test_a_gateway_whose_market_clock_is_set_back_asks_at_once_and_not_when_the_old_time_comes_again():
    terminal = Misbehaving()
    world = World(symbols=[STOCK])
    world.terminal.delivery = terminal
    world.quote("09:40:30", STOCK, "10.00")
    world.run(until="09:41:00")
    guard = ClockGuard(
        world.account.pk, world.store, lambda: world.moment("09:41:00"), lambda: 0.0
    )
    gateway, earlier = world.gateway, world.moment("09:31:00")
    assert gateway.status == "armed"
    assert guard(world.moment("09:41:00"), MarketPhase.MORNING) is None
    assert not gateway.due(earlier + timedelta(seconds=20))  # it would wait for ten minutes

    gateway.distrust(guard(earlier, MarketPhase.MORNING), earlier)
    assert gateway.status == "observing"
    asked = len(terminal.requests)
    gateway.step(earlier)
    assert len(terminal.requests) > asked
