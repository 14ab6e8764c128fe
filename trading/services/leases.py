"""Whose turn a tick is: two schedulers, a doubled message or a late worker are harmless.

The claim is made inside the tick's own transaction, so claim, work and commit are one: whoever comes second waits for
the row and then finds the tick done. A tick that fails or dies gives its claim back with its rollback.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from trading.models import TickLease
from trading.models.prepared import Prepared, PreparedUpdate

#: A start that lies further ahead than this was noted by a clock that has been set back since: it keeps nobody waiting.
AHEAD = timedelta(seconds=10)


def is_due(name: str, period: timedelta, now: datetime) -> bool:
    """Look, without a write lock, whether a tick could be claimed now (real time)."""
    started = _STARTED(name)
    if not started or started[0] is None:
        return True
    return started[0] <= now - period / 2 or started[0] > now + AHEAD


_STARTED = Prepared(
    lambda name: TickLease.objects.filter(name=name).values_list("started_at", flat=True)
)


def claim(name: str, period: timedelta, now: datetime) -> bool:
    """Claim the next run of a tick by one conditional UPDATE (real time); False when it is not due."""
    if _CLAIM(name, now - period / 2, now + AHEAD, started_at=now):
        return True
    if TickLease.objects.filter(name=name).exists():
        return False
    _, created = TickLease.objects.get_or_create(name=name, defaults={"started_at": now})
    return created


_CLAIM = PreparedUpdate(
    lambda name, latest, ahead: TickLease.objects.filter(
        Q(started_at__isnull=True) | Q(started_at__lte=latest) | Q(started_at__gt=ahead), name=name
    )
)
