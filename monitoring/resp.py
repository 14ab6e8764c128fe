"""The wire form of Redis: reads commands from a stream, writes replies in RESP2 and RESP3.

Source: the Redis serialization protocol specification, redis.io/docs/latest/develop/reference/protocol-spec.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

RESP2, RESP3 = 2, 3

#: Digits of the longest count or length, with its sign and its line end.
_LONGEST_HEADER = 24


class ProtocolError(Exception):
    """The client does not speak the protocol, or asks for more than the limits allow; it is not heard further."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one command may carry: how many arguments, how many bytes in one and in all of them."""

    arguments: int
    argument_bytes: int
    command_bytes: int


class Status(str):
    """A reply of one line, such as OK."""

    __slots__ = ()


class Error(Exception):
    """A refusal. `str(error)` begins with its code, such as NOAUTH."""


class Push(list[object]):
    """A message nobody asked for: RESP3 marks it, so that it is not taken for the answer to a command."""

    __slots__ = ()


def read_command(stream: BinaryIO, limits: Limits) -> list[bytes] | None:
    """Read one command and its arguments, None at the end of the stream. Raises ProtocolError.

    An empty command (`*0`) is an empty list. Commands typed as plain text are refused: a browser that was talked
    into posting to this port speaks such lines.
    """
    header = stream.readline(_LONGEST_HEADER)
    if not header:
        return None
    count = _count(header, b"*", limits.arguments)
    command: list[bytes] = []
    total = 0
    for _ in range(count):
        length = _count(stream.readline(_LONGEST_HEADER), b"$", limits.argument_bytes)
        total += length
        if total > limits.command_bytes:
            raise ProtocolError("command too long")
        body = stream.read(length + 2)
        if len(body) != length + 2 or not body.endswith(b"\r\n"):
            raise ProtocolError("argument without its end")
        command.append(body[:-2])
    return command


def _count(line: bytes, mark: bytes, most: int) -> int:
    digits = line[1:-2]
    if line[:1] != mark or line[-2:] != b"\r\n" or not digits.isdigit():
        raise ProtocolError(f"expected '{mark.decode()}' and a number")
    number = int(digits)
    if number > most:
        raise ProtocolError(f"{number} is more than the {most} allowed")
    return number


def encode(reply: object, protocol: int) -> bytes:
    """Return a reply as bytes. Raises TypeError for a type the protocol has no form for."""
    parts: list[bytes] = []
    _write(reply, protocol, parts)
    return b"".join(parts)


def _write(reply: object, protocol: int, parts: list[bytes]) -> None:
    match reply:
        case bytes():
            parts.append(b"$%d\r\n%s\r\n" % (len(reply), reply))
        case Status():
            parts.append(b"+%s\r\n" % _one_line(reply))
        case str():
            _write(reply.encode(), protocol, parts)
        case Error():
            parts.append(b"-%s\r\n" % _one_line(str(reply)))
        case None:
            parts.append(b"_\r\n" if protocol == RESP3 else b"$-1\r\n")
        case bool():
            parts.append(
                (b"#t\r\n" if reply else b"#f\r\n") if protocol == RESP3 else b":%d\r\n" % reply
            )
        case int():
            parts.append(b":%d\r\n" % reply)
        case float():
            text = format(reply, ".17g").encode()
            parts.append(
                b",%s\r\n" % text if protocol == RESP3 else b"$%d\r\n%s\r\n" % (len(text), text)
            )
        case _:
            _write_many(reply, protocol, parts)


def _write_many(reply: object, protocol: int, parts: list[bytes]) -> None:
    items: Iterable[object]
    match reply:
        case dict():
            mark, size = (b"%", len(reply)) if protocol == RESP3 else (b"*", 2 * len(reply))
            items = (item for pair in reply.items() for item in pair)
        case set() | frozenset():
            mark, size, items = (b"~" if protocol == RESP3 else b"*"), len(reply), reply
        case list() | tuple():
            is_push = protocol == RESP3 and isinstance(reply, Push)
            mark, size, items = (b">" if is_push else b"*"), len(reply), reply
        case _:
            raise TypeError(f"no reply can carry a {type(reply).__name__}")
    parts.append(b"%s%d\r\n" % (mark, size))
    for item in items:
        _write(item, protocol, parts)


def _one_line(text: str) -> bytes:
    return text.replace("\r", " ").replace("\n", " ").encode()
