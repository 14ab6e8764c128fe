"""The trading calendar: rows filled once from exchange_calendars, read as one immutable value."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

from django.db.models import Count, Max, Min, Q

from trading.domain.calendar import TradingCalendar
from trading.models import TradingDay

SOURCE = "exchange_calendars XSHG"


def fill_calendar(first: date = date(2005, 1, 1)) -> int:
    """Insert the days exchange_calendars knows from `first` on; existing rows win. Returns the number of known days."""
    rows = calendar_rows(first)
    TradingDay.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    return len(rows)


def calendar_rows(first: date) -> list[TradingDay]:
    """Return a row for every day exchange_calendars knows from `first` on."""
    import exchange_calendars  # needs pandas: never at the top of a module that a resident process imports

    calendar = exchange_calendars.get_calendar("XSHG", start=first.isoformat())
    sessions = {stamp.date() for stamp in calendar.sessions}
    last = calendar.last_session.date()
    # The release knows whole years: the days after the last session up to New Year are closed, not unknown.
    last = max(last, date(last.year, 12, 31))
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    return [TradingDay(on=day, is_session=day in sessions, source=SOURCE) for day in days]


def load_calendar() -> TradingCalendar:
    """Return the calendar; reads all rows only when they changed."""
    facts = TradingDay.objects.aggregate(
        days=Count("on"),
        sessions=Count("on", filter=Q(is_session=True)),
        first=Min("on"),
        last=Max("on"),
    )
    return _load(facts["days"], facts["sessions"], facts["first"], facts["last"])


@lru_cache(maxsize=2)
def _load(days: int, sessions: int, first: date | None, last: date | None) -> TradingCalendar:
    if first is None or last is None:
        return TradingCalendar((), date.min, date.min)
    dates = TradingDay.objects.filter(is_session=True).values_list("on", flat=True)
    return TradingCalendar(dates, first, last)
