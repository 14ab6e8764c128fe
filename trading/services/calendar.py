"""The trading calendar: rows filled once from exchange_calendars, read as one immutable value."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count, Subquery

from trading.domain.calendar import TradingCalendar
from trading.models import TradingDay

SOURCE = "exchange_calendars XSHG"
#: Beginnings of other sources: a person's word, and a day on which the calendar and a terminal disagree.
HAND, DISPUTED = "by hand", "disputed"
#: So far back a terminal's dates are compared; what was before is over.
_BACK = timedelta(days=30)


class Compared(NamedTuple):
    """What a terminal's trading dates said: days that are disputed now, days learned, past days that differ."""

    disputed: tuple[date, ...]
    learned: tuple[date, ...]
    past: tuple[date, ...]


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
    by_source = TradingDay.objects.order_by("is_session", "source").values_list(
        "is_session", "source"
    )
    days = TradingDay.objects.order_by("on").values("on")
    # The days are counted in an index; Min and Max beside that would read every row.
    first, last = Subquery(days[:1]), Subquery(days.reverse()[:1])
    return _load(tuple(by_source.annotate(days=Count("*"), first=first, last=last)))


@lru_cache(maxsize=2)
def _load(stated: tuple[tuple[bool, str, int, date, date], ...]) -> TradingCalendar:
    """Read the rows; `stated`: how many days each source calls a session, and closed; the first and the last known."""
    if not stated:
        return TradingCalendar((), date.min, date.min)
    *_, first, last = stated[0]
    dates = TradingDay.objects.filter(is_session=True).values_list("on", flat=True)
    return TradingCalendar(dates, first, last)


def cross_check(sessions: Iterable[date], source: str, today: date) -> Compared:
    """Compare the calendar with the trading dates a terminal states; its word covers its first date to its last.

    Days beyond the calendar are learned from it. A day from today on where the two disagree is closed until a person
    decides it (`settle_day`): nothing is sent on a day that may be none. Health and pre-market check say so. A day
    that a person decided stays as it is. Safe to repeat.
    """
    stated = frozenset(sessions)
    if not stated:
        return Compared((), (), ())
    first, last = max(min(stated), today - _BACK), max(stated)
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    with transaction.atomic():
        rows = TradingDay.objects.in_bulk(days)
        learned = [day for day in days if day not in rows]
        TradingDay.objects.bulk_create(
            [TradingDay(on=on, is_session=on in stated, source=source[:32]) for on in learned],
            ignore_conflicts=True,
            batch_size=500,
        )
        differing = [
            on
            for on, row in sorted(rows.items())
            if row.is_session != (on in stated) and not row.source.startswith((HAND, DISPUTED))
        ]
        ahead = [on for on in differing if on >= today]
        mark = f"{DISPUTED}: {source}"[:32]
        TradingDay.objects.filter(on__in=ahead).update(is_session=False, source=mark)
    past = tuple(on for on in differing if on < today)
    return Compared(disputed_days(today), tuple(learned), past)


def disputed_days(today: date) -> tuple[date, ...]:
    """Return the days from today on that count as closed because calendar and terminal disagree; one query."""
    rows = TradingDay.objects.filter(on__gte=today, source__startswith=DISPUTED).order_by("on")
    return tuple(rows.values_list("on", flat=True))


def settle_day(on: date, is_session: bool, actor: str) -> bool:
    """Decide a disputed day; True when it was one. No source changes it from then on."""
    source = f"{HAND}: {actor}"[:32]
    rows = TradingDay.objects.filter(on=on, source__startswith=DISPUTED)
    return bool(rows.update(is_session=is_session, source=source))
