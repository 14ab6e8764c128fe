"""What may be forgotten, and when; everything else is kept for ever (docs/operations.md has the list)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessLog
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Min, QuerySet

from trading.models import BrokerEvent, Denial, UnknownOutcome

#: Raw reports of the terminal: what they said is in orders, fills and events.
REPORTS_FOR = timedelta(days=90)
#: Denials that are over; how many there were of each code stays in the day reports.
DENIALS_FOR = timedelta(days=180)
#: Who logged in and out, from where.
LOGINS_FOR = timedelta(days=180)
#: Rows that one transaction deletes: a write lock of a few milliseconds. So many of them in one run.
BATCH, BATCHES = 500, 40


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows were deleted. `more`: the run had enough, and the next one goes on."""

    reports: int
    denials: int
    logins: int
    more: bool

    @property
    def total(self) -> int:
        return self.reports + self.denials + self.logins


def forget(now: datetime) -> Forgotten:
    """Delete what may be forgotten, in small transactions. `now` is real time."""
    oldest_doubt = UnknownOutcome.objects.filter(resolved_at__isnull=True).aggregate(at=Min("since"))["at"]  # fmt: skip
    reports = BrokerEvent.objects.filter(received_at__lt=now - REPORTS_FOR)
    if oldest_doubt is not None:  # a person may still want to read them
        reports = reports.filter(received_at__lt=oldest_doubt - timedelta(days=1))
    denials = Denial.objects.filter(cleared_at__lt=now - DENIALS_FOR)
    sessions = Session.objects.filter(expire_date__lt=now)
    logins = AccessLog.objects.filter(attempt_time__lt=now - LOGINS_FOR)
    left = iter(range(BATCHES))
    return Forgotten(
        reports=sum(_delete(reports, left)),
        denials=sum(_delete(denials, left)),
        logins=sum(_delete(sessions, left)) + sum(_delete(logins, left)),
        more=next(left, None) is None,
    )


def _delete(rows: QuerySet[Any], left: Iterator[int]) -> Iterator[int]:
    """Delete rows batch by batch while batches are left."""
    # The plain set: reports are append-only for everybody else.
    every: QuerySet[Any] = QuerySet(rows.model)
    for _ in left:
        with transaction.atomic():
            keys = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
            every.filter(pk__in=keys).delete()
        yield len(keys)
        if len(keys) < BATCH:
            return
