"""One submitter: a lease checked at the claim, a holder that ends itself in time, a second one that stands down."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from tests.integration.scenes import FELL, account, at_broker, falling, moves, restart
from tests.misbehaving import Misbehaving
from trading.errors import StandDown
from trading.management.watchdog import EXIT_CODE, Keeper, Watchdog
from trading.models import GatewayLease
from trading.services.desk import AccountDesk
from trading.services.gateway_lease import END_AFTER, TTL, Lease

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]


@pytest.fixture
def world():
    return falling(Misbehaving())


def desk_at(world, place, ttl=TTL):
    lease = Lease(world.account.pk, place, ttl)
    return AccountDesk(world.account.pk, world.store, world.calendar, lease=lease)


def run_out():
    GatewayLease.objects.update(expires_at=Now() - timedelta(milliseconds=1))


def test_the_holder_ends_itself_before_its_lease_runs_out():
    assert END_AFTER < TTL


def test_a_second_gateway_elsewhere_stands_down_while_the_first_is_alive(world):
    now = world.moment("09:30:00")
    first, second = desk_at(world, "here"), desk_at(world, "there")
    epoch = first.take_over(now)
    with pytest.raises(StandDown):
        second.take_over(now)
    first.renew()
    assert GatewayLease.objects.get().epoch == epoch


def test_after_the_lease_ran_out_another_takes_it_and_the_first_stands_down(world):
    now = world.moment("09:30:00")
    first, second = desk_at(world, "here"), desk_at(world, "there")
    epoch = first.take_over(now)
    run_out()
    assert second.take_over(now) == epoch + 1
    with pytest.raises(StandDown):
        first.renew()


def test_at_the_same_place_the_lock_has_proven_the_other_dead(world):
    now = world.moment("09:30:00")
    desk_at(world, "here").take_over(now)
    assert desk_at(world, "here").take_over(now) == 2


def test_who_ends_in_order_gives_the_lease_back(world):
    now = world.moment("09:30:00")
    first, second = desk_at(world, "here"), desk_at(world, "there")
    first.take_over(now)
    first.release()
    assert second.take_over(now) == 2
    first.release()  # no more its own
    second.renew()


def test_i15_a_gateway_whose_lease_ran_out_claims_nothing_though_nobody_took_it(world):
    terminal = world.terminal.delivery
    world.gateway._desk = desk_at(world, "here")
    world.at("09:30:59", run_out)
    world.run(until="09:31:10")
    assert terminal.calls("order_stock") == []
    [order] = [order for order in world.orders() if order.claimed_at is None]
    assert order.state == "approved"


def test_i15_a_frozen_gateway_that_is_thawed_moves_nothing(world):
    terminal = world.terminal.delivery
    frozen = world.gateway
    world.at("09:30:59", lambda: restart(world, died=False))
    world.run(until="09:31:10")
    [order] = world.orders()
    assert order.state == "submitted"
    before = moves(order)
    frozen.step(world.moment("09:31:11"))
    frozen._desk.expire(world.moment("09:31:30"))
    frozen._desk.overdue(1, world.moment("09:31:30"))
    order.refresh_from_db()
    assert moves(order) == before
    assert len(terminal.calls("order_stock")) == len(at_broker(world)) == 1


def test_a_gateway_that_stood_down_does_not_speak_for_the_one_that_acts(world):
    old = world.gateway
    world.at("09:30:40", lambda: restart(world, died=False))
    world.run(until=FELL)
    assert account(world).gateway_status == "armed"
    old.close(world.moment("09:31:01"))
    assert account(world).gateway_status == "armed"


# --- the watchdog, by a clock of its own --------------------------------------------------------------------------


class Clock:
    def __init__(self):
        self.at = 100.0

    def __call__(self):
        return self.at


@pytest.mark.parametrize(("silence", "ends"), [(6.9, False), (7.0, False), (7.1, True)])
def test_a_main_loop_that_stands_still_ends_the_process_before_the_lease_does(silence, ends):
    clock, ended = Clock(), []
    watchdog = Watchdog(END_AFTER.total_seconds, clock, lambda: ended.append(clock.at))
    clock.at += silence
    watchdog.look()
    assert bool(ended) is ends


def test_f115_a_process_whose_main_loop_hangs_is_gone_within_seconds():
    code = """
import time
from trading.management.watchdog import Watchdog
Watchdog(lambda: 0.5, time.monotonic).start()
time.sleep(60)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=30, capture_output=True)
    assert done.returncode == EXIT_CODE


def test_connecting_may_take_longer():
    clock, ended = Clock(), []
    watchdog = Watchdog(lambda: 60.0, clock, lambda: ended.append(clock.at))
    clock.at += 59
    watchdog.look()
    assert ended == []


def test_only_a_renewal_that_worked_feeds_the_watchdog():
    clock, ended, renewed = Clock(), [], []
    watchdog = Watchdog(END_AFTER.total_seconds, clock, lambda: ended.append(clock.at))
    works = True

    def renew():
        if not works:
            raise StandDown("gone")
        renewed.append(clock.at)

    keeper = Keeper(renew, watchdog, 2.0, clock)
    for _ in range(10):
        keeper.keep()
        watchdog.look()
        clock.at += 1.0
    assert renewed == [100.0, 102.0, 104.0, 106.0, 108.0]
    works = False
    for _ in range(8):
        clock.at += 1.0
        with pytest.raises(StandDown):
            keeper.keep()
        watchdog.look()
    assert ended[0] - renewed[-1] > 7
