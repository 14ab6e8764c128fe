"""The trading calendar a process starts with, filled where it does not know today, and whether it has changed since."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date

from django.conf import settings
from django.db import Error

from trading.domain.calendar import TradingCalendar
from trading.services.calendar import load_calendar

#: Seconds a slow machine may take to fill it.
FILL_WITHIN = 120.0
#: Seconds between two looks whether somebody changed it.
LOOK_EVERY = 30.0
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


class CalendarWatch:
    """Tells a process that the trading days have changed since it read them: a day decided by a person, a new year.

    It ends then, and whoever keeps it running starts one that knows them.
    """

    def __init__(
        self, calendar: TradingCalendar, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._calendar, self._monotonic = calendar, monotonic
        self._due = monotonic() + LOOK_EVERY

    def changed(self) -> bool:
        """Whether they have, at most one query in half a minute. What cannot be read has not changed."""
        now = self._monotonic()
        if now < self._due:
            return False
        self._due = now + LOOK_EVERY
        try:
            return (
                load_calendar() is not self._calendar
            )  # the same object as long as nothing changed
        except Error:
            return False
