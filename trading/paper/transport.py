"""How a program reaches a paper terminal: by the scheme of its address.

`memory://NAME`, in one process: a name in a registry, and plain calls in one thread. `tcp://127.0.0.1:PORT`, in
another process: JSON lines over a socket, and callbacks on a reader thread.

Whatever carries the messages, a connection has `request`, `post` and `close`, and pushes come to the sink it was
opened with. Messages are JSON-able, so that a socket can carry them too.
"""

from __future__ import annotations

from typing import Any, Protocol

from trading.paper import tcp_client
from trading.paper.delivery import Message
from trading.paper.terminal import Sink, Terminal

_served: dict[str, Terminal] = {}


class Connection(Protocol):
    """One program's line to a terminal."""

    def request(self, message: Message) -> Any:
        """Ask and wait for the answer; None when the terminal is gone."""

    def post(self, message: Message) -> bool:
        """Ask; the answer comes to the sink with the request's `seq`. False: it was not sent, or so the terminal says."""

    def close(self) -> None:
        """Leave properly; safe to call twice."""


def serve_in_process(address: str, terminal: Terminal) -> None:
    """Make a terminal reachable in this process under an address such as `memory://demo`."""
    _served[address] = terminal


def forget(address: str) -> None:
    """Make an address unreachable; programs that are connected stay so."""
    _served.pop(address, None)


def open_connection(address: str, sink: Sink) -> Connection:
    """Open a line to the terminal at an address. Raises ConnectionError when none is there, or lets nobody in."""
    if address.startswith(tcp_client.SCHEME):
        return tcp_client.open_tcp(address, sink)
    return open_in_process(address, sink)


def open_in_process(address: str, sink: Sink) -> Connection:
    """Open a line to the terminal at an address. Raises ConnectionError when none is served there."""
    terminal = _served.get(address)
    if terminal is None:
        raise ConnectionError(f"no paper terminal at {address}")
    return _InProcess(terminal, sink)


class _InProcess:
    def __init__(self, terminal: Terminal, sink: Sink) -> None:
        self._terminal = terminal
        self._client = terminal.open_client(sink)

    def request(self, message: Message) -> Any:
        return self._terminal.request(self._client, message)

    def post(self, message: Message) -> bool:
        return self._terminal.post(self._client, message)

    def close(self) -> None:
        self._terminal.close_client(self._client)
