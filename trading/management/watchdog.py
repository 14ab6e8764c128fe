"""Ends the process when its main loop stands still: a library call that never returns, or a lease nobody renews.

A thread of its own looks at a monotonic clock. Nothing is cleaned up: what was being done is unknown, and the next
process finds out by reconciling.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

#: Seconds between two looks.
LOOK = 0.5
#: What the process ends with; the supervisor starts it again.
EXIT_CODE = 70


def _end_process() -> None:
    os._exit(EXIT_CODE)


class Watchdog:
    """`limit` says how many seconds the main loop may need at the moment; `end` does not return in a real process."""

    def __init__(
        self,
        limit: Callable[[], float],
        monotonic: Callable[[], float],
        end: Callable[[], None] = _end_process,
    ) -> None:
        self._limit, self._monotonic, self._end = limit, monotonic, end
        self._fed_at = monotonic()
        self._over = threading.Event()

    def feed(self) -> None:
        """The main loop is alive."""
        self._fed_at = self._monotonic()

    def look(self) -> None:
        """End the process if the loop was not alive for too long."""
        silence = self._monotonic() - self._fed_at
        if silence > self._limit():
            log.critical("the gateway stood still for %.1f s: the process ends itself", silence)
            self._end()

    def pause(self) -> None:
        """Whatever comes now may take any time, such as a person who thinks; `feed` ends it."""
        self._fed_at = float("inf")

    def start(self) -> None:
        """Begin to look, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Look no more: the process ends in order."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(LOOK):
            self.look()


class Keeper:
    """Renews the lease every `period` seconds, from the main loop, and feeds the watchdog with each success."""

    def __init__(
        self,
        renew: Callable[[], None],
        watchdog: Watchdog,
        period: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._renew, self._watchdog = renew, watchdog
        self._period, self._monotonic = period, monotonic
        self._at: float | None = None

    def keep(self) -> None:
        """Renew if it is time. Whatever the renewal raises leaves the watchdog unfed."""
        now = self._monotonic()
        if self._at is not None and now - self._at < self._period:
            return
        self._renew()
        self._at = now
        self._watchdog.feed()
