"""A program's line to a terminal on loopback TCP: one reader thread that runs all callbacks, like the vendor's.

The token is read when a line is opened: from the function given to `use_token`, else from the file that
MINIQMT_PAPER_TOKEN_FILE names. It is never part of an address and never logged.
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from trading.paper import wire
from trading.paper.delivery import Message
from trading.paper.wire import BadLine, Lines

SCHEME = "tcp://"
_LOOPBACK = ("127.0.0.1", "localhost")

TokenSource = Callable[[], str]
_token_source: list[TokenSource] = []


def use_token(source: TokenSource | None) -> None:
    """Say where this process gets the token from; None = the environment again."""
    _token_source[:] = [] if source is None else [source]


def open_tcp(address: str, sink: Callable[[Message], None]) -> TcpConnection:
    """Open a line to the terminal at `tcp://127.0.0.1:PORT`. Raises ConnectionError when none lets us in."""
    host, _, port = address.removeprefix(SCHEME).rpartition(":")
    if host not in _LOOPBACK or not port.isdecimal():
        raise ConnectionError(f"{address} is no address of a terminal on this machine")
    try:
        token = _token()
        line = socket.create_connection(("127.0.0.1", int(port)), timeout=wire.DEADLINE)
    except OSError as problem:
        raise ConnectionError(f"no paper terminal at {address}: {problem}") from problem
    try:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = Lines(wire.LONGEST_ANSWER)
        line.sendall(wire.encode({"token": token}))
        _expect_welcome(line, lines)
    except (OSError, BadLine) as problem:
        line.close()
        raise ConnectionError(f"the paper terminal at {address} lets nobody in") from problem
    return TcpConnection(line, lines, sink)


def _token() -> str:
    if _token_source:
        return _token_source[0]()
    path = os.environ.get("MINIQMT_PAPER_TOKEN_FILE", "")
    if not path:
        raise FileNotFoundError("no token: MINIQMT_PAPER_TOKEN_FILE is not set")
    return Path(path).read_text(encoding="utf-8").strip()


def _expect_welcome(line: socket.socket, lines: Lines) -> None:
    while (message := lines.next()) is None:
        data = line.recv(wire.CHUNK)
        if not data:
            raise ConnectionResetError("closed")
        lines.push(data)
    if message.get("welcome") != wire.VERSION:
        raise BadLine("another version")


class TcpConnection:
    """One open line. A lost one sends `disconnected` to the sink, once; one that `close` ended sends nothing."""

    def __init__(self, line: socket.socket, lines: Lines, sink: Callable[[Message], None]) -> None:
        self._socket, self._lines, self._sink = line, lines, sink
        self._numbers = itertools.count(1)
        self._answers: dict[int, Future[Any]] = {}
        self._held: deque[Message] = deque()  # read while a callback waited for its answer
        self._sending, self._state = threading.Lock(), threading.Lock()
        self._over = self._closing = False
        self._reader = threading.Thread(target=self._read, name="paper-terminal", daemon=True)
        self._reader.start()

    def request(self, message: Message) -> Any:
        """Ask and wait for the answer; None when the terminal is gone or silent for 5 s."""
        number = next(self._numbers)
        ask = {"id": number, "ask": message}
        if threading.current_thread() is self._reader:
            return self._ask_in_callback(ask)
        answer: Future[Any] = Future()
        with self._state:
            if self._over:
                return None
            self._answers[number] = answer
        try:
            self._send(ask)
            return answer.result(wire.DEADLINE)
        except OSError:  # a TimeoutError is one
            return None
        finally:
            self._answers.pop(number, None)

    def post(self, message: Message) -> bool:
        """Ask; the answer comes to the sink with the request's `seq`, or never when the line is lost."""
        with suppress(OSError):
            self._send({"post": message})
        return True

    def close(self) -> None:
        """Leave properly; safe to call twice."""
        self._closing = True
        self._hang_up()
        if threading.current_thread() is not self._reader:
            self._reader.join(wire.DEADLINE)

    # inside --------------------------------------------------------------------------------------------------

    def _send(self, message: Message) -> None:
        line = wire.encode(message)
        try:
            with self._sending:
                self._socket.sendall(line)
        except OSError:
            self._hang_up()  # half a line may be out: nothing after it could be understood
            raise

    def _hang_up(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _read(self) -> None:
        """Run every push in the order of its arrival, until the line ends."""
        while (message := self._next()) is not None and message.get("push") != "disconnected":
            if "push" in message:
                self._sink(message)
            else:
                self._settle(message)
        with self._state:
            self._over = True
            unanswered = list(self._answers.values())
        self._hang_up()
        with self._sending:
            self._socket.close()
        for answer in unanswered:
            answer.set_result(None)
        if not self._closing:
            self._sink({"push": "disconnected"})

    def _next(self) -> Message | None:
        return self._held.popleft() if self._held else self._receive()

    def _receive(self, until: float | None = None) -> Message | None:
        """Return the next message, None when the line has ended or the (monotonic) time is over."""
        while until is None or time.monotonic() < until:
            try:
                message = self._lines.next()
                if message is not None:
                    return message
                data = self._socket.recv(wire.CHUNK)
            except TimeoutError:
                continue
            except (OSError, BadLine):
                return None
            if not data:
                return None
            self._lines.push(data)
        return None

    def _settle(self, message: Message) -> None:
        answer = self._answers.pop(message["id"], None)
        if answer is not None:  # else nobody waits any more
            answer.set_result(message["result"])

    def _ask_in_callback(self, ask: Message) -> Any:
        """Ask on the reader's own thread: read on until the answer, and keep the pushes before it for later."""
        try:
            self._send(ask)
        except OSError:
            return None
        until = time.monotonic() + wire.DEADLINE
        while (message := self._receive(until)) is not None:
            if "push" in message:
                self._held.append(message)
            elif message["id"] == ask["id"]:
                return message["result"]
            else:
                self._settle(message)
        return None
