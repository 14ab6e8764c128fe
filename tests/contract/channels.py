"""The ways to a broker that the contract is asked of, each with what it can do and another cannot."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from tests.full_client.broker import FullClientBroker
from tests.full_client.client import Callback, FullClient
from tests.unit.paper.market_day import ACCOUNT, at, exchange, quote
from tests.unit.paper.terminal_over_tcp import Running
from trading.broker.qmt import QmtBroker
from trading.paper import transport, xttrader, xttype
from trading.paper.terminal import Terminal
from trading.ports import Broker


class Can(Enum):
    """A capability; what no test names here every channel must do."""

    ANSWER = "a submit and a cancel are answered"
    PUSH = "orders and fills are told of without being asked for"
    TELL_REFUSALS = "a refused order is shown or answered, with the reason"
    LOCK = "one session number is held by one program at a time"


MEMORY = "memory://contract"


class House(Protocol):
    """A terminal at 10:00 with a book at 9.99 / 10.01, and a way to it."""

    can: frozenset[Can]

    def broker(self) -> Broker:
        """Return a new program's adapter, not connected."""

    def now(self) -> datetime:
        """Return the market's time."""

    def pause(self) -> None:
        """Let the terminal do what is due, or give it the time."""

    def wait(self, span: timedelta) -> None:
        """Let so much market time pass."""

    def close(self) -> None:
        """Close the terminal as its window is closed."""


class InProcess:
    can = frozenset(Can)

    def __init__(self) -> None:
        self.terminal = Terminal(exchange())
        transport.serve_in_process(MEMORY, self.terminal)
        self.terminal.feed([quote("10:00")])
        self.terminal.step(at("10:00:01"))

    def broker(self) -> Broker:
        return QmtBroker(xttrader, xttype, MEMORY, 100, ACCOUNT)

    def now(self) -> datetime:
        return self.terminal.exchange.now

    def pause(self) -> None:
        self.terminal.step(self.now() + timedelta(milliseconds=50))

    def wait(self, span: timedelta) -> None:
        end = self.now() + span
        while self.now() < end:
            self.pause()

    def close(self) -> None:
        self.terminal.close()
        transport.forget(MEMORY)


class OverTcp:
    can = frozenset(Can)

    def __init__(self) -> None:
        self.running = Running()

    def broker(self) -> Broker:
        return QmtBroker(xttrader, xttype, self.running.server.address, 100, ACCOUNT)

    def now(self) -> datetime:
        return self.running.now()

    def pause(self) -> None:
        """Do nothing: it runs by itself."""

    def wait(self, span: timedelta) -> None:
        """Do nothing: what it answers is of the moment."""
        assert not span

    def close(self) -> None:
        self.running.stop()


class InFullClient(InProcess):
    """A strategy inside the full client, and what it calls back."""

    can = frozenset({Can.PUSH})
    calls_back = True

    def __init__(self) -> None:
        super().__init__()
        self._clients: list[FullClient] = []

    def broker(self) -> Broker:
        return FullClientBroker(self._open, ACCOUNT, calls_back=self.calls_back)

    def _open(self, callback: Callback, now: datetime) -> FullClient:
        number = 100 + len(self._clients)
        made = FullClient(MEMORY, ACCOUNT, number, 1, now, callback, calls_back=self.calls_back)
        self._clients.append(made)
        return made

    def pause(self) -> None:
        super().pause()
        for client in self._clients:
            client.step(self.now())


class InSilentFullClient(InFullClient):
    """The same where nothing is called back: lists are all there is."""

    can = frozenset()
    calls_back = False


CHANNELS: tuple[type[House], ...] = (InProcess, OverTcp, InFullClient, InSilentFullClient)
