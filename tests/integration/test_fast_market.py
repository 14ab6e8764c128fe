"""A simulated market twenty times as fast: ticks come as often, and no deadline of a machine passes early."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django_celery_beat.models import PeriodicTask

from miniqmt.beat import MarketScheduler
from miniqmt.celery import app
from miniqmt.schedule import at_speed
from tests.integration.days import BANK
from tests.world import World
from trading.domain.pace import Pace
from trading.domain.types import CHINA, AccountMode
from trading.management.gateway_loop import TickWatch
from trading.market_data.store import MemoryQuoteStore
from trading.models import Account, Order, TradingConfig
from trading.services.clock import set_clock
from trading.services.desk import AccountDesk
from trading.services.pace import pace_of
from trading.services.runner import ORDERS, TickSpec, run_tick

pytestmark = [pytest.mark.unattended, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

REAL = datetime(2026, 8, 15, 20, 0, tzinfo=UTC)
FAST = Pace(Decimal(20))


@pytest.fixture
def fast(settings) -> None:
    settings.MINIQMT_SPEED = FAST.speed


def stopped_at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def runs_of_a_tick(mode: str, seconds: int) -> list[datetime]:
    """Try a tick of 5 s every 0.25 s of real time; return the market times at which it ran."""
    account = Account.objects.create(name="one", broker_account_id="8800000001", mode=mode)
    TradingConfig.objects.create(account=account)
    set_clock("demo", REAL, datetime(2026, 8, 10, 10, 0, tzinfo=CHINA), FAST.speed)
    ran: list[datetime] = []
    spec = TickSpec(
        "any", timedelta(seconds=5), lambda account, now, *_: ran.append(now), lambda *_: True
    )
    for step in range(seconds * 4):
        at = REAL + timedelta(seconds=step / 4)
        run_tick(spec, MemoryQuoteStore(), lambda _: None, stopped_at(at))
    return ran


@pytest.mark.usefixtures("fast")
def test_a_tick_of_a_simulated_account_is_due_every_half_second():
    ran = runs_of_a_tick("demo", 5)
    assert len(ran) == 20  # whoever asks sooner than half a period ago is sent away
    assert ran[1] - ran[0] == timedelta(seconds=5)  # a quarter of a second, twenty times as fast


@pytest.mark.usefixtures("fast")
def test_a_tick_of_a_live_account_keeps_its_period():
    assert len(runs_of_a_tick("live", 5)) == 2
    assert pace_of(AccountMode.LIVE) == Pace()
    assert pace_of(AccountMode.DEMO) == FAST


@pytest.mark.parametrize(("pace", "unknown_after"), [(Pace(), 8), (FAST, 160)])
def test_an_order_without_an_answer_is_unknown_after_eight_real_seconds(pace, unknown_after):
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, "9.20", since="09:31:00", until="09:31:30", bids=[], volume=2_000_000)
    world.run(until="09:31:05")
    now = world.moment("09:31:10")
    desk = AccountDesk(world.account.pk, world.store, world.calendar, pace)
    epoch = desk.take_over(now)
    Order.objects.update(state="submitting", claimed_at=now, epoch=epoch)
    assert desk.overdue(epoch, now + timedelta(seconds=unknown_after - 1)) == 0
    assert desk.overdue(epoch, now + timedelta(seconds=unknown_after)) == 1


@pytest.mark.usefixtures("fast")
def test_an_approved_order_waits_fifteen_real_seconds_in_the_outbox():
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, "9.20", since="09:31:00", until="09:31:30")
    world.run(until="09:31:05")
    [order] = world.orders()
    assert order.expires_at - order.approved_at == timedelta(seconds=15 * 20)


def test_the_gateway_waits_four_seconds_before_it_stands_in_for_a_tick_however_fast():
    watch = TickWatch(ORDERS, FAST)
    watch.look(None, 0.0)
    watch.look(None, 4.0)
    assert not watch.is_missing
    watch.look(None, 4.1)
    assert watch.is_missing


@pytest.mark.usefixtures("connection_kept")
def test_beat_keeps_a_period_below_a_second_and_what_the_operator_paused(tmp_path: Path):
    schedule = at_speed(FAST.speed)
    for _ in range(2):  # at every start it writes the schedule anew
        scheduler = MarketScheduler(app=app, lazy=True)
        scheduler._finalize.cancel()  # else it writes when the tests end, and not to the tests' database
        scheduler.update_from_dict(schedule)
        for name in ("sync", "strategy", "orders"):
            row = PeriodicTask.objects.get(name=name)
            assert row.schedule.run_every == timedelta(milliseconds=500)
        PeriodicTask.objects.filter(name="orders").update(enabled=False)
    assert PeriodicTask.objects.get(name="health").schedule.run_every == timedelta(seconds=30)
    assert not PeriodicTask.objects.get(name="orders").enabled
