"""The trading days of another year, added by a person; and processes that notice it."""

from __future__ import annotations

from datetime import date
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from trading.management.change_watch import LOOK_EVERY, ChangeWatch
from trading.models import TradingDay
from trading.services.calendar import cross_check, fill_calendar, load_calendar, settle_day

pytestmark = [pytest.mark.system, pytest.mark.unattended, pytest.mark.django_db]

#: Not an announced list: as many days as a year has.
CLOSED = (
    "2027-01-01..2027-01-03,2027-02-05..2027-02-11，2027-04-03..2027-04-05",
    *("2027-05-01..2027-05-05", "2027-06-09", "2027-09-15..2027-09-17", "2027-10-01..2027-10-07"),
)


@pytest.fixture(autouse=True)
def known(db):
    fill_calendar()
    assert load_calendar().known_until == date(2026, 12, 31)


def trading_days(*words: object) -> str:
    said = StringIO()
    call_command("trading_days", *map(str, words), stdout=said)
    return said.getvalue()


def test_without_a_year_it_says_how_far_the_calendar_goes():
    assert "until 2026-12-31" in trading_days()


def test_a_year_is_shown_first_and_written_when_asked_to():
    said = trading_days(2027, "--closed", *CLOSED)
    assert "242 sessions, closed on 19 weekdays" in said
    assert "2027-06-09 Wed 周三" in said
    assert "Nothing was written" in said
    assert load_calendar().known_until == date(2026, 12, 31)

    assert "365 days were added" in trading_days(2027, "--closed", *CLOSED, "--write")
    calendar = load_calendar()
    assert calendar.known_until == date(2027, 12, 31)
    assert calendar.is_session(date(2027, 1, 4))
    assert not calendar.is_session(date(2027, 2, 8))
    assert not calendar.is_session(date(2027, 1, 9))


def test_what_is_known_stays_and_what_differs_is_named():
    cross_check([date(2027, 1, 4), date(2027, 1, 5)], "terminal", date(2026, 12, 31))
    said = trading_days(2027, "--closed", *CLOSED, "2027-01-04..2027-01-04", "--write")
    assert "2027-01-04 was known and says otherwise" in said
    assert load_calendar().is_session(date(2027, 1, 4))
    assert "0 days were added" in trading_days(2027, "--closed", *CLOSED, "--write")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((2028, "--closed", *(one.replace("2027", "2028") for one in CLOSED), "--write"), "add 2027 first"),
        ((2027, "--write"), "would have 261 sessions"),
        ((1999, "--write"), "name one from 2005 to 2100"),
    ],
)  # fmt: skip
def test_what_cannot_be_added_changes_nothing_and_says_why(words, said):
    with pytest.raises(CommandError, match=said):
        trading_days(*words)
    assert TradingDay.objects.latest("on").on == date(2026, 12, 31)


class Timer:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_process_notices_that_a_day_was_decided_since_it_began():
    """A disputed day counts as closed; a gateway that kept on thinking so would send no stop-loss."""
    today = date(2026, 11, 30)
    cross_check([date(2026, 11, 27), date(2026, 12, 1)], "terminal", today)
    timer = Timer()
    watch = ChangeWatch(load_calendar(), load_calendar, timer)
    timer.seconds = LOOK_EVERY
    assert not watch.changed()
    assert settle_day(today, True, "wang")
    assert not watch.changed()  # it looks twice a minute
    timer.seconds = 2 * LOOK_EVERY
    assert watch.changed()


def test_a_calendar_that_cannot_be_read_has_not_changed():
    timer = Timer()
    watch = ChangeWatch(load_calendar(), load_calendar, timer)
    timer.seconds = LOOK_EVERY

    def away(*_: object, **__: object) -> None:
        raise OperationalError("away")

    with connection.execute_wrapper(away):
        assert not watch.changed()
