"""A Redis for people without one: fakeredis' engine behind a TCP front of blocking sockets, in memory, loopback only.

    python -m monitoring.embedded_redis --port 0 --password-file FILE --ready-file FILE

It holds nothing of value, and forgets everything when it ends. Before a correct password it answers AUTH, HELLO and
QUIT, and refuses everything else. One thread serves a connection, a second one where it has subscribed. No Django
here: the process stays small.
"""

from __future__ import annotations

import argparse
import contextlib
import hmac
import json
import logging
import os
import queue
import select
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import redis

from monitoring.processes import exit_with_parent, on_stop_signals, write_whole
from monitoring.redis_engine import FakeServer, FakeSocket, SimpleError, SimpleString
from monitoring.resp import (
    RESP2,
    RESP3,
    Error,
    Limits,
    ProtocolError,
    Push,
    Status,
    encode,
    read_command,
)

LOOPBACK = "127.0.0.1"
#: As Redis itself limits a client that has not said its password yet.
STRANGER = Limits(arguments=10, argument_bytes=16_384, command_bytes=65_536)
TRUSTED = Limits(arguments=1_048_576, argument_bytes=64 << 20, command_bytes=256 << 20)
#: Seconds a client has for its password.
STRANGER_SECONDS = 10.0
#: More connections than this are turned away; select() knows no file number above 1023 on many systems.
MOST_CONNECTIONS = 400
#: Messages a subscriber may leave unread before it is cut off.
MOST_UNREAD = 20_000

#: Seconds between two looks whether it shall end while nobody comes.
TURN = 1.0

_OK = Status("OK")
_NOAUTH = Error("NOAUTH Authentication required.")
_WRONGPASS = Error("WRONGPASS invalid username-password pair or user is disabled.")
_NOPROTO = Error("NOPROTO unsupported protocol version")
_SYNTAX = Error("ERR syntax error")

_PUBLISHED = frozenset((b"message", b"pmessage", b"smessage"))
_CONFIRMED = frozenset(
    (b"subscribe", b"psubscribe", b"ssubscribe", b"unsubscribe", b"punsubscribe", b"sunsubscribe")
)

log = logging.getLogger(__name__)


class _Gone(Exception):
    """The client is not there any more."""


class _Engine(FakeSocket):
    """One client as fakeredis' engine sees it; replies leave through `_Connection.send`.

    The overridden methods are the engine's own, not a public interface: fakeredis is pinned exactly.
    """

    def __init__(self, connection: _Connection, server: FakeServer) -> None:
        self._connection = connection
        super().__init__(server, 0, client_class=redis.Redis, client_info=connection.info())

    def execute(self, command: list[bytes]) -> None:
        """Run a command; it blocks while the command does."""
        self._process_command(command)

    def put_response(self, msg: Any) -> None:
        self._connection.send(self._as_push(msg) if isinstance(msg, list) else msg)

    def _as_push(self, reply: list[Any]) -> list[Any]:
        # A subscribed client runs no command that returns data, so a message cannot be mistaken for one's result.
        kind = reply[0] if len(reply) > 2 else None
        if not isinstance(kind, bytes):
            return reply
        is_published = kind in _PUBLISHED and self._pubsub > 0
        is_confirmed = kind in _CONFIRMED and isinstance(reply[2], int)
        return Push(reply) if is_published or is_confirmed else reply

    def _subscribe(self, *arguments: Any) -> Any:
        self._connection.expect_messages()
        return super()._subscribe(*arguments)

    def _decode_result(self, result: Any) -> Any:
        if isinstance(result, list):
            return [self._decode_result(item) for item in result]
        if isinstance(result, SimpleString):
            return Status(result.value.decode())
        return Error(result.value) if isinstance(result, SimpleError) else result

    def _blocking(self, timeout: Any, func: Callable[[bool], Any], shape: Any = None) -> Any:
        def attempt(is_first: bool) -> Any:
            # A client that died while it waited must not take a message with it.
            if not is_first and self._connection.is_gone():
                raise _Gone
            return func(is_first)

        return super()._blocking(timeout, attempt, shape)

    @property
    def protocol(self) -> int:
        return int(self._client_info.protocol_version)

    @property
    def was_killed(self) -> bool:
        return bool(self._killed)


class _Connection(BaseRequestHandler):
    """One client. Its own thread reads, executes and answers; a subscriber's output leaves through a second one."""

    server: EmbeddedRedis
    request: socket.socket

    def setup(self) -> None:
        self.is_trusted = False
        self._outbox: queue.Queue[bytes | None] | None = None
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request.settimeout(STRANGER_SECONDS)
        self.engine = _Engine(self, self.server.engine)

    def handle(self) -> None:
        try:
            with self.request.makefile("rb", 65_536) as stream:
                self._serve(stream)
        except (_Gone, OSError):
            pass  # clients come and go

    def finish(self) -> None:
        self.engine.close()
        if self._outbox is not None:
            # A full outbox needs no last word: its thread ends with the socket.
            with contextlib.suppress(queue.Full):
                self._outbox.put_nowait(None)

    def _serve(self, stream: Any) -> None:
        while not self.engine.was_killed:
            try:
                command = read_command(stream, TRUSTED if self.is_trusted else STRANGER)
            except ProtocolError as problem:
                return self.send(Error(f"ERR Protocol error: {problem}"))
            if command is None:
                return
            if not command:
                continue
            name = command[0].lower()
            if name == b"quit":
                return self.send(_OK)
            if name == b"auth":
                self.send(self._authenticate(command[1:]))
            elif name == b"hello":
                self._hello(command[1:])
            elif not self.is_trusted:
                self.send(_NOAUTH)
            elif not self._execute(command):
                return

    def _execute(self, command: list[bytes]) -> bool:
        """Run a command; False when the engine stumbled over it and this client must start anew."""
        try:
            self.engine.execute(command)
        except (_Gone, OSError):
            raise
        except Exception as problem:  # noqa: BLE001 - an engine's fault must not end the server
            log.warning("%s failed: %r", command[0][:32], problem)
            self.send(Error(f"ERR {type(problem).__name__} in the engine"))
            return False
        if command[0].lower() == b"reset":
            self.is_trusted = False
        return True

    def _authenticate(self, arguments: Sequence[bytes]) -> Status | Error:
        """Check `password` or `default password`."""
        if len(arguments) not in (1, 2):
            return Error("ERR wrong number of arguments for 'auth' command")
        is_user = len(arguments) == 1 or arguments[0] == b"default"
        is_password = hmac.compare_digest(arguments[-1], self.server.password)
        if not (is_user and is_password):
            return _WRONGPASS
        self.is_trusted = True
        self.request.settimeout(None)
        return _OK

    def _hello(self, arguments: Sequence[bytes]) -> None:
        """Answer `HELLO [version [AUTH user password] [SETNAME name]]`; the engine never sees the password."""
        rest = list(arguments)
        passed_on = [b"HELLO", *rest[:1]]
        if rest and rest.pop(0) not in (b"2", b"3"):
            return self.send(_NOPROTO)
        while rest:
            option = rest.pop(0).upper()
            if option == b"AUTH" and len(rest) >= 2:
                answer = self._authenticate([rest.pop(0), rest.pop(0)])
                if isinstance(answer, Error):
                    return self.send(answer)
            elif option == b"SETNAME" and rest:
                passed_on += [b"SETNAME", rest.pop(0)]
            else:
                return self.send(_SYNTAX)
        if not self.is_trusted:
            return self.send(_NOAUTH)
        self._execute(passed_on)

    def info(self) -> dict[str, Any]:
        """Describe this client for CLIENT LIST."""
        (host, port), (own_host, own_port) = self.request.getpeername(), self.request.getsockname()
        return {
            "addr": f"{host}:{port}",
            "laddr": f"{own_host}:{own_port}",
            "fd": self.request.fileno(),
            "resp": RESP2,
        }

    def send(self, reply: object) -> None:
        """Send a reply or a message; several threads may call it once `expect_messages` was called."""
        protocol = self.engine.protocol
        data = encode(reply, RESP3 if protocol == RESP3 else RESP2)
        if self._outbox is None:
            self.request.sendall(data)
        else:
            try:
                self._outbox.put_nowait(data)
            except queue.Full:
                self._hang_up()

    def expect_messages(self) -> None:
        """Let a thread of its own send from now on: a publisher must not wait for a slow subscriber."""
        if self._outbox is None:
            self._outbox = queue.Queue(MOST_UNREAD)
            threading.Thread(target=self._send_all, args=(self._outbox,), daemon=True).start()

    def _send_all(self, outbox: queue.Queue[bytes | None]) -> None:
        try:
            while (data := outbox.get()) is not None:
                self.request.sendall(data)
        except OSError:
            self._hang_up()

    def is_gone(self) -> bool:
        """Whether the client has closed its side."""
        try:
            readable, _, _ = select.select([self.request], [], [], 0)
            return bool(readable) and not self.request.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)


class EmbeddedRedis(ThreadingTCPServer):
    """The server. `port` 0 takes a free one. Raises OSError when the port is taken, ValueError without a password."""

    # On Windows this option would let two servers share a port.
    allow_reuse_address = os.name == "posix"
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, password: str) -> None:
        if not password:
            raise ValueError("the embedded Redis needs a password")
        self.password = password.encode()
        self.engine = FakeServer(server_type="redis", version=(7, 0))
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__((LOOPBACK, port), _Connection)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self._places.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.warning("a connection ended badly: %r", sys.exception())


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; write port and process id into the ready file as soon as clients may come."""
    parser = argparse.ArgumentParser(
        prog="python -m monitoring.embedded_redis", description=__doc__
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument("--ready-file", type=Path)
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        password = options.password_file.read_text(encoding="utf-8").strip()
        server = EmbeddedRedis(options.port, password)
    except (OSError, ValueError) as problem:
        log.error("the embedded Redis cannot start: %s", problem)
        return 1
    with server:
        # shutdown() waits for the loop to end, so the loop's own thread must not call it.
        told: queue.SimpleQueue[None] = queue.SimpleQueue()
        threading.Thread(target=_shut_down, args=(server, told), daemon=True).start()
        on_stop_signals(lambda: told.put(None))
        exit_with_parent()
        if options.ready_file:
            ready = {"port": server.port, "pid": os.getpid()}
            write_whole(options.ready_file, json.dumps(ready))
        server.serve_forever(poll_interval=TURN)
    return 0


def _shut_down(server: EmbeddedRedis, told: queue.SimpleQueue[None]) -> None:
    told.get()
    threading.Thread(target=server.shutdown, daemon=True).start()
    # It looks whether it shall end when somebody comes, or at its next turn.
    with contextlib.suppress(OSError):
        socket.create_connection((LOOPBACK, server.port), 1.0).close()


if __name__ == "__main__":
    sys.exit(main())
