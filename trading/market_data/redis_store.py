"""The quote store in Redis, for workers and browsers: one hash, one HSET a batch, one HMGET a read.

A batch is one command, so a reader sees all of it or nothing. Losing Redis loses nothing: the writer repeats what was
not taken, and fills an emptied Redis again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trading.domain.types import Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.market_data.records import (
    Batch,
    FeedState,
    Kept,
    Record,
    Stamper,
    arrivals_since,
    fed_by,
    feed_number_of,
    pack_feed,
    quote_of,
    unpack_feed,
)
from trading.ports import Arrival, Fed, QuoteReader, QuoteWriter

#: Seconds to wait for Redis; a gateway then reads the file.
TIMEOUT = 0.2
#: Feeds a store tells apart.
MOST_FEEDS = 16
#: Seconds the feeds of the last read are good for: a tick asks for each of thousands of symbols.
FEEDS_KEPT = 0.25
#: The hash; its number changes with the form of a record.
KEY = "miniqmt:quotes:1"

_FEED_FIELDS = [f"#{number}" for number in range(MOST_FEEDS)]
_Answer = TypeVar("_Answer")


class RedisQuoteStore(QuoteReader, QuoteWriter):
    """Quotes in one Redis hash: a symbol's newest record under its name, the last 64 under `name|slot`.

    Every method raises GatewayUnavailable when Redis does not answer within 200 ms. `restore` gives the records to
    fill an emptied Redis with; without it the newest of each symbol are written again.
    """

    def __init__(
        self,
        url: str,
        key: str = KEY,
        restore: Callable[[], Iterable[Record]] | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._redis: Any = redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # the one every Redis speaks
        )
        self._key, self._restore = key, restore
        self._stamper: Stamper | None = None
        self._unsent: dict[str, bytes] = {}
        self._newest: dict[Symbol, Record] = {}
        self._feeds: dict[int, FeedState] = {}
        self._feed_of: dict[Symbol, int] = {}
        self._feeds_read_at = -FEEDS_KEPT

    def close(self) -> None:
        self._redis.close()

    def clear(self) -> None:
        """Forget everything: for a demo or a replay that begins again."""
        self._ask(lambda: self._redis.delete(self._key))
        self._unsent, self._newest, self._feeds, self._feed_of = {}, {}, {}, {}
        self._stamper = None

    # --- writing ---

    def put(self, feed: str, quotes: Iterable[Quote], heartbeat: int, now: datetime) -> None:
        """Store accepted quotes in their order of arrival and note that the feed delivered at `now`."""
        if self._stamper is None:
            self._stamper = Stamper(self.kept())
        batch = self._stamper.stamp(feed, quotes, heartbeat, now)
        if batch is not None:
            self.remember(batch)
            self.send()

    def kept(self) -> Kept:
        """Return what Redis holds, for a writer that starts again."""
        fields = self._ask(lambda: self._redis.hkeys(self._key))
        names = [name.decode() for name in fields if b"|" not in name]
        values = dict(zip(names, self._read(names), strict=True)) if names else {}
        newest = {
            Symbol(name): packed for name, packed in values.items() if packed and name[0] != "#"
        }
        feeds = {
            int(name[1:]): unpack_feed(packed)
            for name, packed in values.items()
            if packed and name[0] == "#"
        }
        return Kept(newest, feeds)

    def remember(self, batch: Batch) -> None:
        """Keep a stamped batch for the next `send`."""
        self._unsent[f"#{batch.feed_number}"] = pack_feed(batch.feed)
        for record in batch.records:
            self._newest[record.symbol] = record
            self._unsent.update(_fields(record))
        self._feeds_read_at = -FEEDS_KEPT

    def send(self) -> None:
        """Store what was remembered, at once; what Redis does not take goes with the next one."""
        if not self._ask(lambda: self._redis.exists(self._key)):
            self._fill()
        self._ask(lambda: self._redis.hset(self._key, mapping=self._unsent))
        self._unsent = {}

    def _fill(self) -> None:
        records = self._newest.values() if self._restore is None else self._restore()
        old: dict[str, bytes] = {}
        for record in records:
            old.update(_fields(record))
        self._unsent = {**old, **self._unsent}

    # --- reading ---

    def since(self, after: Mapping[Symbol, datetime]) -> Mapping[Symbol, Sequence[Arrival]]:
        """Return per symbol what arrived after its time, oldest first; absent = nothing new."""
        newest = self._read_newest(list(after))
        return arrivals_since(after, newest, self._read_slots, self._feeds)

    def latest(self, symbols: Iterable[Symbol]) -> Mapping[Symbol, Quote]:
        """Return the newest quote of each symbol that has one."""
        newest = self._read_newest(list(symbols))
        return {symbol: quote_of(symbol, packed) for symbol, packed in newest.items()}

    def fed(self, symbol: Symbol) -> Fed:
        """Return the feed of this symbol; at most 250 ms behind."""
        return self.feeds([symbol])[symbol]

    def feeds(self, symbols: Iterable[Symbol]) -> Mapping[Symbol, Fed]:
        """Return the feeds of many symbols at once; at most 250 ms behind."""
        wanted = list(symbols)
        missing = [symbol for symbol in wanted if symbol not in self._feed_of]
        if missing or time.monotonic() - self._feeds_read_at >= FEEDS_KEPT:
            self._read_newest([*self._feed_of.keys() | missing])
        states = {number: fed_by(self._feeds.get(number)) for number in range(MOST_FEEDS)}
        never = Fed()
        return {symbol: states.get(self._feed_of.get(symbol, -1), never) for symbol in wanted}

    def _read_newest(self, symbols: Sequence[Symbol]) -> dict[Symbol, bytes]:
        """Read the newest records of one moment, and with them the state of the feeds."""
        values = self._read([*_FEED_FIELDS, *symbols])
        self._feeds = {
            number: unpack_feed(packed)
            for number, packed in enumerate(values[:MOST_FEEDS])
            if packed is not None
        }
        newest = {
            symbol: packed
            for symbol, packed in zip(symbols, values[MOST_FEEDS:], strict=True)
            if packed is not None
        }
        self._feed_of.update((symbol, feed_number_of(packed)) for symbol, packed in newest.items())
        self._feeds_read_at = time.monotonic()
        return newest

    def _read_slots(self, slots: Sequence[tuple[Symbol, int]]) -> Sequence[bytes | None]:
        return self._read([f"{symbol}|{slot}" for symbol, slot in slots])

    def _read(self, fields: Sequence[str]) -> list[bytes | None]:
        found: list[bytes | None] = self._ask(lambda: self._redis.hmget(self._key, fields))
        return found

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        try:
            return question()
        except (redis.RedisError, OSError) as problem:
            raise GatewayUnavailable(f"Redis does not answer: {problem}") from problem


def _fields(record: Record) -> dict[str, bytes]:
    return {record.symbol: record.packed, f"{record.symbol}|{record.slot}": record.packed}
