"""From the outbox to the channels: claimed first, sent outside of any transaction, then noted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from logging.handlers import RotatingFileHandler
from pathlib import Path

from django.db import transaction
from django.db.models import F

from monitoring.alerts import rules
from monitoring.alerts.channels import Answer, Send
from monitoring.alerts.collect import rules_of, unsent
from monitoring.alerts.messages import line_of, message_of
from monitoring.models import Alert, AlertChannel, AlertDelivery, Severity

#: A sender that died gives its deliveries back after so long.
CLAIMED_FOR = timedelta(minutes=2)
#: Deliveries to one channel that are claimed at a time.
CLAIMED = 200
#: What was not sent for a day is no news any more; the page has it.
NEWS_FOR = timedelta(days=1)
#: Where alerts go that no channel takes, in the data directory: so many bytes, and so many older files.
FILE, FILE_BYTES, FILES = "alerts.log", 1_000_000, 5
_FILED = 200

_WAITING = AlertDelivery.State.WAITING


class _File(RotatingFileHandler):
    """A rotated file that raises OSError where logging would only mention it."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise


@dataclass(frozen=True, slots=True)
class _Parcel:
    """One message and the deliveries it stands for."""

    message: dict[str, str]
    deliveries: Sequence[AlertDelivery]


def are_due(now: datetime) -> bool:
    """Return whether anything waits to be sent now."""
    return bool(_due(now).exists())


def deliver(send: Send, clock: Callable[[], datetime]) -> int:
    """Send what is due, one channel after the other; returns how many messages were taken. `clock` gives real time."""
    due = _due(clock()).values("channel")
    taken = 0
    channels = AlertChannel.objects.filter(pk__in=due).order_by("pk")
    # Whoever failed of late comes last: a receiver that hangs holds up nobody but itself.
    for channel in sorted(channels, key=lambda one: bool(one.last_problem)):
        now = clock()
        parcels = _parcels(_claim(channel, now), channel)
        if not parcels:
            continue
        answers = send(channel.url, [one.message for one in parcels])
        for parcel, answer in zip(parcels, answers, strict=True):
            _note(channel, parcel, answer, clock())
            taken += answer.ok
    return taken


def file_unsent(now: datetime, home: Path) -> int:
    """Write alerts that no channel takes to a file, once each. Raises OSError when the file takes them neither."""
    alerts = Alert.objects.filter(
        unsent(now), filed_at=None, severity__gte=Severity.WARNING, made_at__gt=now - NEWS_FOR
    )
    rows = list(alerts.select_related("account").order_by("pk")[:_FILED])
    if not rows:
        return 0
    path = home / FILE
    path.touch(mode=0o600, exist_ok=True)
    handler = _File(
        path, maxBytes=FILE_BYTES, backupCount=FILES, encoding="utf-8", errors="replace"
    )
    with closing(handler):
        for row in rows:
            handler.emit(logging.makeLogRecord({"msg": line_of(row)}))
    Alert.objects.filter(pk__in=[row.pk for row in rows]).update(filed_at=now)
    return len(rows)


def _due(now: datetime):  # type: ignore[no-untyped-def]
    return AlertDelivery.objects.filter(
        state=_WAITING, next_attempt_at__lte=now, channel__enabled=True
    )


def _claim(channel: AlertChannel, now: datetime) -> list[AlertDelivery]:
    """Claim what is due to a channel, each by a conditional update; nothing is claimed twice."""
    AlertDelivery.objects.filter(
        state=_WAITING, channel=channel, alert__made_at__lt=now - NEWS_FOR
    ).update(state=AlertDelivery.State.FAILED)
    due = _due(now).filter(channel=channel).select_related("alert__account")
    rows = list(due.order_by("-alert__severity", "pk")[:CLAIMED])
    wait = _throttled_until(channel, now)
    if wait is not None:
        late = [row.pk for row in rows if not row.alert.pages]
        AlertDelivery.objects.filter(pk__in=late, state=_WAITING).update(next_attempt_at=wait)
        rows = [row for row in rows if row.alert.pages]
    claimed = []
    with transaction.atomic():
        for row in rows:
            mine = AlertDelivery.objects.filter(
                pk=row.pk, state=_WAITING, next_attempt_at__lte=now
            )
            if mine.update(next_attempt_at=now + CLAIMED_FOR, attempts=F("attempts") + 1):
                row.attempts += 1
                claimed.append(row)
    return claimed


def _throttled_until(channel: AlertChannel, now: datetime) -> datetime | None:
    """Return until when a channel that had many messages of late gets critical ones only."""
    since = now - rules.GATHERED_FOR
    times = AlertDelivery.objects.filter(channel=channel, sent_at__gt=since).order_by("sent_at")
    # Deliveries that went out in one message share their moment.
    sent = [at for at in times.values_list("sent_at", flat=True).distinct() if at is not None]
    return None if len(sent) < rules.MESSAGES else sent[0] + rules.GATHERED_FOR


def _parcels(rows: Sequence[AlertDelivery], channel: AlertChannel) -> list[_Parcel]:
    if len(rows) > rules.ONE_BY_ONE:
        return [_Parcel(message_of([row.alert for row in rows], channel.language), rows)]
    return [_Parcel(message_of([row.alert], channel.language), [row]) for row in rows]


def _note(channel: AlertChannel, parcel: _Parcel, answer: Answer, now: datetime) -> None:
    keys = [row.pk for row in parcel.deliveries]
    rows = AlertDelivery.objects.filter(pk__in=keys, state=_WAITING)
    if answer.ok:
        rows.update(state=AlertDelivery.State.SENT, sent_at=now, answer=answer.text)
        AlertChannel.objects.filter(pk=channel.pk).update(last_sent_at=now, last_problem="")
        return
    AlertChannel.objects.filter(pk=channel.pk).update(last_problem=answer.text)
    wanted = rules_of(channel)
    for row in parcel.deliveries:
        mine = rows.filter(pk=row.pk)
        wait = rules.wait_after(row.attempts)
        if wait is None:
            mine.update(state=AlertDelivery.State.FAILED, answer=answer.text)
        else:
            at = rules.not_before(wanted, row.alert.pages, now + wait)
            mine.update(next_attempt_at=at, answer=answer.text)
