"""From feeds through the gate into the store, one step at a time: no thread, no sleep, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from trading.domain.types import Limits, Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.market_data.validation import QuoteGate
from trading.ports import Feed, QuoteWriter

#: The day's limits a quote has to keep, None when nobody knows them.
LimitsOf = Callable[[Quote], Limits | None]


@dataclass(slots=True)
class FeedHealth:
    """What one feed did so far; `passed_over` counts quotes of symbols a feed of higher priority delivers."""

    gate: QuoteGate
    polls: int = 0
    failures: int = 0
    received: int = 0
    accepted: int = 0
    refused: int = 0
    passed_over: int = 0
    last_accepted_at: datetime | None = None
    last_failure: str = field(default="")


def no_limits(quote: Quote) -> Limits | None:
    """Say that no limits are known: the gate then uses what the quote itself states."""
    return None


class MarketData:
    """Polls feeds in priority order and stores what the gate accepts. The first feed that delivers a symbol keeps it."""

    def __init__(
        self, feeds: Sequence[Feed], store: QuoteWriter, limits: LimitsOf = no_limits
    ) -> None:
        self.feeds, self._store, self._limits = tuple(feeds), store, limits
        self.health = {feed.name: FeedHealth(QuoteGate(feed.name)) for feed in self.feeds}
        self._rank = {feed.name: rank for rank, feed in enumerate(self.feeds)}
        self._owner: dict[Symbol, str] = {}

    def subscribe(self, symbols: Iterable[Symbol]) -> None:
        """Ask every feed for the symbols; one that does not answer is counted and asked again at the next call."""
        wanted = tuple(symbols)
        for feed in self.feeds:
            try:
                feed.subscribe(wanted)
            except GatewayUnavailable as error:
                self._failed(feed, error)

    def step(self, now: datetime) -> int:
        """Move what has arrived into the store and return how many quotes were accepted."""
        return sum(self._step(feed, now) for feed in self.feeds)

    def _step(self, feed: Feed, now: datetime) -> int:
        health = self.health[feed.name]
        health.polls += 1
        try:
            quotes = feed.poll(now)
        except GatewayUnavailable as error:
            self._failed(feed, error)
            return 0
        health.received += len(quotes)
        accepted = [quote for quote in quotes if self._accept(feed, health, quote, now)]
        if accepted:
            self._store.put(feed.name, accepted, feed.heartbeat, now)
            health.accepted += len(accepted)
            health.last_accepted_at = now
        return len(accepted)

    def _accept(self, feed: Feed, health: FeedHealth, quote: Quote, now: datetime) -> bool:
        owner = self._owner.get(quote.symbol)
        if owner is not None and self._rank[owner] < self._rank[feed.name]:
            health.passed_over += 1
            return False
        if health.gate.accept(quote, self._limits(quote), now) is not None:
            health.refused += 1
            return False
        self._owner[quote.symbol] = feed.name
        return True

    def _failed(self, feed: Feed, error: GatewayUnavailable) -> None:
        health = self.health[feed.name]
        health.failures += 1
        health.last_failure = str(error)
