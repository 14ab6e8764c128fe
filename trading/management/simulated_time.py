"""The clock of the simulated market. The paper terminal keeps it, everybody else derives market time from its row."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import DatabaseError, close_old_connections

from trading.domain.calendar import TradingCalendar
from trading.market_data.demo import demo_time
from trading.services.clock import DEMO, Clock, read_clocks, set_clock

log = logging.getLogger(__name__)

#: Seconds after which the row is read again.
REREAD = 1.0
#: A terminal that comes back follows the running clock, unless that is further than this ahead of its books.
GOES_ON = timedelta(hours=12)


class SimulatedTime:
    """Market time from the row `MarketClock("demo")`, which is set anew when a session ends: nights are skipped.

    Called it returns market time, which never goes back. `real` gives real time.
    """

    def __init__(self, calendar: TradingCalendar, real: Callable[[], datetime]) -> None:
        self._calendar, self._real = calendar, real
        self._clock: Clock | None = None
        self._read_at = float("-inf")
        self._newest: datetime | None = None

    def begin(self, begins: datetime, speed: Decimal, *, afresh: bool) -> None:
        """Start at `begins`; unless `afresh`, follow the clock that runs already, where it goes on from there."""
        running = None if afresh else read_clocks().get(DEMO)
        if running is not None:
            now = self._skipping_nights(running, self._real())
            if begins <= now <= begins + GOES_ON:
                return
        set_clock(DEMO, self._real(), begins, speed)

    def __call__(self) -> datetime:
        real = self._real()
        if time.monotonic() - self._read_at >= REREAD:
            self._read(real)
        assert self._clock is not None, "begin() comes first"
        now = self._skipping_nights(self._clock, real)
        if self._newest is None or now > self._newest:
            self._newest = now
        return self._newest

    def _read(self, real: datetime) -> None:
        self._read_at = time.monotonic()  # also of a look that fails: the next one a second later
        try:
            close_old_connections()
            clock = read_clocks()[DEMO]
            now = self._skipping_nights(clock, real)
            if now != clock.market(real):  # a session has ended since the row was written
                set_clock(DEMO, real, now, clock.speed)
                clock = Clock(real, now, clock.speed)
            self._clock = clock
        except (DatabaseError, KeyError) as problem:
            log.warning("the market clock cannot be read: %r", problem)
            if self._clock is None:
                raise

    def _skipping_nights(self, clock: Clock, real: datetime) -> datetime:
        return demo_time(
            self._calendar, clock.base_market, clock.market(real) - clock.market(clock.base_real)
        )
