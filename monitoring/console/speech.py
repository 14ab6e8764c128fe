"""What the stream says, as Server-Sent Events: pure, and the same bytes for all who know the same."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from monitoring.console.boards import Board
from monitoring.console.parts import changes

#: How long a browser waits before it connects again.
HELLO = b"retry: 2000\n\n"
#: The reader may not read any more: the page loads itself again and lands where it belongs.
END = b"event: end\ndata: {}\n\n"
#: How a stream begins whose pieces are pressed: the head of a gzip file without a name or a time.
PRESS = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def speech(seen: str, kept: Sequence[Board], taken: datetime, served: datetime) -> bytes:
    """Tell somebody who has seen the version `seen` what is new.

    `kept`: versions of the board, the newest last, at least one. `taken`: when the newest was looked up to be true;
    `served`: now. Whoever saw the newest hears a pulse; one of the others, what changed since, however many versions
    lie between; none of them, the whole.
    """
    newest = kept[-1]
    times = {"taken": _milliseconds(taken), "served": _milliseconds(served)}
    if seen == newest.id:
        return _event("pulse", {**times, "id": newest.id})
    old = next((board for board in kept if board.id == seen), None)
    parts = changes(old.frames if old else {}, newest.frames)
    return _event("board", {**times, "from": old and old.id, "parts": parts}, newest.id)


def pressed(words: bytes) -> bytes:
    """Press a piece of a gzip stream. It refers to nothing before it, so that one serves all, whatever each had before.

    A tenth of the bytes; nothing a listener could guess from their number is secret, no form and no token among it.
    """
    press = zlib.compressobj(level=1, wbits=-zlib.MAX_WBITS)
    return press.compress(words) + press.flush(zlib.Z_FULL_FLUSH)


def _event(name: str, data: Mapping[str, object], number: str = "") -> bytes:
    # JSON has no line break of its own, so one `data:` line is enough.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    identity = f"id: {number}\n" if number else ""
    return f"event: {name}\n{identity}data: {text}\n\n".encode()


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
