"""A feed in a thread of its own: whatever it does, and however long it takes, the others do not notice."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from trading.domain.types import Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.ports import Feed

#: Seconds between two calls of the feed, and after one it failed in a way that was not foreseen.
PERIOD, LEFT_ALONE = 1.0, 10.0
#: Seconds without an answer after which the feed counts as hanging: mootdx may try servers for 10 s.
HANGS = 20.0
#: Quotes kept while nobody asks; the oldest go first.
INBOX = 10_000


class BackgroundFeed(Feed):
    """Runs one feed, opened by `open_feed` in its thread; the thread is made once, and ends with the process.

    `poll` hands over what has come and returns at once; it raises GatewayUnavailable while the feed fails or hangs.
    """

    def __init__(
        self,
        open_feed: Callable[[], Feed],
        name: str,
        period: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.heartbeat = name, 10
        self._open_feed, self._clock = open_feed, clock
        self._period = PERIOD if period is None else period
        self._inbox: deque[Quote] = deque(maxlen=INBOX)
        self._unreadable: deque[tuple[Symbol, str]] = deque(maxlen=INBOX)
        self._wanted: frozenset[Symbol] = frozenset()
        self._now: datetime | None = None
        self._problem = ""
        self._answered_at = clock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def subscribe(self, symbols: Iterable[Symbol]) -> None:
        """Say which symbols its next calls are about."""
        self._wanted = frozenset(symbols)

    def poll(self, now: datetime) -> Sequence[Quote]:
        """Return what has come since the last call; the first call starts the thread."""
        self._now = now
        if self._thread is None:
            self._answered_at = self._clock()
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()
        if self._clock() - self._answered_at > HANGS:
            raise GatewayUnavailable(f"{self.name}: no answer for more than {HANGS:.0f} s")
        if self._problem:
            raise GatewayUnavailable(self._problem)
        return [self._inbox.popleft() for _ in range(len(self._inbox))]

    def unreadable(self) -> Sequence[tuple[Symbol, str]]:
        return [self._unreadable.popleft() for _ in range(len(self._unreadable))]

    def close(self) -> None:
        """Let the thread end; one that hangs is left to the end of the process."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    # --- in the thread ---

    def _run(self) -> None:
        feed: Feed | None = None
        pause = 0.0
        while not self._stop.wait(pause):
            pause = self._period
            try:
                if feed is None:
                    feed = self._open_feed()
                    self.heartbeat = feed.heartbeat
                self._ask(feed)
                self._problem = ""
            except GatewayUnavailable as problem:
                self._problem = str(problem) or f"{self.name}: no answer"
            except Exception as problem:  # noqa: BLE001 - libraries raise anything; it is told at the next poll
                self._problem = f"{self.name}: {type(problem).__name__}: {problem}"
                feed, pause = None, LEFT_ALONE
            self._answered_at = self._clock()
        if feed is not None:
            feed.close()

    def _ask(self, feed: Feed) -> None:
        now = self._now
        if now is None:
            return
        feed.subscribe(self._wanted)
        self._inbox.extend(feed.poll(now))
        self._unreadable.extend(feed.unreadable())
