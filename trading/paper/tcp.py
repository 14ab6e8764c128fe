"""The terminal as a server on loopback TCP. One thread drives it: sockets, requests, the market and its pushes.

So nothing has to be locked, and the terminal's one-thread promise holds. No program is ever waited for: what one
does not read piles up to a bound, then its connection is closed, as is any that does not begin with the token.
"""

from __future__ import annotations

import hmac
import logging
import re
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from trading.domain.calendar import MarketPhase, phase_at
from trading.domain.types import Quote, Symbol
from trading.paper import wire
from trading.paper.delivery import Message
from trading.paper.terminal import Client, Terminal
from trading.paper.wire import BadLine, Lines

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
#: Bytes that may wait for a slow program before one more message closes its connection.
BACKLOG = 8 * 1024**2
MOST_PROGRAMS = 64
#: Seconds of real time between two steps while the exchange is open, and while it is closed.
STEP, STEP_WHEN_CLOSED = 0.05, 0.5

#: What a request without the fields of its op, or with fields of other types, runs into.
_MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


_ORDER_FIELDS = {
    "account_id": str,
    "stock_code": str,
    "order_type": int,
    "order_volume": int,
    "price_type": int,
    "strategy_name": str,
    "order_remark": str,
}
_SYMBOL = re.compile(r"[0-9]{6}\.(SH|SZ|BJ)")


class Source(Protocol):
    """Where the market comes from."""

    def quotes(self, until: datetime) -> Sequence[Quote]:
        """Return the quotes up to this market time since the last call, oldest first.

        The first call returns only the newest of each symbol: what went before is history.
        """


@dataclass(eq=False, slots=True)
class _Program:
    """One connection; `client` once it has shown the token."""

    socket: socket.socket
    since: float
    lines: Lines = field(default_factory=lambda: Lines(wire.LONGEST_HELLO))
    waiting: bytearray = field(default_factory=bytearray)
    client: Client | None = None
    open: bool = True


class Server:
    """A terminal that listens on `port` of this machine (0 = any free one) as soon as it is made. Raises OSError.

    `clock` returns market time. `step` does whatever is due, `run` repeats it until told to stop.
    """

    def __init__(
        self,
        terminal: Terminal,
        token: str,
        clock: Callable[[], datetime],
        source: Source | None = None,
        port: int = 0,
    ) -> None:
        if not token:
            raise ValueError("a terminal without a token would be open to every program")
        self._terminal, self._clock, self._source = terminal, clock, source
        self._token = token.encode()
        self._programs: set[_Program] = set()
        self._listener = _listen(port)
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)

    @property
    def address(self) -> str:
        return f"tcp://{HOST}:{self.port}"

    def run(self, stopping: Callable[[], bool]) -> None:
        """Serve until `stopping`, asked at least twice a second, then close the terminal and all connections."""
        try:
            while not stopping():
                self.step(self._pause())
        finally:
            self.close()

    def step(self, wait: float = 0.0) -> None:
        """Do what programs ask for, waiting up to `wait` seconds for them, then let the market move on."""
        for key, events in self._selector.select(wait):
            program: _Program | None = key.data
            if program is None:
                self._accept()
                continue
            if events & selectors.EVENT_READ:
                self._read(program)
            if events & selectors.EVENT_WRITE:
                self._write(program)
        self._tick()

    def close(self) -> None:
        """Close as the program's window is closed: connected programs hear of it. Safe to call twice."""
        self._terminal.close()
        for program in list(self._programs):
            self._drop(program)
        self._selector.close()
        self._listener.close()

    # the market ----------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        now = self._clock()
        for part in _one_each(self._source.quotes(now) if self._source else ()):
            self._terminal.feed(part)
            self._terminal.step(part[-1].time)
        self._terminal.step(now)
        late = time.monotonic() - wire.DEADLINE
        for program in [one for one in self._programs if one.client is None and one.since < late]:
            self._drop(program, "it did not show the token in time")

    def _pause(self) -> float:
        phase = phase_at(self._terminal.exchange.calendar, self._clock())
        return STEP_WHEN_CLOSED if phase is MarketPhase.CLOSED else STEP

    # programs ------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it left again before we came to it
            return
        if len(self._programs) >= MOST_PROGRAMS:
            connection.close()
            log.warning("refused a connection: %s programs are connected", MOST_PROGRAMS)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        program = _Program(connection, time.monotonic())
        self._programs.add(program)
        self._selector.register(connection, selectors.EVENT_READ, program)

    def _read(self, program: _Program) -> None:
        try:
            data = program.socket.recv(wire.CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._drop(program)
            return
        program.lines.push(data)
        try:
            while program.open and (message := program.lines.next()) is not None:
                self._handle(program, message)
        except BadLine as problem:
            self._drop(program, str(problem))

    def _handle(self, program: _Program, message: Message) -> None:
        if program.client is None:
            self._admit(program, message)
            return
        try:
            _check(message)
            if "ask" in message:
                result = self._terminal.request(program.client, message["ask"])
                self._send(program, {"id": message["id"], "result": result})
            else:
                self._terminal.post(program.client, message["post"])
        except _MALFORMED:
            log.exception("a request could not be understood")
            self._drop(program, "it sent a request that makes no sense")

    def _admit(self, program: _Program, message: Message) -> None:
        shown = str(message.get("token", "")).encode(errors="replace")
        if not hmac.compare_digest(shown, self._token):
            self._drop(program, "it did not show the right token")
            return
        program.lines.longest = wire.LONGEST_REQUEST
        program.client = self._terminal.open_client(lambda push: self._send(program, push))
        self._send(program, {"welcome": wire.VERSION})

    def _send(self, program: _Program, message: Message) -> None:
        if not program.open:
            return
        if len(program.waiting) > BACKLOG:
            self._drop(program, "it does not read what it is sent")
            return
        idle = not program.waiting
        program.waiting += wire.encode(message)
        if idle:
            self._write(program)

    def _write(self, program: _Program) -> None:
        if not program.open:
            return
        try:
            sent = program.socket.send(program.waiting)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._drop(program)
            return
        del program.waiting[:sent]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if program.waiting else 0)
        if self._selector.get_key(program.socket).events != wanted:
            self._selector.modify(program.socket, wanted, program)

    def _drop(self, program: _Program, why: str = "") -> None:
        """Close a connection; a session it held is free again, for its program is gone."""
        if not program.open:
            return
        program.open = False
        self._programs.discard(program)
        self._selector.unregister(program.socket)
        program.socket.close()
        if program.client is not None:
            self._terminal.close_client(program.client)
        if why:
            log.warning("closed a connection: %s", why)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # There SO_REUSEADDR would let another program take the port over.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
        listener.setblocking(False)
    except BaseException:
        with suppress(OSError):
            listener.close()
        raise
    return listener


def _check(message: Message) -> None:
    """Refuse an order whose fields are of other types before the exchange keeps it. Raises TypeError, ValueError."""
    request = message["ask"] if "ask" in message else message["post"]
    if request["op"] != "order_stock":
        return
    for name, kind in _ORDER_FIELDS.items():
        if type(request[name]) is not kind:
            raise TypeError(f"{name} of an order")
    if not _SYMBOL.fullmatch(request["stock_code"]):
        raise ValueError("stock_code of an order")


def _one_each(quotes: Sequence[Quote]) -> Iterator[list[Quote]]:
    """Cut quotes so that no part has two of one symbol: a subscriber of the whole market sees each of them."""
    shown: set[Symbol] = set()
    part: list[Quote] = []
    for quote in quotes:
        if quote.symbol in shown:
            yield part
            shown, part = set(), []
        shown.add(quote.symbol)
        part.append(quote)
    if part:
        yield part
