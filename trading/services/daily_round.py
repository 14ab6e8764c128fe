"""Once a session's books are closed: its bars are kept, and a child counts the indicators.

The child is `manage.py indicators`, because pandas stays in memory where it was loaded once. It has a deadline; what
it did not get to is missing still, and the next round starts another one.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings

from trading.domain.calendar import TradingCalendar, books_closed
from trading.domain.types import AccountMode, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.models import Account, EventLevel
from trading.ports import QuoteReader
from trading.selectors import symbols_of_interest, watched_symbols
from trading.services import indicators, leases
from trading.services.calendar import load_calendar
from trading.services.clock import environment_of, market_time
from trading.services.daily_bars import bars_of_quotes, keep_bars
from trading.services.events import journal_once

log = logging.getLogger(__name__)

LEASE, PERIOD = "indicators", timedelta(minutes=10)
#: Seconds; thousands of symbols with twenty years of bars take two minutes.
WITHIN = 300.0


def after_the_close(real: datetime, quotes: QuoteReader) -> None:
    """Keep the bars of a session that is over, as our quotes saw them, and have counted what is missing."""
    calendar = load_calendar()
    for account in Account.objects.filter(enabled=True).order_by("pk"):
        now = market_time(AccountMode(account.mode), real)
        if books_closed(now) and calendar.is_session(now.date()):
            _keep(account, now, quotes, calendar)
    if indicators.are_missing() and leases.claim(LEASE, PERIOD, real):
        _count(real)


def _keep(account: Account, now: datetime, quotes: QuoteReader, calendar: TradingCalendar) -> None:
    wanted: set[Symbol] = {*symbols_of_interest(account.pk), *watched_symbols()}
    try:
        latest = quotes.latest(wanted)
    except GatewayUnavailable as problem:
        log.warning("the day's bars are not kept yet: %s", problem)
        return
    bars, environment = (
        bars_of_quotes(latest, now.date()),
        environment_of(AccountMode(account.mode)),
    )
    keep_bars(bars, f"quotes, {account.mode}", calendar, now, environment)


def command() -> Sequence[str]:
    """Return what the child runs."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), "indicators"]


def _count(real: datetime) -> None:
    try:
        done = subprocess.run(
            command(), cwd=settings.BASE_DIR, capture_output=True, text=True, encoding="utf-8",
            errors="replace", timeout=WITHIN,
        )  # fmt: skip
        problem = done.stderr.strip()[-500:] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if not problem:
        return
    log.error("indicators were not counted: %s", problem)
    text = Text(
        f"Daily indicators were not counted; strategies that need them say nothing. {problem}",
        f"日线指标未能计算，依赖它的策略不产生信号。{problem}",
    )
    for account in Account.objects.filter(enabled=True):
        now = market_time(AccountMode(account.mode), real)
        journal_once(account.pk, EventLevel.ALARM, "INDICATORS_FAILED", text, now)
