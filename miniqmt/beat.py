"""Beat's scheduler: Django's tables, with periods below a second for a fast simulated market."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django_celery_beat.models import MICROSECONDS, IntervalSchedule
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry


class Entry(ModelEntry):  # type: ignore[misc]  # it carries no types
    """One periodic task. The original keeps whole seconds only: half a second would become none at all."""

    @classmethod
    def to_model_schedule(cls, schedule: Any) -> tuple[Any, str]:
        if not isinstance(schedule, timedelta) or not schedule % timedelta(seconds=1):
            row, field = super().to_model_schedule(schedule)
            return row, field
        every = schedule // timedelta(microseconds=1)
        # Not get_or_create: nothing keeps these rows unique.
        row = IntervalSchedule.objects.filter(every=every, period=MICROSECONDS).first()
        return row or IntervalSchedule.objects.create(every=every, period=MICROSECONDS), "interval"


class Scheduler(DatabaseScheduler):  # type: ignore[misc]
    """The DatabaseScheduler with such entries."""

    Entry = Entry
