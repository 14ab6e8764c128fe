"""Keeps what the processes warned of as rows, from where each file was read up to last time.

Nothing is written while a line is logged: a task reads the files, so that no log call waits for the database, fails
with it, or writes inside somebody's transaction.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from monitoring.log_files import ENDING, FILES, FOLDER
from monitoring.models import LogLine, LogMark
from monitoring.redaction import redacted
from trading.models import Account

#: Bytes of one file that one run reads, and rows that one run makes of it.
MOST_BYTES, MOST_ROWS = 2 << 20, 200
KEPT_FROM = logging.WARNING
#: Names of a line that have a column of their own.
_COLUMNS = frozenset(
    {"at", "level", "logger", "process", "event", "exception", "tick", "repeated"}
)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Whole lines of one file. `identity`: the file's, whatever it is called now; `end`: read up to there, in bytes."""

    identity: str
    end: int
    lines: tuple[bytes, ...]


def collect(home: Path) -> int:
    """Make rows of what is new in every file; returns how many. A file that cannot be read is read the next time."""
    numbers = list(Account.objects.values_list("broker_account_id", flat=True))
    return sum(_collect(path, numbers) for path in sorted((home / FOLDER).glob(f"*{ENDING}")))


def _collect(path: Path, numbers: list[str]) -> int:
    mark = LogMark.objects.filter(name=path.name).first()
    made = 0
    for piece in _pieces(path, mark):
        wanted = [row for line in piece.lines if (row := _row(line, numbers)) is not None]
        rows = wanted[:MOST_ROWS]
        if len(wanted) > MOST_ROWS:
            rows.append(_left_out(wanted, len(wanted) - MOST_ROWS))
        with transaction.atomic():
            LogLine.objects.bulk_create(rows)
            LogMark.objects.update_or_create(
                name=path.name, defaults={"identity": piece.identity, "read_to": piece.end}
            )
        made += len(rows)
    return made


def _pieces(path: Path, mark: LogMark | None) -> Iterator[_Piece]:
    """Yield what is new: the rest of the file that was begun anew meanwhile, then the file itself."""
    try:
        if mark is not None and mark.identity != _identity(path):
            former = (Path(f"{path}.{number}") for number in range(1, FILES + 1))
            for old in former:
                if old.exists() and _identity(old) == mark.identity:
                    yield _read(old, mark.read_to)
                    break
            yield _read(path, 0)
        else:
            yield _read(path, 0 if mark is None else mark.read_to)
    except OSError:
        return


def _read(path: Path, start: int) -> _Piece:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = start if start <= size else 0  # somebody has emptied it
        start = max(start, size - MOST_BYTES)  # of too much the newest
        file.seek(start)
        content = file.read(MOST_BYTES)
    whole = content[: content.rfind(b"\n") + 1]
    return _Piece(_identity(path), start + len(whole), tuple(whole.splitlines()))


def _identity(path: Path) -> str:
    found = path.stat()
    return f"{found.st_dev}:{found.st_ino}"


def _row(line: bytes, numbers: list[str]) -> LogLine | None:
    """Return the row of a line; None for one that only informs, or is no line of ours: a disk that was full cuts them."""
    try:
        # PostgreSQL keeps no such character.
        said: dict[str, Any] = json.loads(line.replace(b"\\u0000", b"?"))
        level = str(said["level"]).upper()
        if logging.getLevelNamesMapping().get(level, 0) < KEPT_FROM:
            return None
        at = datetime.fromisoformat(str(said["at"]))
    except (ValueError, KeyError, TypeError):
        return None
    detail = {name: value for name, value in said.items() if name not in _COLUMNS}
    masked = json.loads(redacted(json.dumps(detail), (), numbers))
    return LogLine(
        at=at,
        process=str(said.get("process", ""))[:64],
        level=level.lower()[:8],
        logger=str(said.get("logger", ""))[:100],
        text=redacted(str(said.get("event", "")), (), numbers)[:2000],
        trace=redacted(str(said.get("exception", "")), (), numbers)[-4000:],
        tick=str(said.get("tick", ""))[:36],
        repeated=int(said["repeated"]) if str(said.get("repeated", "")).isdigit() else 0,
        detail=masked,
    )


def _left_out(wanted: list[LogLine], count: int) -> LogLine:
    last = wanted[-1]
    text = f"{count} more lines were left out here: read the file"
    return LogLine(at=last.at, process=last.process, level="warning", logger=__name__, text=text)
