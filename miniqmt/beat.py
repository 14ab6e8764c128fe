"""When ticks are due: django-celery-beat's scheduler, which sleeps while the exchange is closed and keeps its step.

A task that says when it is of any use (`spec`, trading/tasks.py) is not sent while no account could use it; beat then
looks every few seconds whether one can. All others keep their period whatever the hour. The list of entries is none of
this module's business: it reads whatever `miniqmt/schedule.py` and the admin say.
"""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from celery.schedules import BaseSchedule, schedstate, schedule
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.utils import timezone
from django_celery_beat.models import MICROSECONDS, IntervalSchedule
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from trading.domain.calendar import MarketPhase, phase_at
from trading.management.progress import BEAT_SENT, BEAT_TURNED, mark
from trading.services.calendar import load_calendar
from trading.services.runner import TickSpec, market_times

log = logging.getLogger(__name__)

Moments = list[tuple[MarketPhase, datetime]]

#: Seconds between two looks at a tick that nobody can use now.
LOOK = 5.0
#: Ticks begin so long, in real time, before they are of use: longer than a look.
AHEAD = timedelta(seconds=30)
#: Ticks that look within so long of each other look once: reading the trading days and the accounts is most of the cost.
TOGETHER = timedelta(seconds=4)
#: Time between two questions whether an entry was changed; Celery asks at every turn, several times a second.
ASKED_EVERY = timedelta(seconds=2)
#: Seconds between the first ticks: those that fire in the same instant wait for each other in SQLite.
STAGGER = 0.4
#: Seconds after which what ran when is written down; it is shown in the admin, and nothing depends on it.
WRITE_EVERY = 60


class SteadyEntry(ModelEntry):  # type: ignore[misc]  # it carries no types
    """An entry that keeps its place in its period, however late one run was: what was staggered stays so."""

    @classmethod
    def to_model_schedule(cls, schedule: Any) -> tuple[Any, str]:
        """Keep periods below a second, for a fast simulated market; the original would make them none at all."""
        if not isinstance(schedule, timedelta) or not schedule % timedelta(seconds=1):
            row, field = super().to_model_schedule(schedule)
            return row, field
        every = schedule // timedelta(microseconds=1)
        # Not get_or_create: nothing keeps these rows unique.
        row = IntervalSchedule.objects.filter(every=every, period=MICROSECONDS).first()
        return row or IntervalSchedule.objects.create(every=every, period=MICROSECONDS), "interval"

    def is_due(self) -> schedstate:
        state: schedstate = super().is_due()
        period = period_of(self.schedule)
        if not state.is_due or period is None:
            return state
        return schedstate(True, self._until_next(period))

    def __next__(self) -> SteadyEntry:
        period = period_of(self.schedule)
        kept = None if period is None else self._last_turn(period)
        following: SteadyEntry = super().__next__()
        if kept is not None:
            following.last_run_at = following.model.last_run_at = kept
        return following

    def pass_over(self, period: float) -> float:
        """Leave out turns until a look is due again; returns in how many seconds that is."""
        turns = max(1, math.ceil(LOOK / period))
        return self._until_next(period) + (turns - 1) * period

    def _last_turn(self, period: float) -> datetime:
        return _real() - timedelta(seconds=period - self._until_next(period))

    def _until_next(self, period: float) -> float:
        since = (_real() - _aware(self.last_run_at)).total_seconds()
        # A clock that was set back: begin anew from now.
        return period - since % period if since >= 0 else period


class MarketScheduler(DatabaseScheduler):  # type: ignore[misc]
    """`CELERY_BEAT_SCHEDULER`. Reads its rows again after a change: at the next turn ASKED_EVERY later."""

    Entry = SteadyEntry
    sync_every = WRITE_EVERY
    _looked: tuple[datetime, Moments] | None = None
    _asked: datetime | None = None

    def setup_schedule(self) -> None:
        """Make every periodic task due once at the start, one after the other."""
        super().setup_schedule()
        now = _real()
        periodic = [(e, p) for e in self.schedule.values() if (p := period_of(e.schedule))]
        for place, (entry, period) in enumerate(periodic):
            first = now + timedelta(seconds=place * STAGGER - period)
            entry.last_run_at = entry.model.last_run_at = first

    def tick(self, *args: Any, **options: Any) -> float:
        """Do what is due, and tell `up` that all entries were gone through: a beat that hangs is started again."""
        wait: float = super().tick(*args, **options)
        mark(Path(settings.HOME) / BEAT_TURNED)
        return wait

    def apply_async(self, *args: Any, **options: Any) -> Any:
        """Send a task, and tell `up` that the worker has something to finish."""
        sent = super().apply_async(*args, **options)
        mark(Path(settings.HOME) / BEAT_SENT)
        return sent

    def schedule_changed(self) -> bool:
        real = _real()
        if _is_within(self._asked, ASKED_EVERY, real):
            return False
        self._asked = real
        changed: bool = super().schedule_changed()
        return changed

    def adjust(self, n: float, drift: float = 0.0) -> float:
        """Wake up when something is due: 10 ms too early, as Celery does, would be a busy wait with queries."""
        return n

    def is_due(self, entry: SteadyEntry) -> schedstate:
        state: schedstate = super().is_due(entry)
        period = period_of(entry.schedule)
        if not state.is_due or period is None or self._is_of_use(entry):
            return state
        return schedstate(False, entry.pass_over(period))

    def _is_of_use(self, entry: SteadyEntry) -> bool:
        spec: TickSpec | None = getattr(self.app.tasks.get(entry.task), "spec", None)
        if spec is None:
            return True
        try:
            return any(spec.useful(phase, at) for phase, at in self._moments())
        except (DatabaseError, InterfaceError) as problem:
            log.warning("the market's time cannot be read, so ticks go on: %s", problem)
            return True

    def _moments(self) -> Moments:
        real = _real()
        if self._looked is None or not _is_within(self._looked[0], TOGETHER, real):
            self._looked = real, moments_at(real)
        return self._looked[1]


def moments_at(real: datetime) -> Moments:
    """Return phase and market time of every enabled account, at a real time and soon after it."""
    calendar = load_calendar()
    times = [at for due in market_times(real) for at in (due.now, due.market(real + AHEAD))]
    return [(phase_at(calendar, at), at) for at in times]


def period_of(plan: BaseSchedule) -> float | None:
    """Return the seconds between two runs; None for plans of another kind, such as a time of day."""
    every: timedelta | None = plan.run_every if type(plan) is schedule else None  # type: ignore[attr-defined]
    return None if every is None else every.total_seconds()


def _is_within(since: datetime | None, period: timedelta, real: datetime) -> bool:
    return since is not None and timedelta(0) <= real - since < period


def _real() -> datetime:
    return timezone.now()  # noqa: TID251 - beat is the process that knows when it is


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
