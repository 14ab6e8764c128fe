"""How a paper terminal and its programs talk over a socket: JSON objects, one to a line, never pickle.

The first line from a program is `{"token": …}`, answered by `{"welcome": 1}`. Then `{"id": n, "ask": request}` is
answered by `{"id": n, "result": …}`, `{"post": request}` by a push later; pushes come as the terminal makes them.
A `Decimal` travels as text.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from trading.paper.delivery import Message

VERSION = 1
#: Longest line in bytes: before the token, from a program, and from the terminal (a full day's orders in one answer).
LONGEST_HELLO, LONGEST_REQUEST, LONGEST_ANSWER = 4 * 1024, 4 * 1024**2, 64 * 1024**2
#: Seconds a program waits for an answer, and a terminal for the token.
DEADLINE = 5.0
CHUNK = 65536


class BadLine(ValueError):
    """What arrived is no JSON object, or too long to be one."""


def encode(message: Message) -> bytes:
    """Return the line of a message."""
    return json.dumps(message, separators=(",", ":"), default=_as_text).encode("ascii") + b"\n"


def _as_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not travel")


class Lines:
    """Cuts what arrives into messages. `longest` may change between two of them."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self._buffer = bytearray()
        self._looked = 0  # bytes without a line end in them

    def push(self, data: bytes) -> None:
        """Add what arrived."""
        self._buffer += data

    def next(self) -> Message | None:
        """Return the next whole message, None when it has not all arrived. Raises BadLine."""
        end = self._buffer.find(b"\n", self._looked)
        if max(end, len(self._buffer) if end < 0 else 0) > self.longest:
            raise BadLine(f"a line is longer than {self.longest} bytes")
        if end < 0:
            self._looked = len(self._buffer)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._looked = 0
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise BadLine("a line is not JSON") from None
        if not isinstance(message, dict):
            raise BadLine("a line is not a JSON object")
        return message
