"""The trading calendar a process starts with, filled where it does not know today: whichever process comes first."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

from django.conf import settings

from trading.domain.calendar import TradingCalendar
from trading.services.calendar import load_calendar

#: Seconds a slow machine may take to fill it.
FILL_WITHIN = 120.0
# A child fills it: the library it comes from needs pandas, which would stay in memory here.
_FILL = (
    "import django; django.setup();"
    "from trading.services.calendar import fill_calendar; fill_calendar()"
)


def calendar_known_on(today: date) -> TradingCalendar:
    """Return the calendar, filled when it does not know `today`. Raises DatabaseError, or SubprocessError when it could not be filled."""
    calendar = load_calendar()
    if not calendar.knows(today):
        command = [sys.executable, "-c", _FILL]
        subprocess.run(command, cwd=settings.BASE_DIR, check=True, timeout=FILL_WITHIN)
        calendar = load_calendar()
    return calendar
