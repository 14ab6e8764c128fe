"""Watches the machine's clock for an account's gateway, and tells the journal when it jumps and when it is steady."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from trading.domain.calendar import MarketPhase
from trading.domain.clock_watch import ClockWatch, apart
from trading.domain.pace import Pace
from trading.domain.types import Text
from trading.models import EventLevel
from trading.ports import QuoteReader
from trading.selectors import symbols_of_interest
from trading.services.events import journal

log = logging.getLogger(__name__)

#: Seconds between two looks at the database's clock.
ASK_EVERY = 10.0
#: Real time market time may go back unnoticed: less than the gateway waits for anything.
SET_BACK = timedelta(seconds=1)


class ClockGuard:
    """That of one account; call it in every cycle with the account's market time.

    `ahead`: how far the machine's clock is ahead of the database's, None where they are the same.
    """

    def __init__(
        self,
        account_id: int,
        quotes: QuoteReader,
        real: Callable[[], datetime],
        monotonic: Callable[[], float],
        pace: Pace = Pace(),  # noqa: B008 - immutable
        ahead: Callable[[], timedelta | None] = lambda: None,
    ) -> None:
        self._account_id, self._quotes, self._pace = account_id, quotes, pace
        self._real, self._monotonic = real, monotonic
        self._ahead, self._asked_at = ahead, float("-inf")
        self._apart: Text | None = None
        self._watch = ClockWatch()
        self._before: datetime | None = None
        self._doubted = False
        self._compared: datetime | None = None

    def __call__(self, now: datetime, phase: MarketPhase) -> Text | None:
        """Return why the clock cannot be relied on, None when it can."""
        why = self._watch.look(
            self._real(),
            timedelta(seconds=self._monotonic()),
            lambda: self._quote_age(now) if phase.continuous else None,
        )
        back = self._set_back(now)
        why = why or self._beside_the_database() or back
        if (why is not None) is not self._doubted:
            self._doubted = why is not None
            self._tell(why, now)
        return why

    def _set_back(self, now: datetime) -> Text | None:
        """Say once that market time went back, as a simulated one may: what was noted by it lies in the future."""
        before, self._before = self._before, now
        if before is None or before - now <= self._pace.market(SET_BACK):
            return None
        return Text(
            f"the market's clock was set back from {before:%Y-%m-%d %H:%M:%S} to {now:%Y-%m-%d %H:%M:%S}; the account"
            " is read anew before anything is sent",
            f"市场时钟由 {before:%Y-%m-%d %H:%M:%S} 回拨至 {now:%Y-%m-%d %H:%M:%S}；重新读取账户之后才会发送委托",
        )

    def _beside_the_database(self) -> Text | None:
        """Ask the database for its time now and then: another machine decides by that one's."""
        at = self._monotonic()
        if at - self._asked_at >= ASK_EVERY:
            self._asked_at, ahead = at, self._ahead()
            self._apart = None if ahead is None else apart(ahead)
        return self._apart

    def _quote_age(self, now: datetime) -> timedelta | None:
        quotes = self._quotes.latest(list(symbols_of_interest(self._account_id)))
        newest = max((quote.time for quote in quotes.values()), default=None)
        # An old quote says nothing: a symbol may pause for a minute.
        if newest is None or newest == self._compared:
            return None
        self._compared = newest
        return (now - newest) / (self._pace.market(timedelta(seconds=1)) / timedelta(seconds=1))

    def _tell(self, why: Text | None, now: datetime) -> None:
        if why is None:
            text = Text("The machine's clock is steady again.", "本机时钟已恢复稳定。")
            journal(self._account_id, EventLevel.INFO, "CLOCK_STEADY", text, now)
            return
        log.warning("%s", why.en)
        journal(self._account_id, EventLevel.ALARM, "CLOCK_JUMPED", why, now)
