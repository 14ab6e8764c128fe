"""The product's settings, with the database and the clock that can be harmed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from miniqmt.settings import *  # noqa: F403
from miniqmt.settings import DATABASES, HOME
from tests.simulation.processes.harsh import CLOCK

DATABASES["default"]["ENGINE"] = "tests.simulation.processes.harsh.sqlite"


def _wrong_by() -> timedelta:
    try:
        return timedelta(seconds=float((HOME / CLOCK).read_text("utf-8")))
    except (FileNotFoundError, ValueError):
        return timedelta(0)


timezone.now = lambda: datetime.now(UTC) + _wrong_by()
