"""Adds a year of trading days that a person has read in the exchanges' notice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from django.db import transaction

from trading.domain.calendar_year import CalendarYearError
from trading.domain.types import Text
from trading.models import TradingDay
from trading.services.calendar import HAND, load_calendar


class Added(NamedTuple):
    """How many days were added, and the known ones that say otherwise and stay as they are."""

    days: int
    differing: tuple[date, ...]


def add_year(days: Mapping[date, bool], actor: str) -> Added:
    """Write the days that are not known; safe to repeat. Raises CalendarYearError where a gap would be left before them."""
    first, until = min(days), load_calendar().known_until
    if (first - until).days > 1:
        raise CalendarYearError(
            Text(
                f"YEAR: trading days are known until {until}; add {until.year + (until.month == 12)} first.",
                f"YEAR：交易日历目前止于 {until}；请先补充 {until.year + (until.month == 12)} 年。",
            )
        )
    with transaction.atomic():
        known = TradingDay.objects.in_bulk(days)
        new = [
            TradingDay(on=on, is_session=is_session, source=f"{HAND}: {actor}"[:32])
            for on, is_session in days.items()
            if on not in known
        ]
        TradingDay.objects.bulk_create(new, ignore_conflicts=True, batch_size=500)
    differing = (on for on, row in known.items() if row.is_session != days[on])
    return Added(len(new), tuple(sorted(differing)))
