"""The settings of the harm (`processes.harsh`) for everything that `up` runs; the exchange, which is elsewhere, keeps its clock."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from django.utils import timezone

from tests.simulation.processes.harsh.settings import *  # noqa: F403

if "paper_terminal" in sys.argv:
    timezone.now = lambda: datetime.now(UTC)
