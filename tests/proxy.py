"""A line between two machines that tests cut and heal: a TCP proxy on the loopback in front of a server.

with proxied(port) as line:      # line.port leads to the server at `port`
    line.cut()                   # every connection is reset, a new one as well
    line.swallow()               # nothing is reset and nothing comes through: packets are lost
    line.heal()                  # as if nothing had been; what was swallowed comes late, as TCP has it
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"
#: Closing with this set resets the connection.
_RESET = struct.pack("ii", 1, 0)


class Line:
    """What connects, and the state of the line."""

    def __init__(self, to_port: int) -> None:
        self._to = to_port
        self._server = socket.create_server((HOST, 0))
        self.port: int = self._server.getsockname()[1]
        self._flows, self._is_cut, self._over = threading.Event(), False, False
        self._flows.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="line", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Reset what is connected, and whoever connects."""
        self._is_cut = True
        self._reset_all()

    def swallow(self) -> None:
        """Let nothing through, and tell nobody."""
        self._flows.clear()

    def heal(self) -> None:
        self._is_cut = False
        self._flows.set()

    def close(self) -> None:
        self._over = self._is_cut = True
        self._flows.set()
        self._server.close()
        self._reset_all()

    def _reset_all(self) -> None:
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            _reset(end)

    def _accept(self) -> None:
        while not self._over:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        self._flows.wait()
        if self._is_cut:
            _reset(near)
            return
        try:
            far = socket.create_connection((HOST, self._to), timeout=5)
        except OSError:
            _reset(near)
            return
        far.settimeout(None)
        with self._lock:
            self._open |= {near, far}
        back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
        back.start()
        self._pump(near, far)
        back.join()
        for end in (near, far):
            end.close()

    def _pump(self, source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                self._flows.wait()
                if not data:
                    break
                to.sendall(data)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_WR)


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        end.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        end.close()


@contextmanager
def proxied(to_port: int) -> Iterator[Line]:
    """Run a line to a server on this computer for the time of a `with`."""
    line = Line(to_port)
    try:
        yield line
    finally:
        line.close()
