"""Trading days, phases at their boundary seconds, and the clock of order timeouts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.calendar import (
    MarketPhase,
    TradingCalendar,
    books_closed,
    continuous_seconds,
    phase_at,
    sessions_since_listing,
)
from trading.domain.instruments import Instrument, instrument_for
from trading.domain.symbols import parse_symbol
from trading.domain.types import CHINA

pytestmark = pytest.mark.fast

#: Thursday, Friday, then Monday to Friday of the week in which the rules of 2026 took effect.
DAYS = [date(2026, 7, day) for day in (2, 3, 6, 7, 8, 9, 10)]
CALENDAR = TradingCalendar(DAYS, date(2026, 7, 1), date(2026, 7, 12))
P = MarketPhase
SHARE, CHINEXT, STAR, BSE, SSE_FUND, SZ_FUND, BOND = (
    instrument_for(parse_symbol(code))
    for code in ("600000", "300750", "688293", "920819", "510300", "159915", "113050")
)


def at(clock, on=date(2026, 7, 7)):
    return datetime.fromisoformat(f"{on}T{clock}").replace(tzinfo=CHINA)


# --- days -------------------------------------------------------------------------------------------------------


def test_the_calendar_knows_its_days_and_nothing_else():
    assert CALENDAR.is_session(date(2026, 7, 3))
    assert not CALENDAR.is_session(date(2026, 7, 4))
    assert CALENDAR.knows(date(2026, 7, 1))
    assert CALENDAR.knows(date(2026, 7, 12))
    assert not CALENDAR.knows(date(2026, 6, 30))
    assert not CALENDAR.knows(date(2026, 7, 13))
    assert not CALENDAR.is_session(date(2026, 7, 13))


def test_a_session_outside_the_known_dates_is_not_believed():
    calendar = TradingCalendar([date(2027, 1, 4), *DAYS], date(2026, 7, 1), date(2026, 12, 31))
    assert not calendar.is_session(date(2027, 1, 4))
    assert calendar.next_session(date(2026, 7, 10)) is None


@pytest.mark.parametrize(
    ("on", "previous", "following"),
    [
        (date(2026, 7, 6), date(2026, 7, 3), date(2026, 7, 7)),
        (date(2026, 7, 5), date(2026, 7, 3), date(2026, 7, 6)),
        (date(2026, 7, 2), None, date(2026, 7, 3)),
        (date(2026, 7, 10), date(2026, 7, 9), None),
        (date(2026, 8, 1), date(2026, 7, 10), None),
    ],
)
def test_the_neighbouring_sessions(on, previous, following):
    assert CALENDAR.previous_session(on) == previous
    assert CALENDAR.next_session(on) == following


def test_sessions_between_two_days_include_both():
    assert CALENDAR.sessions_between(date(2026, 7, 3), date(2026, 7, 6)) == (DAYS[1], DAYS[2])
    assert CALENDAR.sessions_between(date(2026, 7, 4), date(2026, 7, 5)) == ()
    assert CALENDAR.sessions_between(date(2026, 7, 6), date(2026, 7, 3)) == ()
    assert CALENDAR.sessions_before(date(2026, 7, 6)) == 2


@pytest.mark.parametrize(
    ("listed_on", "on", "session"),
    [
        (date(2026, 7, 2), date(2026, 7, 2), 1),
        (date(2026, 7, 2), date(2026, 7, 7), 4),
        (date(2026, 7, 3), date(2026, 7, 2), None),
        (date(2020, 1, 2), date(2026, 7, 7), None),
        (None, date(2026, 7, 7), None),
    ],
)
def test_the_number_of_a_session_since_the_listing(listed_on, on, session):
    share = Instrument(parse_symbol("600000"), listed_on=listed_on)
    assert sessions_since_listing(CALENDAR, share, on) == session


def test_sessions_equal_the_exchange_calendar_of_shanghai():
    exchange_calendars = pytest.importorskip("exchange_calendars")
    xshg = exchange_calendars.get_calendar("XSHG", start="2018-12-01", end="2026-12-31")
    sessions = [stamp.date() for stamp in xshg.sessions]
    calendar = TradingCalendar(reversed(sessions), date(2018, 12, 1), date(2026, 12, 31))
    first, last = date(2019, 1, 1), date(2026, 12, 31)
    expected = {
        stamp.date() for stamp in xshg.sessions_in_range(first.isoformat(), last.isoformat())
    }
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    assert {day for day in days if calendar.is_session(day)} == expected
    assert not calendar.is_session(
        date(2024, 2, 9)
    )  # closed, though some calendars call it a working day
    assert not calendar.is_session(date(2024, 2, 4))  # a make-up working Sunday
    assert calendar.next_session(date(2024, 2, 8)) == date(2024, 2, 19)
    assert calendar.previous_session(date(2024, 2, 19)) == date(2024, 2, 8)
    assert all(day.weekday() < 5 for day in calendar.sessions_between(first, last))


# --- phases -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "phase"),
    [
        ("00:00:00", P.CLOSED),
        ("09:14:59.999999", P.CLOSED),
        ("09:15:00", P.OPENING_AUCTION),
        ("09:19:59.999999", P.OPENING_AUCTION),
        ("09:20:00", P.OPENING_AUCTION_NO_CANCEL),
        ("09:24:59.999999", P.OPENING_AUCTION_NO_CANCEL),
        ("09:25:00", P.PRE_OPEN),
        ("09:29:59.999999", P.PRE_OPEN),
        ("09:30:00", P.MORNING),
        ("11:29:59.999999", P.MORNING),
        ("11:30:00", P.LUNCH),
        ("12:59:59.999999", P.LUNCH),
        ("13:00:00", P.AFTERNOON),
        ("14:56:59.999999", P.AFTERNOON),
        ("14:57:00", P.CLOSING_AUCTION),
        ("14:59:59.999999", P.CLOSING_AUCTION),
        ("15:00:00", P.POST_CLOSE),
        ("15:04:59.999999", P.POST_CLOSE),
        ("15:05:00", P.AFTER_HOURS),
        ("15:29:59.999999", P.AFTER_HOURS),
        ("15:30:00", P.CLOSED),
        ("23:59:59.999999", P.CLOSED),
    ],
)
@pytest.mark.parametrize("instrument", [None, SHARE, STAR, SSE_FUND])
def test_the_phase_at_every_boundary(clock, phase, instrument):
    assert phase_at(CALENDAR, at(clock), instrument) is phase
    assert phase_at(CALENDAR, at(clock).astimezone(UTC), instrument) is phase


@pytest.mark.parametrize("on", [date(2026, 7, 4), date(2026, 7, 13), date(2026, 6, 30)])
def test_a_day_that_is_no_session_is_closed(on):
    assert phase_at(CALENDAR, at("10:00:00", on)) is P.CLOSED


def test_the_day_is_the_day_in_china():
    sunday_in_new_york = datetime(2026, 7, 5, 21, 30, tzinfo=CHINA) + timedelta(hours=12)
    assert phase_at(CALENDAR, sunday_in_new_york.astimezone(UTC)) is P.MORNING


@pytest.mark.parametrize("function", [lambda when: phase_at(CALENDAR, when), books_closed])
def test_a_time_without_a_zone_is_refused(function):
    with pytest.raises(ValueError, match="no time zone"):
        function(at("10:00:00").replace(tzinfo=None))


@pytest.mark.parametrize(
    ("phase", "continuous", "orders", "cancels"),
    [
        (P.CLOSED, False, False, False),
        (P.OPENING_AUCTION, False, True, True),
        (P.OPENING_AUCTION_NO_CANCEL, False, True, False),
        (P.PRE_OPEN, False, False, False),
        (P.MORNING, True, True, True),
        (P.LUNCH, False, False, False),
        (P.AFTERNOON, True, True, True),
        (P.CLOSING_AUCTION, False, True, False),
        (P.POST_CLOSE, False, False, False),
        (P.AFTER_HOURS, False, True, True),
    ],
)
def test_what_the_exchange_takes_in_each_phase(phase, continuous, orders, cancels):
    assert (phase.continuous, phase.accepts_orders, phase.accepts_cancels) == (
        continuous,
        orders,
        cancels,
    )


@pytest.mark.parametrize(
    ("instrument", "on", "phase"),
    [
        (SHARE, date(2026, 7, 3), P.CLOSED),
        (SHARE, date(2026, 7, 6), P.AFTER_HOURS),
        (SSE_FUND, date(2026, 7, 3), P.CLOSED),
        (SSE_FUND, date(2026, 7, 6), P.AFTER_HOURS),
        (SZ_FUND, date(2026, 7, 6), P.AFTER_HOURS),
        (CHINEXT, date(2026, 7, 3), P.AFTER_HOURS),
        (STAR, date(2026, 7, 3), P.AFTER_HOURS),
        (BSE, date(2026, 7, 6), P.CLOSED),
        (BOND, date(2026, 7, 6), P.CLOSED),
        (None, date(2026, 7, 3), P.CLOSED),
        (None, date(2026, 7, 6), P.AFTER_HOURS),
    ],
)
def test_who_has_after_hours_trading_since_when(instrument, on, phase):
    assert phase_at(CALENDAR, at("15:05:00", on), instrument) is phase


def test_chinext_has_after_hours_trading_since_its_reform():
    august = [date(2020, 8, 21), date(2020, 8, 24)]
    calendar = TradingCalendar(august, date(2020, 8, 1), date(2020, 8, 31))
    phases = [phase_at(calendar, at("15:10:00", on), CHINEXT) for on in august]
    assert phases == [P.CLOSED, P.AFTER_HOURS]


@pytest.mark.parametrize(
    ("instrument", "on", "phase"),
    [
        (SSE_FUND, date(2026, 7, 3), P.AFTERNOON),
        (SSE_FUND, date(2026, 7, 6), P.CLOSING_AUCTION),
        (SZ_FUND, date(2026, 7, 3), P.CLOSING_AUCTION),
        (SHARE, date(2026, 7, 3), P.CLOSING_AUCTION),
        (None, date(2026, 7, 3), P.CLOSING_AUCTION),
    ],
)
def test_sse_funds_close_by_auction_since_july_2026(instrument, on, phase):
    assert phase_at(CALENDAR, at("14:57:00", on), instrument) is phase


@pytest.mark.parametrize(
    ("clock", "closed"),
    [("09:00:00", False), ("15:34:59.999999", False), ("15:35:00", True), ("23:59:59", True)],
)
def test_the_books_close_at_1535(clock, closed):
    assert books_closed(at(clock)) is closed


# --- the clock of timeouts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ("2026-07-07T10:00:00", "2026-07-07T10:00:30", "30"),
        ("2026-07-07T10:00:00", "2026-07-07T10:00:00.250000", "0.25"),
        ("2026-07-07T10:00:30", "2026-07-07T10:00:00", "0"),
        ("2026-07-07T10:00:00", "2026-07-07T10:00:00", "0"),
        ("2026-07-07T11:29:50", "2026-07-07T13:00:20", "30"),  # lunch does not count
        ("2026-07-07T11:30:00", "2026-07-07T13:00:00", "0"),
        ("2026-07-07T09:15:00", "2026-07-07T09:30:05", "5"),  # nor does the opening auction
        ("2026-07-07T14:56:50", "2026-07-07T15:30:00", "10"),  # nor the closing auction
        ("2026-07-07T14:56:50", "2026-07-08T09:30:20", "30"),  # overnight
        ("2026-07-03T14:56:50", "2026-07-06T09:30:20", "30"),  # over a weekend
        ("2026-07-04T10:00:00", "2026-07-05T10:00:00", "0"),
        ("2026-07-07T00:00:00", "2026-07-08T00:00:00", "14220"),
        ("2026-07-02T00:00:00", "2026-07-11T00:00:00", "99540"),
        ("2026-07-13T09:30:00", "2026-07-13T10:00:00", "0"),  # an unknown day is closed
    ],
)
def test_only_continuous_trading_counts(start, end, seconds):
    start, end = (datetime.fromisoformat(text).replace(tzinfo=CHINA) for text in (start, end))
    assert continuous_seconds(CALENDAR, start, end) == Decimal(seconds)
    assert continuous_seconds(CALENDAR, start.astimezone(UTC), end.astimezone(UTC)) == Decimal(
        seconds
    )


moments = st.timedeltas(timedelta(0), timedelta(days=14)).map(
    lambda since: at("00:00:00", date(2026, 6, 30)) + since
)


@given(moments, moments, moments)
def test_continuous_seconds_add_up(first, second, third):
    first, second, third = sorted((first, second, third))
    parts = continuous_seconds(CALENDAR, first, second) + continuous_seconds(
        CALENDAR, second, third
    )
    assert parts == continuous_seconds(CALENDAR, first, third)
    assert 0 <= parts <= Decimal((third - first) // timedelta(microseconds=1)) / 1_000_000


@given(moments)
def test_time_runs_exactly_in_continuous_phases(moment):
    moment = moment.replace(microsecond=0)
    elapsed = continuous_seconds(CALENDAR, moment, moment + timedelta(seconds=1))
    assert elapsed == (1 if phase_at(CALENDAR, moment).continuous else 0)
