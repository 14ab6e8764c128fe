"""Quotes polled from TDX servers: the fallback beside the terminal.

A row of the protocol has a time of day and no date, and says nothing of the symbol's status. So:
- the day is the server's own, the date of the index's last daily bar; nothing is asked of it while that is not today;
- a symbol's quotes count from the moment its time has been seen to move: what a server still shows of an earlier day
  of a suspended share, or has stopped renewing, never moves;
- the status is the phase its time lies in; a share nobody bids for or offers in continuous trading is halted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from time import monotonic

from trading.domain.types import CHINA, Quote, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.market_data.mootdx_client import QUOTES_AT_ONCE, QuoteRow
from trading.market_data.mootdx_codes import not_covered
from trading.market_data.mootdx_rows import BadRow, read_quote
from trading.market_data.mootdx_servers import ServerHealth, Servers, servers_of_settings
from trading.ports import Feed

#: Seconds between two rounds while the exchange is open (it publishes every 3 s) and while it is not.
OPEN, CLOSED = 3.0, 15.0
OPENS, CLOSES = time(9, 10), time(15, 5)
#: Seconds after which `poll` returns what it has and leaves the rest of the round to the next one.
AT_ONCE = 3.0
#: Seconds after which the server is asked again which day it is at.
DAY_AGAIN = 15.0
#: When a server that is not at today counts as failed: on holidays too, when nobody minds.
TRADES_FROM, TRADES_TO = time(9, 30), time(15, 0)
#: Unreadable rows kept while nobody asks for them.
UNREADABLE = 10_000


@dataclass(slots=True)
class _Seen:
    """The first time a symbol showed today, and its newest quote."""

    first: datetime
    quote: Quote

    @property
    def moved(self) -> bool:
        return self.quote.time > self.first


class MootdxFeed(Feed):
    """TDX servers as a feed. `poll` asks them: it belongs into a thread of its own, and takes 3 s, or 10 s when servers
    fail, at most.

    `refused` counts (symbol, why); `not_covered` says why a symbol that was asked for gets no quotes here. `pace`:
    seconds between two rounds, None = by the time of day.
    """

    def __init__(
        self,
        servers: Servers,
        name: str = "mootdx",
        heartbeat: int = 10,
        pace: float | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.name, self.heartbeat = name, heartbeat
        self.refused: Counter[tuple[str, str]] = Counter()
        self.not_covered: dict[Symbol, Text] = {}
        self._servers, self._pace, self._clock = servers, pace, clock
        self._wanted: tuple[Symbol, ...] = ()
        self._seen: dict[Symbol, _Seen] = {}
        self._unreadable: list[tuple[Symbol, str]] = []
        self._day: tuple[date, float] | None = None  # of the server in use, and when it said so
        self._round_at = float("-inf")
        self._asked = 0  # of the wanted symbols in this round

    def subscribe(self, symbols: Iterable[Symbol]) -> None:
        """Ask for exactly these symbols from the next round on; what is not covered is noted. Never fails."""
        wanted = set(symbols)
        if wanted == set(self._wanted).union(self.not_covered):
            return
        reasons = {symbol: not_covered(symbol) for symbol in wanted}
        self.not_covered = {symbol: why for symbol, why in reasons.items() if why is not None}
        self._wanted = tuple(sorted(wanted.difference(self.not_covered)))
        self._asked = 0
        for symbol in self._seen.keys() - wanted:
            del self._seen[symbol]

    def poll(self, now: datetime) -> Sequence[Quote]:
        """Ask, if a round is due, and return what changed; when nothing did, one quote again as a sign of life.

        Raises GatewayUnavailable when nothing came because no server answers; the next call tries another one.
        """
        today = now.astimezone(CHINA)
        changed: list[Quote] = []
        alive: list[Quote] = []
        for row in self._round(today):
            self._take(row, today.date(), changed, alive)
        if not changed and alive:
            return [max(alive, key=lambda quote: quote.time)]
        return changed

    def unreadable(self) -> Sequence[tuple[Symbol, str]]:
        """Return and forget the symbol and field of each row since the last call that could not be read."""
        found, self._unreadable = self._unreadable, []
        return found

    def health(self) -> tuple[ServerHealth, ...]:
        """Return what is known of each server."""
        return self._servers.health()

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        self._servers.leave()

    # -- asking

    def _round(self, now: datetime) -> list[QuoteRow]:
        """Ask for the symbols whose turn it is, and return what came of today."""
        rows: list[QuoteRow] = []
        if not self._asked:
            pace = self._pace if self._pace is not None else _pace_at(now)
            if not self._wanted or self._clock() - self._round_at < pace:
                return rows
            self._round_at = self._clock()
        try:
            self._ask(now, rows)
        except GatewayUnavailable as problem:
            self._servers.failed(str(problem))
            # Another one is tried at the next call.
            self._day, self._round_at = None, float("-inf")
            if not rows:
                raise GatewayUnavailable(f"{self.name}: {problem}") from problem
        return rows

    def _ask(self, now: datetime, rows: list[QuoteRow]) -> None:
        client = self._servers.client()
        until = self._clock() + AT_ONCE
        if self._day is None or self._clock() - self._day[1] >= DAY_AGAIN:
            self._day = client.day(), self._clock()
        day = self._day[0]
        if day != now.date():
            self._asked = 0
            if TRADES_FROM <= now.time() < TRADES_TO:
                raise GatewayUnavailable(f"{client.address}: at {day}, not at today")
            return
        while self._asked < len(self._wanted) and self._clock() < until:
            batch = self._wanted[self._asked : self._asked + QUOTES_AT_ONCE]
            rows += client.quotes(batch)
            self._asked += len(batch)
        if self._asked >= len(self._wanted):
            self._asked = 0
            self._servers.succeeded()

    # -- what a row is worth

    def _take(self, row: QuoteRow, day: date, changed: list[Quote], alive: list[Quote]) -> None:
        """Put the row's quote among those that changed or those that did not, or hold it back."""
        try:
            quote = read_quote(row, day)
        except BadRow as why:
            self.refused[row.symbol, str(why)] += 1
            if len(self._unreadable) < UNREADABLE:
                self._unreadable.append((row.symbol, str(why)))
            return
        seen = self._seen.get(row.symbol)
        if seen is None or seen.first.date() != day:
            self._seen[row.symbol] = _Seen(quote.time, quote)
            return
        if quote.previous_close != seen.quote.previous_close:
            # It is one number all day: this server counts in another unit, or is at another day than it says.
            self.refused[str(row.symbol), "last_close"] += 1
            return
        if quote != seen.quote:
            seen.quote = quote
            if seen.moved:
                changed.append(quote)
        elif seen.moved:
            alive.append(quote)


def _pace_at(now: datetime) -> float:
    return OPEN if OPENS <= now.time() < CLOSES else CLOSED


def open_feed(addresses: Sequence[str] | None = None, *, pace: float | None = None) -> MootdxFeed:
    """Return the feed, over the servers of MINIQMT_MOOTDX_SERVERS, else of mootdx's own list.

    To be composed as any other feed of `MarketData`: subscribed, polled and closed. Its `poll` waits for servers, so
    `management/fallback.py` runs it in a thread of its own; nothing is imported (pandas comes with the library) and nobody is asked before the
    first one. `addresses` ("host:port", IPv4) and `pace` (seconds between two rounds) stand in for the settings. Raises
    ConfigError for a malformed address.
    """
    return MootdxFeed(servers_of_settings(addresses), pace=pace)
