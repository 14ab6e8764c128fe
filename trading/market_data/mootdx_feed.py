"""Quotes polled from TDX servers: the fallback beside the terminal. Polling is a thread's; `poll` only takes what came.

A row of the protocol has a time of day and no date, and says nothing of the symbol's status. So:
- the day is the server's own, the date of the index's last daily bar; rows of any other day than today are refused;
- a symbol's quotes count from the moment its time has been seen to move: what a server still shows of an earlier day
  of a suspended share, or has stopped renewing, never moves;
- the status is the phase its time lies in; a share nobody bids for or offers in continuous trading is halted.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from time import monotonic
from typing import NamedTuple

from django.conf import settings

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
#: Seconds after which the server is asked again which day it is at.
DAY_AGAIN = 15.0
#: Seconds between two choices of another server because the one in use is at an earlier day.
CHOOSE_AGAIN = 60.0
#: Answers kept while nobody polls; the oldest go first. 5,000 symbols are 63 answers a round.
INBOX = 256
#: Seconds `close` waits for the thread; it may be within one request.
TO_END = 5.0


class _Answer(NamedTuple):
    day: date
    rows: Sequence[QuoteRow]


@dataclass(slots=True)
class _Seen:
    """The first time a symbol showed today, and its newest quote."""

    first: datetime
    quote: Quote

    @property
    def moved(self) -> bool:
        return self.quote.time > self.first


class MootdxFeed(Feed):
    """TDX servers as a feed. `round` asks, in the thread of `start`; everything else is the caller's and never waits.

    `refused` counts (symbol, why); `not_covered` says why a symbol that was asked for gets no quotes here.
    """

    def __init__(self, servers: Servers, name: str = "mootdx", heartbeat: int = 10) -> None:
        self.name, self.heartbeat = name, heartbeat
        self.refused: Counter[tuple[str, str]] = Counter()
        self.not_covered: dict[Symbol, Text] = {}
        self.problem = ""
        self._servers = servers
        self._wanted: tuple[Symbol, ...] = ()
        self._inbox: deque[_Answer] = deque(maxlen=INBOX)
        self._seen: dict[Symbol, _Seen] = {}
        self._day: tuple[date, float] | None = None  # of the server in use, and when it said so
        self._expected: date | None = (
            None  # the day a server must be at: while the exchange trades
        )
        self._choose_at = float("-inf")
        self._pause = OPEN
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    # -- the caller's side

    def subscribe(self, symbols: Iterable[Symbol]) -> None:
        """Ask for these symbols as well from the next round on; what is not covered is noted. Never fails."""
        new = set(symbols).difference(self._wanted, self.not_covered)
        if not new:
            return
        for symbol in new:
            why = not_covered(symbol)
            if why is not None:
                self.not_covered[symbol] = why
        self._wanted = tuple(sorted(new.difference(self.not_covered).union(self._wanted)))

    def poll(self, now: datetime) -> Sequence[Quote]:
        """Return what changed since the last call; when nothing did, one quote again as a sign of life.

        Raises GatewayUnavailable when nothing came because no server answers.
        """
        today = now.astimezone(CHINA)
        self._expect(today)
        answers = [self._inbox.popleft() for _ in range(len(self._inbox))]
        if not answers and self.problem:
            raise GatewayUnavailable(f"{self.name}: {self.problem}")
        changed: list[Quote] = []
        alive: list[Quote] = []
        for answer in answers:
            if answer.day != today.date():
                self.refused["", "day"] += len(answer.rows)
                continue
            for row in answer.rows:
                self._take(row, answer.day, changed, alive)
        if not changed and alive:
            return [max(alive, key=lambda quote: quote.time)]
        return changed

    def health(self) -> tuple[ServerHealth, ...]:
        """Return what is known of each server."""
        return self._servers.health()

    def start(self) -> None:
        """Begin to ask, in a thread of this feed."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop asking, and close the connection unless a request is still under way; safe to call twice."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join(TO_END)
        if self._thread is None or not self._thread.is_alive():
            self._servers.leave()

    # -- the thread's side

    def round(self) -> None:
        """Ask for every wanted symbol once. Never raises: `problem` says why nothing comes."""
        wanted = self._wanted
        if not wanted:
            return
        for _ in range(2):  # once more at once, of another server: the next round is seconds away
            try:
                self._ask(wanted)
            except GatewayUnavailable as problem:
                self._servers.failed(str(problem))
                self._day = None
                self.problem = str(problem)
            else:
                self._servers.succeeded()
                self.problem = ""
                return

    def _run(self) -> None:
        while not self._ends.is_set():
            self.round()
            self._ends.wait(self._pause)

    def _ask(self, wanted: Sequence[Symbol]) -> None:
        client = self._servers.client()
        if self._day is None or monotonic() - self._day[1] >= DAY_AGAIN:
            self._day = client.day(), monotonic()
        day = self._day[0]
        rest = iter(wanted)
        while batch := list(islice(rest, QUOTES_AT_ONCE)):
            self._inbox.append(_Answer(day, client.quotes(batch)))
        expected = self._expected
        if expected is not None and day < expected and monotonic() >= self._choose_at:
            self._choose_at = monotonic() + CHOOSE_AGAIN
            self._servers.leave()
            self._day = None

    # -- what a row is worth

    def _expect(self, now: datetime) -> None:
        clock = now.time()
        trading = time(9, 30) <= clock < time(15, 0)
        self._expected = now.date() if trading else None
        self._pause = OPEN if OPENS <= clock < CLOSES else CLOSED

    def _take(self, row: QuoteRow, day: date, changed: list[Quote], alive: list[Quote]) -> None:
        """Put the row's quote among those that changed or those that did not, or hold it back."""
        try:
            quote = read_quote(row, day)
        except BadRow as why:
            self.refused[str(row.symbol), str(why)] += 1
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


def open_feed(
    addresses: Sequence[str] | None = None, *, start: bool = True, name: str = "mootdx"
) -> MootdxFeed | None:
    """Return the feed the settings ask for, asking already; None when MINIQMT_MOOTDX_ENABLED is off.

    To be composed as any other feed of `MarketData` (its place in the order is its priority), subscribed and polled,
    and closed at the end. `addresses` ("host:port", IPv4) and `start=False` (nobody asks but whoever calls `round`)
    stand in for the settings. Without MINIQMT_MOOTDX_SERVERS mootdx's own list is used. No call of the feed waits for
    the network; pandas and the library are imported by its thread. Raises ConfigError for a malformed address.
    """
    if addresses is None and not settings.MINIQMT_MOOTDX_ENABLED:
        return None
    feed = MootdxFeed(servers_of_settings(addresses), name)
    if start:
        feed.start()
    return feed
