"""The sources of the market data process together: the terminal's line first, then whatever else there is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from trading.domain.pace import Pace
from trading.domain.types import Symbol
from trading.management.background_feed import BackgroundFeed
from trading.management.quote_line import QuoteLine
from trading.market_data.pump import LimitsOf, MarketData, no_limits
from trading.ports import QuoteWriter

#: Seconds of real time after which what has changed is noted, and after which everything is while the exchange trades.
NOTED, ALL_NOTED = 5.0, 30.0
_REAL = Pace()


class QuoteSources:
    """Steps the line and the feeds behind it, and notes what they say at a low rate."""

    def __init__(
        self,
        line: QuoteLine,
        store: QuoteWriter,
        limits: LimitsOf = no_limits,
        further: Sequence[BackgroundFeed] = (),
    ) -> None:
        self._line, self._store, self._further = line, store, further
        self._market_data = MarketData([line, *further], store, limits)
        self._heard = 0
        self._noted_at = self._all_noted_at = float("-inf")

    @property
    def problem(self) -> str:
        """Why the terminal gives no quotes, empty while it does."""
        return self._line.problem or self._market_data.health[self._line.name].last_failure

    def step(
        self,
        wanted: frozenset[Symbol],
        now: datetime,
        at: float,
        *,
        trading: bool,
        patient: bool = False,
        pace: Pace = _REAL,
    ) -> int:
        """Keep the line open and the symbols subscribed, and store what has come; returns how many quotes.

        `now` is market time, `at` monotonic seconds; `trading`: quotes are expected now. `patient`: see MarketData.
        """
        market_data = self._market_data
        self._line.keep(at, trading=trading)
        market_data.patient = patient
        market_data.subscribe(wanted)
        count = market_data.step(now, trading=trading, pace=pace)
        accepted = market_data.health[self._line.name].accepted
        if accepted != self._heard or not trading:
            self._line.heard(at)
        self._heard = accepted
        self._note(now, at, trading)
        return count

    def close(self) -> None:
        self._line.close()
        for feed in self._further:
            feed.close()

    def _note(self, now: datetime, at: float, trading: bool) -> None:
        if at - self._noted_at < NOTED:
            return
        everything = trading and at - self._all_noted_at >= ALL_NOTED
        self._noted_at = at
        if everything:
            self._all_noted_at = at
        self._store.note(self._market_data.said(now, everything=everything))
