"""What only PostgreSQL can do wrong: many connections at once, each committing for real; locks, and connections that end.

On SQLite the write lock of the file and its timeout keep these promises (tests/integration/test_one_submitter.py,
tests/acceptance); here it is miniqmt/postgres. Run with `--database postgres`.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from django.db.models.functions import Now
from django.utils import timezone

from tests.integration.scenes import account, falling, stop_gateway
from trading.domain.types import TradingState
from trading.errors import StandDown
from trading.management.gateway_cycles import Cycles
from trading.models import Account, GatewayLease, Order, Position, Signal, TradingConfig
from trading.services import config, kill_switch
from trading.services.corrections import CorrectionError
from trading.services.desk import AccountDesk
from trading.services.gateway_lease import TTL, Lease
from trading.services.manual import part, sell
from trading.tasks import close_broken_connections

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("calendar"),
    pytest.mark.skipif(
        connection.vendor == "sqlite",
        reason="many connections at once: SQLite's tests have one; run with --database postgres",
    ),
]


def at_once(*actions):
    """Run each action on a thread and a connection of its own, all at the same moment; returns what they returned."""
    start = threading.Barrier(len(actions))

    def run(action):
        try:
            connection.ensure_connection()
            start.wait(10)
            return action()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


@pytest.fixture
def world():
    """A sell order in the outbox, and no gateway."""
    world = falling()
    world.at("09:30:59", lambda: stop_gateway(world))
    world.run(until="09:31:06")
    assert [order.state for order in world.orders()] == ["approved"]
    return world


def desk_at(world, place):
    return AccountDesk(
        world.account.pk, world.store, world.calendar, lease=Lease(world.account.pk, place, TTL)
    )


def test_of_eight_threads_that_claim_an_order_one_gets_it(world):
    now, desk = world.moment("09:31:06"), desk_at(world, "here")
    GatewayLease.objects.all().delete()
    epoch = desk.take_over(now)
    [order] = world.orders()

    for _ in range(5):
        claims = at_once(*[lambda: desk.claim_next(epoch, now)] * 8)

        assert [claim.order_id for claim in claims if claim is not None] == [order.pk]
        Order.objects.update(state="approved", claimed_at=None)


def test_i15_of_two_gateways_that_claim_at_once_one_sends(world):
    now = world.moment("09:31:06")
    [order] = world.orders()

    def takes_over_and_claims():
        second = desk_at(world, "there")
        return second.claim_next(second.take_over(now), now)

    for _ in range(5):
        GatewayLease.objects.all().delete()
        Order.objects.update(state="approved", claimed_at=None, epoch=0)
        first = desk_at(world, "here")
        epoch = first.take_over(now)
        GatewayLease.objects.update(expires_at=Now() + timedelta(milliseconds=3))

        def takes_over():
            try:
                return takes_over_and_claims()
            except StandDown:
                return None

        claims = at_once(lambda d=first, e=epoch: d.claim_next(e, now), takes_over)

        assert [claim.order_id for claim in claims if claim is not None] in ([order.pk], [])
        order.refresh_from_db()
        assert (order.state == "submitting") is any(claims)


def test_of_two_gateways_that_start_at_once_one_stands_down(world):
    now = world.moment("09:31:06")

    def starts(place):
        try:
            return desk_at(world, place).take_over(now)
        except StandDown:
            return None

    for _ in range(5):
        GatewayLease.objects.all().delete()
        epochs = at_once(*[lambda place=place: starts(place) for place in "abcd"])

        assert [epoch for epoch in epochs if epoch is not None] == [1]


def test_what_a_transaction_has_read_nobody_changes_before_it_writes(world):
    def counts():
        for _ in range(20):
            with transaction.atomic():
                account = Account.objects.get(pk=world.account.pk)
                Account.objects.filter(pk=account.pk).update(
                    order_counter=account.order_counter + 1
                )

    before = Account.objects.get(pk=world.account.pk).order_counter
    at_once(*[counts] * 4)

    assert Account.objects.get(pk=world.account.pk).order_counter == before + 80


def test_of_eight_people_who_sell_a_holding_at_once_one_does(world):
    Order.objects.update(state="expired", chain_settled=True)
    position = Position.objects.get()

    def sells():
        try:
            return sell(
                position.pk,
                part(1),
                "enough",
                world.moment("09:31:06"),
                "anna",
                quotes=world.store,
                calendar=world.calendar,
            )
        except CorrectionError:
            return None

    said = at_once(*[sells] * 8)

    assert len([text for text in said if text is not None]) == 1
    assert Signal.objects.filter(kind="manual").count() == 1


LONG = "为什么？" * 100


def test_a_reason_may_be_longer_than_its_column(world):
    account, now = world.account, world.moment("09:31:06")
    config.change(account.pk, {"buy_enabled": "off"}, actor=None, why=LONG)
    kill_switch.switch(account, TradingState.REDUCING, LONG, now, "anna")
    assert kill_switch.cancel_all(account, LONG, now, "anna") == 1

    assert LONG.startswith(TradingConfig.objects.get().changed_why)


# --- nothing waits for ever ---------------------------------------------------------------------------------------


def another(**ends):
    """A second connection, with these ends in place of its own (milliseconds)."""
    words = " ".join(f"-c {name}={value}" for name, value in ends.items())
    wrapper = connection.copy("default")
    wrapper.settings_dict["OPTIONS"] = {**wrapper.settings_dict["OPTIONS"], "options": words}
    return wrapper


def test_a_connection_has_an_end_for_every_wait():
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))
        assert cursor.fetchone() == ("20s", "1min", "10s")


def test_who_waits_too_long_for_its_turn_gives_up_and_may_try_again():
    other = another(lock_timeout=100)
    with closing(other):
        with transaction.atomic(), pytest.raises(OperationalError, match="lock timeout"):
            other.set_autocommit(False)
        other.set_autocommit(False)
        other.rollback()


def test_a_process_frozen_in_a_transaction_loses_it_and_the_others_go_on():
    frozen = another(idle_in_transaction_session_timeout=100)
    with closing(frozen):
        frozen.set_autocommit(False)
        with frozen.cursor() as cursor:
            cursor.execute("UPDATE trading_account SET order_counter = 77")

        with transaction.atomic():
            assert not Account.objects.filter(order_counter=77).exists()
        with pytest.raises(DatabaseError):
            frozen.commit()


# --- a connection that ends ---------------------------------------------------------------------------------------


def cut(victim):
    """End a connection as a restart of the server does."""
    with closing(another()) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [victim.connection.info.backend_pid])


def test_a_worker_loses_one_task_with_its_connection():
    Account.objects.exists()
    cut(connection)

    with pytest.raises(OperationalError):
        Account.objects.exists()
    close_broken_connections()
    assert not Account.objects.exists()


def test_a_transaction_is_lost_whole_with_its_connection(world):
    def loses_it():
        with transaction.atomic():
            Account.objects.update(order_counter=77)
            cut(connection)
            Account.objects.exists()

    with pytest.raises(OperationalError):
        loses_it()

    assert not Account.objects.filter(order_counter=77).exists()


def test_a_transaction_that_cannot_begin_leaves_a_connection_that_can_be_used_again():
    Account.objects.exists()
    cut(connection)

    with pytest.raises(OperationalError), transaction.atomic():
        raise AssertionError("it must not begin")
    assert not Account.objects.exists()


def test_a_gateway_looks_at_its_connection_before_each_cycle(world):
    class Asks:
        def keep(self):
            return None

        def cycle(self):
            return Account.objects.count()

    cycles = Cycles(account(world).pk, Asks(), Asks(), timezone.now, time.monotonic)
    assert cycles.turn() == 1
    cut(connection)
    assert cycles.turn() == 1
