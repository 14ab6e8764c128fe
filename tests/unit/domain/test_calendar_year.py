"""A year of trading days as a person reads it in the exchanges' notice."""

from __future__ import annotations

from datetime import date

import exchange_calendars
import pytest

from trading.domain.calendar_year import CalendarYearError, days_of, parse_closed

#: The exchanges' notice for 2026: every stretch with its weekends.
CLOSED_IN_2026 = (
    *("2026-01-01..2026-01-03", "2026-02-15..2026-02-23", "2026-04-04..2026-04-06"),
    *("2026-05-01..2026-05-05", "2026-06-19..2026-06-21", "2026-09-25..2026-09-27"),
    "2026-10-01..2026-10-07",
)


def test_the_notice_of_2026_gives_the_sessions_of_2026():
    days = days_of(2026, parse_closed(CLOSED_IN_2026, 2026))
    known = exchange_calendars.get_calendar("XSHG", start="2025-12-01").sessions_in_range(
        "2026-01-01", "2026-12-31"
    )
    assert [day for day, is_session in days.items() if is_session] == [
        stamp.date() for stamp in known
    ]
    assert len(days) == 365


def test_every_year_there_was_has_a_likely_number_of_sessions():
    sessions = exchange_calendars.get_calendar("XSHG", start="2001-01-01").sessions.date
    for year in range(2001, 2027):
        open_on = {day for day in sessions if day.year == year}
        first = date(year, 1, 1).toordinal()
        weekdays = [date.fromordinal(first + offset) for offset in range(365)]
        closed = frozenset(
            day
            for day in weekdays
            if day.year == year and day.isoweekday() <= 5 and day not in open_on
        )
        assert {day for day, is_session in days_of(year, closed).items() if is_session} == open_on


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "would have 261 sessions"),
        (("2027-02-05..2027-02-11",), "would have 256 sessions"),
        (("2027-1-1",), "'2027-1-1' is no day and no stretch"),
        (("2027-02-30",), "is no day and no stretch"),
        (("2026-12-31..2027-01-03",), "is not in 2027"),
        (("2027-02-11..2027-02-05",), "has -5 days"),
        (("2027-02-01..2027-02-28",), "has 28 days"),
        (("2027-02-05 bis 2027-02-11",), "is no day and no stretch"),
    ],
)
def test_what_cannot_be_a_year_says_what_is_wrong_with_it(words, said):
    with pytest.raises(CalendarYearError, match="--closed") as refused:
        days_of(2027, parse_closed(words, 2027))
    assert said in refused.value.text.en
    assert refused.value.text.zh
