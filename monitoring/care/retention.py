"""What may be forgotten, and when; everything else is kept for ever (docs/operations.md has the list)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessLog
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Min, Q, QuerySet

from monitoring.models import EquityPoint, LogLine, PricePoint
from trading.models import BrokerEvent, Denial, UnknownOutcome

#: Raw reports of the terminal: what they said is in orders, fills and events.
REPORTS_FOR = timedelta(days=90)
#: Denials that are over; how many there were of each code stays in the day reports.
DENIALS_FOR = timedelta(days=180)
#: Who logged in and out, from where.
LOGINS_FOR = timedelta(days=180)
#: Minutes of the curves people look at. What a session began and ended with stays in its day report.
EQUITY_FOR, PRICES_FOR = timedelta(days=370), timedelta(days=14)
#: What processes warned of: the files are kept for fourteen days or less.
LOG_LINES_FOR, MOST_LOG_LINES = timedelta(days=30), 20_000
#: Rows that one transaction deletes: a write lock of a few milliseconds. So many of them in one run.
BATCH, BATCHES = 500, 40


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows were deleted. `more`: the run had enough, and the next one goes on."""

    reports: int
    denials: int
    logins: int
    points: int
    log_lines: int
    more: bool

    @property
    def total(self) -> int:
        return self.reports + self.denials + self.logins + self.points + self.log_lines


def forget(now: datetime) -> Forgotten:
    """Delete what may be forgotten, in small transactions. `now` is real time."""
    oldest_doubt = UnknownOutcome.objects.filter(resolved_at__isnull=True).aggregate(at=Min("since"))["at"]  # fmt: skip
    reports = BrokerEvent.objects.filter(received_at__lt=now - REPORTS_FOR)
    if oldest_doubt is not None:  # a person may still want to read them
        reports = reports.filter(received_at__lt=oldest_doubt - timedelta(days=1))
    denials = Denial.objects.filter(cleared_at__lt=now - DENIALS_FOR)
    sessions = Session.objects.filter(expire_date__lt=now)
    logins = AccessLog.objects.filter(attempt_time__lt=now - LOGINS_FOR)
    equity = EquityPoint.objects.filter(recorded_at__lt=now - EQUITY_FOR)
    prices = PricePoint.objects.filter(recorded_at__lt=now - PRICES_FOR)
    left = iter(range(BATCHES))
    return Forgotten(
        reports=sum(_delete(reports, left)),
        denials=sum(_delete(denials, left)),
        logins=sum(_delete(sessions, left)) + sum(_delete(logins, left)),
        points=sum(_delete(equity, left)) + sum(_delete(prices, left)),
        log_lines=sum(_delete(_old_log_lines(now), left)),
        more=next(left, None) is None,
    )


def _old_log_lines(now: datetime) -> QuerySet[LogLine]:
    """The old ones, and of more than so many the oldest."""
    beyond = LogLine.objects.order_by("-pk").values_list("pk", flat=True)[MOST_LOG_LINES:]
    last = beyond.first()
    return LogLine.objects.filter(Q(at__lt=now - LOG_LINES_FOR) | Q(pk__lte=last or 0))


def _delete(rows: QuerySet[Any], left: Iterator[int]) -> Iterator[int]:
    """Delete rows batch by batch while batches are left."""
    if not rows.exists():
        return  # no batch is spent on it
    # The plain set: reports are append-only for everybody else.
    every: QuerySet[Any] = QuerySet(rows.model)
    for _ in left:
        with transaction.atomic():
            keys = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
            every.filter(pk__in=keys).delete()
        yield len(keys)
        if len(keys) < BATCH:
            return
