"""What each machine says of itself, and what an account needs that none of them runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now

from monitoring.models import Machine
from monitoring.run_file import GATEWAY
from trading.models import Account

#: How often `up` reports, and after which silence what it said counts no more: both real.
EVERY, SILENT_AFTER = timedelta(seconds=10), timedelta(seconds=40)
#: What there has to be once somewhere, besides the gateway of each account.
ONCE = ("market_data", "worker", "beat")


def report(name: str, processes: Sequence[Mapping[str, Any]], ahead: timedelta | None) -> None:
    """Note what runs on a machine, at the database's time."""
    milliseconds = None if ahead is None else ahead // timedelta(milliseconds=1)
    said = {"processes": list(processes), "seen_at": Now(), "clock_ahead": milliseconds}
    if not Machine.objects.filter(pk=name).update(**said):
        Machine.objects.create(name=name, **said)


def other_machines(own: str) -> Sequence[Any]:
    """Return the rows of all machines but this one, each with `is_fresh`: it has reported lately."""
    fresh = ExpressionWrapper(Q(seen_at__gt=Now() - SILENT_AFTER), output_field=BooleanField())
    return list(Machine.objects.exclude(pk=own).annotate(is_fresh=fresh).order_by("pk"))


def needed() -> Sequence[str]:
    """Return the names of the processes without which the enabled accounts are not looked after."""
    names = Account.objects.filter(enabled=True).order_by("pk").values_list("name", flat=True)
    return (*ONCE, *(f"{GATEWAY}{name}" for name in names))
