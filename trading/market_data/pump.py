"""From feeds through the gate into the store, one step at a time: no thread, no sleep, no clock."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trading.domain.pace import Pace
from trading.domain.source_health import Condition, Observation, Said, serves, takes_over
from trading.domain.types import Limits, Quote, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.market_data.validation import QuoteGate, Refusal
from trading.market_data.watching import SourceWatch, SymbolWatch, observe
from trading.ports import Feed, QuoteWriter

log = logging.getLogger(__name__)

#: The day's limits a quote has to keep, None when nobody knows them.
LimitsOf = Callable[[Quote, datetime], Limits | None]

_MINUTE = timedelta(minutes=1)
_REAL = Pace()


@dataclass(slots=True)
class FeedHealth:
    """What one feed did so far.

    `unwanted` counts quotes of symbols nobody asked of it, `passed_over` accepted ones of symbols that another feed
    serves. `last_failure`: why its last call failed, empty when it did not.
    """

    gate: QuoteGate
    polls: int = 0
    failures: int = 0
    received: int = 0
    accepted: int = 0
    refused: int = 0
    unwanted: int = 0
    passed_over: int = 0
    last_accepted_at: datetime | None = None
    last_failure: str = ""


@dataclass(slots=True)
class _Source:
    """One feed, its place in the order and what is remembered of it."""

    feed: Feed
    rank: int
    health: FeedHealth
    watch: SourceWatch = field(default_factory=SourceWatch)
    wanted: frozenset[Symbol] = frozenset()
    symbols: dict[Symbol, SymbolWatch] = field(default_factory=dict)
    told: int = 0


def no_limits(quote: Quote, now: datetime) -> Limits | None:
    """Say that no limits are known: the gate then uses what the quote itself states."""
    return None


class MarketData:
    """Polls feeds in priority order and stores, of what the gate accepts, the quotes of the feed that serves the symbol.

    Which one that is, `domain.source_health` decides per symbol. `patient`: a symbol goes back to a better source only
    after a while; for when every account may trade on any of them. Of symbols nobody subscribed nothing is kept.
    """

    def __init__(
        self, feeds: Sequence[Feed], store: QuoteWriter, limits: LimitsOf = no_limits
    ) -> None:
        self.feeds, self._store, self._limits = tuple(feeds), store, limits
        self.health = {feed.name: FeedHealth(QuoteGate(feed.name)) for feed in self.feeds}
        self.patient = False
        self._sources = [
            _Source(feed, rank, self.health[feed.name]) for rank, feed in enumerate(self.feeds)
        ]
        self._wanted: frozenset[Symbol] = frozenset()
        self._owners: dict[Symbol, _Source] = {}
        self._expected_since: datetime | None = None
        self._pace = _REAL
        self._told_at: datetime | None = None
        self._moved: Counter[tuple[str, str]] = Counter()  # in this step: to, from

    def subscribe(self, symbols: Iterable[Symbol]) -> None:
        """Ask every feed for all symbols there are; one that does not answer is asked again at the next call.

        What was remembered of symbols that are not among them is forgotten.
        """
        wanted = symbols if isinstance(symbols, frozenset) else frozenset(symbols)
        if wanted is not self._wanted and wanted != self._wanted:
            for source in self._sources:
                _want(source, wanted)
            for symbol in self._owners.keys() - wanted:
                del self._owners[symbol]
        self._wanted = wanted
        for source in self._sources:
            try:
                source.feed.subscribe(source.wanted)
                source.health.last_failure = ""
            except GatewayUnavailable as error:
                _failed(source, error)

    def step(self, now: datetime, *, trading: bool = False, pace: Pace = _REAL) -> int:
        """Move what has arrived into the store and return how many quotes were stored.

        `trading`: whether quotes are expected now, in a market of this pace.
        """
        self._pace = pace
        if not trading:
            self._expected_since = None
        elif self._expected_since is None or self._expected_since > now:
            self._expected_since = now
        count = sum(self._step(source, now) for source in self._sources)
        self._tell(now)
        return count

    def said(self, now: datetime, *, everything: bool = False) -> Iterator[Said]:
        """Yield what each source says of itself (symbol "") and of each symbol; of those only what has changed."""
        minute = _minute(now)
        for source in self._sources:
            yield self._said(source, Symbol(""), SymbolWatch(), minute, now)
            for symbol, watch in source.symbols.items():
                if watch.changed or everything:
                    watch.changed = False
                    yield self._said(source, symbol, watch, minute, now)

    # --- one feed ---

    def _step(self, source: _Source, now: datetime) -> int:
        feed, health = source.feed, source.health
        health.polls += 1
        minute, expected = _minute(now), self._expected_since is not None
        try:
            quotes = feed.poll(now)
        except GatewayUnavailable as error:
            _failed(source, error)
            if expected:
                source.watch.called(minute, now, failed=True)
            return 0
        if expected:
            source.watch.called(minute, now, failed=False)
        health.received += len(quotes)
        for symbol, field_ in feed.unreadable():
            self._refused(source, symbol, Refusal.UNREADABLE, _unreadable(field_), minute, now)
        taken = [quote for quote in quotes if self._take(source, quote, minute, now)]
        if taken:
            self._store.put(feed.name, taken, feed.heartbeat, now)
        return len(taken)

    def _take(self, source: _Source, quote: Quote, minute: int, now: datetime) -> bool:
        symbol, health = quote.symbol, source.health
        if symbol not in source.wanted:
            health.unwanted += 1
            return False
        why = health.gate.accept(quote, self._limits(quote, now), now)
        if why is not None:
            self._refused(source, symbol, None, why, minute, now, suspended=quote.suspended)
            return False
        health.accepted += 1
        health.last_accepted_at = now
        watch = source.symbols.get(symbol)
        if watch is None:
            watch = source.symbols[symbol] = SymbolWatch()
        owner = self._owners.get(symbol)
        serves = owner is source or owner is None
        if owner is not None and source.rank < owner.rank:
            watch.stays(self._seen(source, watch, minute, now).condition, now)
        watch.accepted(quote, minute, now, expected=self._expected_since is not None)
        source.watch.delivered_at = now
        if owner is not None and not serves:
            serves = self._takes_over(source, watch, owner, minute, now)
        if not serves:
            health.passed_over += 1
        elif owner is not source:
            self._hand_over(symbol, owner, source)
        return serves

    def _refused(
        self,
        source: _Source,
        symbol: Symbol,
        reason: Refusal | None,
        why: Text,
        minute: int,
        now: datetime,
        *,
        suspended: bool = False,
    ) -> None:
        if symbol not in source.wanted:
            source.health.unwanted += 1
            return
        source.health.refused += 1
        if reason is not None:
            source.health.gate.refused[symbol, reason] += 1
        watch = source.symbols.setdefault(symbol, SymbolWatch())
        expected = self._expected_since is not None and not suspended
        watch.refused(why, minute, now, expected=expected)

    # --- who serves a symbol ---

    def _takes_over(
        self, source: _Source, watch: SymbolWatch, owner: _Source, minute: int, now: datetime
    ) -> bool:
        others = owner.symbols.get(watch.last.symbol) if watch.last else None
        served = self._seen(owner, others, minute, now).condition
        preferred = source.rank < owner.rank
        if not preferred and served in (Condition.GOOD, Condition.IDLE):
            return False  # the usual case, and the cheap one
        since = [at for at in (watch.steady_since, source.watch.well_since) if at is not None]
        return takes_over(
            self._seen(source, watch, minute, now).condition,
            served,
            preferred=preferred,
            steady=now - max(since, default=now),
            patient=self.patient,
        )

    def _hand_over(self, symbol: Symbol, owner: _Source | None, source: _Source) -> None:
        self._owners[symbol] = source
        source.symbols[symbol].changed = True
        if owner is not None:
            if symbol in owner.symbols:
                owner.symbols[symbol].changed = True
            self._moved[source.feed.name, owner.feed.name] += 1

    def _seen(
        self, source: _Source, watch: SymbolWatch | None, minute: int, now: datetime
    ) -> Observation:
        heartbeat = self._pace.market(timedelta(seconds=source.feed.heartbeat))
        return observe(source.watch, watch, minute, now, self._expected_since, heartbeat)

    # --- telling ---

    def _said(
        self, source: _Source, symbol: Symbol, watch: SymbolWatch, minute: int, now: datetime
    ) -> Said:
        quote, health = watch.last, source.health
        reasons = health.gate.reasons_of(symbol) if symbol else health.gate.refused_by_reason
        return Said(
            source=source.feed.name,
            rank=source.rank,
            symbol=symbol,
            chosen=self._owners.get(symbol) is source,
            taken_at=now,
            seen=self._seen(source, watch, minute, now),
            time=None if quote is None else quote.time,
            last=None if quote is None else quote.last,
            bid=quote.bids[0].price if quote is not None and quote.bids else None,
            ask=quote.asks[0].price if quote is not None and quote.asks else None,
            volume=None if quote is None else quote.volume,
            arrived_at=watch.arrived_at if symbol else source.watch.delivered_at,
            total=watch.total if symbol else health.accepted,
            refusals={reason.value: count for reason, count in reasons.items()},
            refused_since=watch.refused_since,
            refused_why=watch.refused_why,
            failure=health.last_failure,
        )

    def _tell(self, now: datetime) -> None:
        """Log what moved, and once a minute what was refused: loudly while the market trades, else quietly (F135)."""
        level = logging.DEBUG if self._expected_since is None else logging.WARNING
        for (to, former), count in self._moved.items():
            log.log(level, "quotes of %d symbols: %s instead of %s", count, to, former)
        self._moved.clear()
        if self._told_at is not None and timedelta(0) <= now - self._told_at < _MINUTE:
            return
        self._told_at = now
        for source in self._sources:
            count, source.told = source.health.refused - source.told, source.health.refused
            if count:
                log.log(level, "%s: %d quotes refused in a minute", source.feed.name, count)


def _want(source: _Source, wanted: frozenset[Symbol]) -> None:
    source.wanted = frozenset(one for one in wanted if serves(source.feed.name, one))
    for symbol in source.symbols.keys() - source.wanted:
        del source.symbols[symbol]
        source.health.gate.forget(symbol)


def _failed(source: _Source, error: GatewayUnavailable) -> None:
    source.health.failures += 1
    source.health.last_failure = str(error)


def _unreadable(field_: str) -> Text:
    return Text(f"its field {field_} cannot be read", f"字段 {field_} 无法读取")


def _minute(now: datetime) -> int:
    return int(now.timestamp()) // 60
