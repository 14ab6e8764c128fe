"""Beat: every tick once at the start, in step afterwards, none while nobody can use it. The clock is a virtual one."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from datetime import time as clock_time
from typing import Any

import pytest
import time_machine
from celery import Celery
from celery.schedules import crontab
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

import trading.tasks  # noqa: F401 - as beat does at its start: the tasks say when they are of use
from miniqmt import schedule
from miniqmt.beat import MarketScheduler
from trading.domain.types import CHINA, AccountMode
from trading.models import Account
from trading.services.clock import DEMO, set_clock

pytestmark = [
    pytest.mark.system,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar", "connection_kept"),
]

MONDAY, SATURDAY = date(2026, 8, 10), date(2026, 8, 15)
SCHEDULE = {
    "sync": {"task": "trading.sync", "schedule": timedelta(seconds=10)},
    "strategy": {"task": "trading.strategy", "schedule": timedelta(seconds=5)},
    "orders": {"task": "trading.orders", "schedule": timedelta(seconds=2)},
    "always": {"task": "somebody.else", "schedule": timedelta(seconds=30)},
    "evening": {"task": "somebody.reports", "schedule": crontab(hour="16", minute="0")},
}
TICKS = {"sync", "strategy", "orders"}


class _Beat(MarketScheduler):
    """Notes what it would send and when, instead of sending it."""

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        self.sent.append((entry.name, datetime.now(CHINA)))


class Day:
    """A beat that runs by a virtual clock; `late` lets it sleep too long each time, as a busy machine does."""

    def __init__(self, at: Any, late: float = 0.0) -> None:
        self._clock, self._late = at, late
        app = Celery("beat of a test", broker="memory://", set_as_current=False)
        app.conf.update(timezone="Asia/Shanghai", result_expires=None, beat_max_loop_interval=3)
        app.conf.beat_schedule = SCHEDULE
        _Beat.sent = []
        self.beat = _Beat(app=app)
        self.beat._finalize.cancel()  # else it writes when the tests end, and not to the tests' database
        self.began, self.wakes = datetime.now(CHINA), 0

    def run(self, seconds: float) -> list[tuple[str, float]]:
        """Run so long; return (entry, seconds since then) of what was sent."""
        begins, before = datetime.now(CHINA), len(self.beat.sent)
        ends = begins + timedelta(seconds=seconds)
        while (now := datetime.now(CHINA)) < ends:
            wait = self.beat.tick()
            self.wakes += 1
            if wait > 0:
                rest = (ends - now).total_seconds()
                self._clock.shift(timedelta(seconds=min(wait + self._late, rest)))
        return [(name, (at - begins).total_seconds()) for name, at in self.beat.sent[before:]]


@pytest.fixture
def at():
    """Begin at a time of day in China."""
    travels = []

    def travel(on: date, clock: str) -> Any:
        moment = datetime.combine(on, clock_time.fromisoformat(clock), CHINA)
        travels.append(time_machine.travel(moment, tick=False))
        return travels[-1].start()

    yield travel
    for one in travels:
        one.stop()


@pytest.fixture
def account():
    return Account.objects.create(name="a", broker_account_id="1", mode=AccountMode.DEMO)


def times_of(sent, name):
    return [round(at, 3) for one, at in sent if one == name]


def test_every_tick_is_sent_once_at_the_start_one_after_the_other(at, account):
    sent = Day(at(MONDAY, "10:00:00")).run(1.9)
    assert sent == [
        ("sync", pytest.approx(0)),
        ("strategy", pytest.approx(0.4)),
        ("orders", pytest.approx(0.8)),
        ("always", pytest.approx(1.2)),
    ]


def test_a_beat_that_is_started_again_sends_every_tick_at_once(at, account):
    clock = at(MONDAY, "10:00:00")
    Day(clock).run(20)
    assert {name for name, _ in Day(clock).run(1.5)} == {*TICKS, "always"}


@pytest.mark.parametrize("late", [0.0, 0.07])
def test_ticks_keep_their_step_however_late_beat_wakes(at, account, late):
    day = Day(at(MONDAY, "10:00:00"), late)
    sent = day.run(600)
    for name, period, place in (("sync", 10, 0.0), ("strategy", 5, 0.4), ("orders", 2, 0.8)):
        times = times_of(sent, name)
        assert len(times) == 600 / period
        # In its place of the period, or as much later as beat woke up: that never adds up.
        assert all(place <= time % period + 1e-3 <= place + 2 * late + 0.01 for time in times)


def test_beat_does_not_wait_busily(at, account):
    day = Day(at(MONDAY, "10:00:00"))
    sent = day.run(600)
    assert day.wakes <= 2 * len(sent) + 600 / 5


def test_beat_does_not_ask_the_database_at_every_turn(at, account):
    day = Day(at(MONDAY, "10:00:00"))
    day.run(10)
    before = day.wakes
    with CaptureQueriesContext(connection) as queries:
        day.run(60)
    assert day.wakes - before > 90
    # Every two seconds whether an entry was changed, every four the clock, the accounts and the trading days.
    assert len(queries) <= 60 / 2 + 3 * 60 / 4 + 10


@pytest.mark.parametrize(
    ("on", "clock"), [(SATURDAY, "10:00:00"), (MONDAY, "15:31:00"), (MONDAY, "03:00:00")]
)
def test_while_the_exchange_is_closed_only_those_are_sent_that_do_not_need_it(
    at, account, on, clock
):
    day = Day(at(on, clock))
    sent = day.run(120)
    assert {name for name, _ in sent} == {"always"}
    assert len(sent) == 4
    assert day.wakes <= 120 / 5 * 3 * 2


def test_while_the_exchange_is_closed_all_ticks_look_together(at, account):
    day = Day(at(SATURDAY, "10:00:00"))
    day.run(10)
    with CaptureQueriesContext(connection) as queries:
        day.run(60)
    looks = [one for one in queries if 'COUNT("trading_tradingday"' in one["sql"]]
    assert len(looks) <= 1.5 * 60 / 5  # three ticks, each of which looks every five seconds


def test_sync_and_orders_run_until_the_books_are_closed_and_after(at, account):
    # What they do then: the day's closes, the end of resting orders (design, life of an order).
    assert {name for name, _ in Day(at(MONDAY, "15:36:00")).run(20)} >= {"sync", "orders"}


def test_beat_is_awake_before_the_exchange_opens(at, account):
    day = Day(at(MONDAY, "09:28:00"))
    early = times_of(day.run(120), "strategy")
    assert min(early) >= 85  # not before there is anything to do soon
    assert times_of(day.run(10), "strategy")[0] <= 5


def test_a_market_clock_that_is_set_to_an_open_market_wakes_it(at, account):
    day = Day(at(SATURDAY, "10:00:00"))
    assert TICKS.isdisjoint(name for name, _ in day.run(60))
    set_clock(DEMO, datetime.now(CHINA), datetime.combine(MONDAY, clock_time(10), CHINA))
    sent = day.run(10)
    assert {name for name, _ in sent} >= TICKS
    assert min(moment for name, moment in sent if name in TICKS) <= 6


def test_a_disabled_account_needs_no_ticks(at, account):
    Account.objects.update(enabled=False)
    assert TICKS.isdisjoint(name for name, _ in Day(at(MONDAY, "10:00:00")).run(60))


def test_a_tick_paused_in_the_admin_rests_until_it_is_resumed(at, account):
    day = Day(at(MONDAY, "10:00:00"))
    day.run(10)
    row = PeriodicTask.objects.get(name="strategy")
    row.enabled = False
    row.save()
    sent = day.run(60)
    assert all(moment <= 5 for moment in times_of(sent, "strategy"))
    assert len(times_of(sent, "orders")) == 30
    row.refresh_from_db()
    row.enabled = True
    row.save()
    sent = day.run(20)
    assert times_of(sent, "strategy")[0] <= 10
    assert len(times_of(sent, "orders")) == 10


def test_a_pause_is_noticed_within_five_seconds_while_the_exchange_is_closed(at, account):
    day = Day(at(SATURDAY, "10:00:00"))
    day.run(20)
    PeriodicTask.objects.exclude(name="always").delete()
    row = PeriodicTask.objects.get(name="always")
    row.interval = row.interval.__class__.objects.create(every=1, period="seconds")
    row.save()
    assert times_of(day.run(20), "always")[0] <= 5


def test_a_paused_tick_stays_paused_when_beat_starts_again(at, account):
    clock = at(MONDAY, "10:00:00")
    Day(clock).run(5)
    PeriodicTask.objects.filter(name="strategy").update(enabled=False)
    assert times_of(Day(clock).run(30), "strategy") == []


def test_an_entry_with_a_time_of_day_keeps_it(at, account):
    assert times_of(Day(at(MONDAY, "15:59:30")).run(90), "evening") == [pytest.approx(30, abs=1)]


def test_f130_no_task_of_ours_has_a_minute_it_could_miss():
    # A time of day is missed by whoever sleeps through it; what is due and not done is found at the next look.
    plans = {name: entry["schedule"] for name, entry in schedule.SCHEDULE.items()}
    assert {name for name, plan in plans.items() if not isinstance(plan, timedelta)} == set()
    assert max(plans.values()) <= timedelta(minutes=1)


def test_f130_what_belongs_after_the_close_is_done_by_a_beat_that_slept_through_it(at, account):
    clock = at(MONDAY, "15:20:00")
    day = Day(clock)
    day.run(60)
    clock.shift(timedelta(hours=2))  # the machine slept
    sent = day.run(20)
    assert {name for name, _ in sent} >= {"sync", "orders"}
    assert min(moment for name, moment in sent if name == "sync") <= 10


def test_what_ran_when_is_written_down_for_the_admin(at, account):
    day = Day(at(MONDAY, "10:00:00"))
    day.run(130)
    day.beat.close()
    row = PeriodicTask.objects.get(name="orders")
    assert row.total_run_count >= 30
    assert row.last_run_at >= datetime.combine(MONDAY, clock_time(10, 1), CHINA)
