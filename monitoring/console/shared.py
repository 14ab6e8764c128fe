"""One console value per second and process, whatever the number of viewers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from monitoring.console.values import Console

#: How long a value is good for, for whoever names no other age.
GOOD_FOR = timedelta(seconds=1)
#: Seconds a viewer waits while another one's request builds the value; longer, and the last one must do.
WAIT = 5.0


class SharedConsole:
    """Keeps the newest value and builds it anew, once, when it is too old. `build` gets the real time."""

    def __init__(self, build: Callable[[datetime], Console]) -> None:
        self._build, self._lock = build, threading.Lock()
        self._newest: Console | None = None

    def at(self, real: datetime, good_for: timedelta = GOOD_FOR) -> Console:
        """Return a value younger than `good_for`, or the last one while the database keeps us waiting.

        Raises what the build raises, and TimeoutError when there is no last one.
        """
        newest = self._newest
        if newest is not None and _is_good(newest, real, good_for):
            return newest
        if not self._lock.acquire(timeout=WAIT):
            if self._newest is None:
                raise TimeoutError(f"the console was not built within {WAIT:.0f} s")
            return self._newest
        try:
            newest = self._newest
            if newest is None or not _is_good(newest, real, good_for):
                newest = self._newest = self._build(real)
            return newest
        finally:
            self._lock.release()


def _is_good(newest: Console, real: datetime, good_for: timedelta) -> bool:
    # A clock that was set back must not freeze the page.
    return abs(real - newest.taken_at) < good_for
