"""Reads PyTables files of the oldest HDF5 layout with the standard library alone: groups, chunked tables, deflate.

Written from the HDF5 file format specification, version 1.1: superblock 0, symbol tables, version 1 B-trees. Enough
for the recorded minutes beside the project; anything else raises ValueError.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_SYMBOL_TABLE, _CONTINUATION, _LAYOUT, _DATASPACE = 0x11, 0x10, 0x08, 0x01


def tables(path: Path, record: str) -> dict[str, list[tuple[int, ...]]]:
    """Return every table of a file as rows, `record` being the `struct` format of one; by name, folders left out."""
    data = path.read_bytes()
    if data[:8] != b"\x89HDF\r\n\x1a\n" or data[8] != 0:
        raise ValueError(f"{path} is no HDF5 file of the oldest layout")
    return {
        name: list(struct.iter_unpack(record, rows))
        for name, rows in _walk(data, *_numbers(data, 0x50, 2))
    }


def _walk(data: bytes, tree: int, heap: int) -> Iterator[tuple[str, bytes]]:
    """Yield each table below a group: its name and the bytes of its rows."""
    names = _numbers(data, heap + 24, 1)[0]
    for name_at, header in _symbols(data, tree):
        start = names + name_at
        name = data[start : data.index(b"\0", start)].decode()
        messages = dict(_messages(data, header))
        if _SYMBOL_TABLE in messages:
            yield from _walk(data, *_numbers(messages[_SYMBOL_TABLE], 0, 2))
        else:
            yield name, _rows(data, messages[_LAYOUT], messages[_DATASPACE])


def _symbols(data: bytes, node: int) -> Iterator[tuple[int, int]]:
    if data[node : node + 4] == b"SNOD":
        (count,) = struct.unpack_from("<H", data, node + 6)
        for entry in range(count):
            name_at, header = _numbers(data, node + 8 + 40 * entry, 2)
            yield name_at, header
        return
    (used,) = struct.unpack_from("<H", data, node + 6)
    for entry in range(used):
        yield from _symbols(data, _numbers(data, node + 32 + 16 * entry, 1)[0])


def _messages(data: bytes, header: int) -> Iterator[tuple[int, bytes]]:
    count, size = struct.unpack_from("<2xH4xI", data, header)
    blocks = [(header + 16, size)]
    while blocks and count:
        at, left = blocks.pop(0)
        end = at + left
        while at + 8 <= end and count:
            kind, length = struct.unpack_from("<HH", data, at)
            body = data[at + 8 : at + 8 + length]
            if kind == _CONTINUATION:
                where, room = _numbers(body, 0, 2)
                blocks.append((where, room))
            yield kind, body
            at += 8 + length
            count -= 1


def _rows(data: bytes, layout: bytes, space: bytes) -> bytes:
    version, kind, dimensions = layout[:3]
    if (version, kind, dimensions) != (3, 2, 2):
        raise ValueError("the table is not stored in chunks of rows")
    chunk_rows, size = struct.unpack_from("<II", layout, 11)
    total = _numbers(space, 8, 1)[0]
    made = bytearray(total * size)
    for first, packed in _chunks(data, _numbers(layout, 3, 1)[0]):
        rows = _unshuffled(zlib.decompress(packed), size)[: (total - first) * size]
        made[first * size : first * size + len(rows)] = rows
    if chunk_rows == 0:
        raise ValueError("a chunk without rows")
    return bytes(made)


def _chunks(data: bytes, node: int) -> Iterator[tuple[int, bytes]]:
    level, used = struct.unpack_from("<BH", data, node + 5)
    for entry in range(used):
        key = node + 24 + 32 * entry
        (length,) = struct.unpack_from("<I", data, key)
        first, _, child = _numbers(data, key + 8, 3)
        if level:
            yield from _chunks(data, child)
        else:
            yield first, data[child : child + length]


def _unshuffled(data: bytes, size: int) -> bytes:
    """Undo the shuffle filter: all first bytes of the records, then all second bytes, …"""
    count = len(data) // size
    made = bytearray(len(data))
    for byte in range(size):
        made[byte::size] = data[byte * count : (byte + 1) * count]
    return bytes(made)


def _numbers(data: bytes, at: int, count: int) -> tuple[int, ...]:
    return struct.unpack_from(f"<{count}Q", data, at)
