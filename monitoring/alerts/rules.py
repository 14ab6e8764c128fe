"""Who is told of what, when, and how often: decisions without a clock or a database. Times are real."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from celery.utils.time import get_exponential_backoff_interval

from trading.domain.types import CHINA

#: Repeats of one matter within this time are counted in one alert, and told of once when it is over.
GATHERED_FOR = timedelta(minutes=10)
#: A delivery is given up after so many attempts, some two hours: 30, 60, 120 … s apart, at most 30 minutes.
ATTEMPTS = 9
_FIRST_WAIT, _LONGEST_WAIT = 30, 1800
#: Messages to one channel within `GATHERED_FOR`; what is not critical waits, and then goes out together.
MESSAGES = 20
#: So many alerts to one channel at a time go out one by one; more of them in one message that lists them.
ONE_BY_ONE = 3
#: Alerts that one message lists; the rest is counted.
LISTED = 20

_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """What a channel wants. `categories` empty: all. `escalation` zero: told at once."""

    minimum: int
    categories: Collection[str] = ()
    quiet_from: time | None = None
    quiet_until: time | None = None
    escalation: timedelta = timedelta(0)


def wants(channel: ChannelRules, severity: int, category: str) -> bool:
    """Return whether an alert goes to a channel at all, at once or as an escalation."""
    if channel.categories and category not in channel.categories:
        return False
    return severity >= channel.minimum


def quiet_until(channel: ChannelRules, now: datetime) -> datetime | None:
    """Return when the quiet hours of China's day that stand at `now` end, None while there are none."""
    begins, ends = channel.quiet_from, channel.quiet_until
    if begins is None or ends is None or begins == ends:
        return None
    local = now.astimezone(CHINA)
    at = local.time()
    over_midnight = begins > ends
    inside = (at >= begins or at < ends) if over_midnight else begins <= at < ends
    if not inside:
        return None
    day = local.date() + timedelta(days=1 if over_midnight and at >= begins else 0)
    return datetime.combine(day, ends, CHINA)


def not_before(channel: ChannelRules, pages: bool, now: datetime) -> datetime:
    """Return when an alert may go out: at once, or after the quiet hours; one that pages a person at any hour."""
    return now if pages else quiet_until(channel, now) or now


def wait_after(attempts: int) -> timedelta | None:
    """Return how long to wait after so many failed attempts (Celery's own back-off), None to give up."""
    if attempts >= ATTEMPTS:
        return None
    seconds = get_exponential_backoff_interval(_FIRST_WAIT, attempts - 1, _LONGEST_WAIT)
    return timedelta(seconds=seconds)


def matter(account_id: int | None, code: str, symbol: str, words: str, apart: bool) -> str:
    """Return what makes two alerts the same matter."""
    said = _NUMBERS.sub("#", words)[:80] if apart else ""
    return f"{account_id or 0}|{code}|{symbol}|{said}"[:160]
