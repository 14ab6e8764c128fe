"""Quotes for all processes of one machine: written to a file and to Redis, read from whichever answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from trading.domain.source_health import Said
from trading.domain.types import Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.market_data.file_store import FileQuoteStore
from trading.market_data.records import Record, Stamper, micros
from trading.market_data.redis_store import KEY, RedisQuoteStore
from trading.ports import Arrival, Fed, QuoteReader, QuoteWriter

#: Seconds a silent source is left alone before it is asked again.
LEFT_ALONE = 2.0
#: Seconds Redis has to take a batch: a large one takes time.
WRITE_TIMEOUT = 1.0
#: A try that failed is followed by a pause so many times as long: a hung Redis must not hold up the feeds.
PAUSE = 9
#: An emptied Redis gets back what arrived in so many microseconds before; every tick is quicker than that.
RESTORED = 120_000_000

_Answer = TypeVar("_Answer")
log = logging.getLogger(__name__)


class SharedQuotes(QuoteWriter):
    """The one writer of quotes: stamps a batch once, so that a reader may change between file and Redis at any time.

    `put` raises GatewayUnavailable only when neither took the batch. `problems` says what is wrong with either.
    """

    def __init__(
        self,
        file: FileQuoteStore,
        redis_url: str,
        key: str = KEY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._redis = (
            RedisQuoteStore(redis_url, key, restore=self._recent, timeout=WRITE_TIMEOUT)
            if redis_url
            else None
        )
        self._stamper: Stamper | None = None
        self._newest_at = 0
        self._clock, self._send_at = clock, float("-inf")
        self.problems: dict[str, str] = {}

    def put(self, feed: str, quotes: Iterable[Quote], heartbeat: int, now: datetime) -> None:
        """Store accepted quotes in their order of arrival and note that the feed delivered at `now`."""
        if self._stamper is None:
            self._stamper = Stamper(self._file.kept())
        batch = self._stamper.stamp(feed, quotes, heartbeat, now)
        if batch is None:
            return
        self._newest_at = max((record.at for record in batch.records), default=micros(now))
        taken = self._try("file", lambda: self._file.write(batch))
        if self._redis is not None:
            self._redis.remember(batch)
            taken = self._send(self._redis) or taken
        if not taken:
            raise GatewayUnavailable(f"no store took the quotes: {self.problems}")

    def note(self, said: Iterable[Said]) -> None:
        """Keep what the sources say, in the file alone. A file that does not take it is a problem, not an error."""
        rows = list(said)
        self._try("file", lambda: self._file.note(rows))

    def clear(self) -> None:
        """Forget everything: for a demo or a replay that begins again."""
        self._file.clear()
        if self._redis is not None:
            self._redis.clear()
        self._stamper = None

    def close(self) -> None:
        self._file.close()
        if self._redis is not None:
            self._redis.close()

    def _send(self, store: RedisQuoteStore) -> bool:
        started = self._clock()
        if started < self._send_at:
            return False
        is_taken = self._try("redis", store.send)
        if not is_taken:
            now = self._clock()
            self._send_at = now + PAUSE * (now - started)
        return is_taken

    def _try(self, name: str, write: Callable[[], None]) -> bool:
        try:
            write()
        except GatewayUnavailable as problem:
            if name not in self.problems:
                log.warning("quotes: %s", problem)
            self.problems[name] = str(problem)
            return False
        if self.problems.pop(name, None):
            log.warning("quotes: the %s takes them again", name)
        return True

    def _recent(self) -> list[Record]:
        return self._file.records_since(self._newest_at - RESTORED)


class FallbackQuotes(QuoteReader):
    """Answers from the first source, and from the second while the first does not answer.

    A source that failed is left alone for two seconds, so that its time-outs do not add up. Raises
    GatewayUnavailable when neither answers.
    """

    def __init__(
        self,
        primary: QuoteReader,
        fallback: QuoteReader,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._primary, self._fallback, self._clock = primary, fallback, clock
        self._left_alone_until = float("-inf")
        self._is_silent = False

    @property
    def uses_fallback(self) -> bool:
        """Whether the first source is being left alone."""
        return self._clock() < self._left_alone_until

    def since(self, after: Mapping[Symbol, datetime]) -> Mapping[Symbol, Sequence[Arrival]]:
        """Return per symbol what arrived after its time, oldest first; absent = nothing new."""
        return self._ask(lambda source: source.since(after))

    def latest(self, symbols: Iterable[Symbol]) -> Mapping[Symbol, Quote]:
        """Return the newest quote of each symbol that has one."""
        wanted = list(symbols)
        return self._ask(lambda source: source.latest(wanted))

    def fed(self, symbol: Symbol) -> Fed:
        """Return the feed of this symbol; `Fed()` before any quote."""
        return self._ask(lambda source: source.fed(symbol))

    def feeds(self, symbols: Iterable[Symbol]) -> Mapping[Symbol, Fed]:
        """Return the feeds of many symbols at once."""
        wanted = list(symbols)
        return self._ask(lambda source: source.feeds(wanted))

    def _ask(self, question: Callable[[QuoteReader], _Answer]) -> _Answer:
        if not self.uses_fallback:
            try:
                answer = question(self._primary)
                self._is_silent = False
                return answer
            except GatewayUnavailable as problem:
                if not self._is_silent:
                    log.warning("quotes: %s; reading the fallback", problem)
                self._is_silent = True
                self._left_alone_until = self._clock() + LEFT_ALONE
        return question(self._fallback)
