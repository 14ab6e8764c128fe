"""A terminal that serves on a free port, in a thread of its own, for tests that talk to it over real sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic, sleep

from tests.unit.paper.market_day import at, exchange, quote
from trading.domain.types import Quote
from trading.paper import tcp_client
from trading.paper.delivery import Delivery
from trading.paper.exchange import Exchange
from trading.paper.store import Store
from trading.paper.tcp import Server
from trading.paper.terminal import Terminal

TOKEN = "the token of this test"


class Script:
    """A source that shows what the test gives it; the first quote is there from the start."""

    def __init__(self) -> None:
        self.due: list[Quote] = [quote("10:00")]

    def show(self, *quotes: Quote) -> None:
        self.due.extend(quotes)

    def quotes(self, until: datetime) -> Sequence[Quote]:
        shown, self.due = self.due, []
        return shown


class Running:
    """The served terminal; `stop` ends its thread as closing the program does. Market time starts at 10:00 and runs."""

    terminal: Terminal
    server: Server

    def __init__(
        self, port: int = 0, store: Callable[[], Store] | None = None, made: Exchange | None = None
    ) -> None:
        self.source = Script()
        self._started, self._stopping = monotonic(), threading.Event()
        self._ready = threading.Event()
        self._make = lambda: Server(self.terminal, TOKEN, self.now, self.source, port=port)
        self._store, self._exchange = store, made
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(10)

    def now(self) -> datetime:
        return at("10:00:01") + timedelta(seconds=monotonic() - self._started)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def misbehave(self, delivery: Delivery) -> None:
        self.terminal.delivery = delivery

    def _run(self) -> None:
        # The store's connection belongs to the thread that serves, as in the process.
        store = self._store() if self._store else None
        self.terminal = Terminal(self._exchange or exchange(), store)
        self.server = self._make()
        self.server.step()
        self._ready.set()
        self.server.run(self._stopping.is_set)
        if store is not None:
            store.close()


def with_token(monkeypatch, token: str = TOKEN) -> None:
    """Let the programs of this process show `token`."""
    monkeypatch.setattr(tcp_client, "_token_source", [lambda: token])


def eventually(true: Callable[[], object], seconds: float = 5.0) -> bool:
    """Wait until something is true; False when it never was."""
    end = monotonic() + seconds
    while not true():
        if monotonic() > end:
            return False
        sleep(0.005)
    return True
