"""The backups in MINIQMT_HOME/backups: what each is called, which are good, which are kept. Nothing is imported but the domain.

A backup is one file and its note, `NAME.json`. The note is written last, once the file was restored into a scratch
place and found whole: a file without its note is no backup, whatever killed its maker. The note carries a seal made
with the installation's secret key, so that a file nobody here has made is not restored by mistake.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from monitoring.processes import write_whole
from trading.domain.types import CHINA, Text

FOLDER, FAILURE = "backups", "backup.failed.json"
_FORMAT = 1
_NAME = re.compile(r"miniqmt-\d{8}-\d{6}-[a-z_]+\.(?:sqlite3|pgdump)")
#: Kept: everything this young; then the newest of each week, and of each month, so many of them.
KEEP_ALL, KEEP_WEEKS, KEEP_MONTHS = timedelta(days=5), 4, 6


class Why(StrEnum):
    """What a backup was made for."""

    BEFORE_OPEN = "before_open"
    AFTER_BOOKS = "after_books"
    BY_HAND = "by_hand"
    BEFORE_RESTORE = "before_restore"


class Engine(StrEnum):
    """Which database a backup is of; the value is the ending of its file."""

    SQLITE = "sqlite3"
    POSTGRES = "pgdump"


class Proof(StrEnum):
    """How a backup was looked at: restored into a scratch database and counted, or only read to its end."""

    RESTORED = "restored"
    READ = "read"


WHY_WORDS = {
    Why.BEFORE_OPEN: Text("before the open", "开盘前"),
    Why.AFTER_BOOKS: Text("after the books", "结账后"),
    Why.BY_HAND: Text("by hand", "手动"),
    Why.BEFORE_RESTORE: Text("before a restore", "恢复前"),
}
PROOF_WORDS = {Proof.RESTORED: Text("restored", "已试恢复"), Proof.READ: Text("read", "已读取")}


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of a backup. `rows`: how many rows each table has; `sha256`, `size` (bytes): of its file."""

    made_at: datetime
    why: Why
    engine: Engine
    size: int
    sha256: str
    proof: Proof
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Backup:
    """A file with its note. `sealed`: the note was made with this installation's secret key."""

    path: Path
    note: Note
    sealed: bool


def name_for(at: datetime, why: Why, engine: Engine) -> str:
    """Return the name of a backup's file, by China's time."""
    return f"miniqmt-{at.astimezone(CHINA):%Y%m%d-%H%M%S}-{why}.{engine}"


def note_of(path: Path) -> Path:
    """Return where the note of a file lies."""
    return path.with_name(f"{path.name}.json")


def write_note(path: Path, note: Note, key: str) -> None:
    """Make a file a backup. Raises OSError."""
    content = _content(note)
    write_whole(note_of(path), json.dumps({**content, "seal": _seal(content, key)}, indent=1))


def read_note(path: Path, key: str) -> Backup | None:
    """Return a file with its note; None when it has none that can be read, or is not as long as the note says."""
    try:
        content = json.loads(note_of(path).read_text(encoding="utf-8"))
        seal = content.pop("seal", "")
        if content.pop("format") != _FORMAT or path.stat().st_size != content["size"]:
            return None
        note = Note(
            datetime.fromisoformat(content["made_at"]),
            Why(content["why"]),
            Engine(content["engine"]),
            content["size"],
            content["sha256"],
            Proof(content["proof"]),
            dict(content["rows"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    sealed = hmac.compare_digest(str(seal), _seal(_content(note), key))
    return Backup(path, note, sealed)


def list_backups(home: Path, key: str) -> list[Backup]:
    """Return the backups of a data directory, oldest first; half ones are not among them."""
    return list_in(home / FOLDER, key)


def list_in(folder: Path, key: str) -> list[Backup]:
    """Return the backups in a folder, oldest first."""
    found = (read_note(path, key) for path in _files(folder))
    return sorted((one for one in found if one is not None), key=lambda one: one.note.made_at)


def halves(home: Path, key: str) -> list[Path]:
    """Return the files that are no backup: somebody's end came before their note, or they were changed since."""
    return [path for path in _files(home / FOLDER) if read_note(path, key) is None]


def _files(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(one for one in folder.iterdir() if _NAME.fullmatch(one.name))
    return []


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kept(made: Iterable[datetime], now: datetime) -> set[datetime]:
    """Return which of these moments' backups stay: all young ones, one a week and a month, and always the newest."""
    newest_first = sorted(made, reverse=True)
    weeks: dict[tuple[int, int], datetime] = {}
    months: dict[tuple[int, int], datetime] = {}
    for at in newest_first:
        local = at.astimezone(CHINA)
        weeks.setdefault(local.isocalendar()[:2], at)
        months.setdefault((local.year, local.month), at)
    return {
        *newest_first[:1],
        *(at for at in newest_first if now - at <= KEEP_ALL),
        *list(weeks.values())[:KEEP_WEEKS],
        *list(months.values())[:KEEP_MONTHS],
    }


def rotate(folder: Path, key: str, now: datetime) -> list[Path]:
    """Remove the backups that the rule does not keep; returns their files. Raises OSError."""
    backups = list_in(folder, key)
    staying = kept((one.note.made_at for one in backups), now)
    gone = [one.path for one in backups if one.note.made_at not in staying]
    for path in gone:
        remove(path)
    return gone


def remove(path: Path) -> None:
    """Forget a file: its note goes first, so that nobody sees it half gone. Raises OSError."""
    note_of(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


# --- what failed ---


def remember_failure(home: Path, text: Text, at: datetime) -> None:
    """Keep why the last backup failed until one succeeds; a disk that takes nothing is no reason to fail again."""
    content = {"at": at.astimezone(UTC).isoformat(), "en": text.en, "zh": text.zh}
    with suppress(OSError):
        write_whole(home / FAILURE, json.dumps(content, ensure_ascii=False))


def forget_failure(home: Path) -> None:
    """A backup has succeeded."""
    with suppress(OSError):
        (home / FAILURE).unlink(missing_ok=True)


def read_failure(home: Path) -> Text | None:
    """Return why the newest backup failed, None when it did not."""
    try:
        content = json.loads((home / FAILURE).read_text(encoding="utf-8"))
        return Text(str(content["en"]), str(content["zh"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def last_failure(home: Path) -> datetime | None:
    """Return when the newest backup failed, None when it did not."""
    try:
        content = json.loads((home / FAILURE).read_text(encoding="utf-8"))
        return datetime.fromisoformat(content["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def newest_of(backups: Sequence[Backup]) -> Backup | None:
    """Return the newest of backups that are listed oldest first."""
    return backups[-1] if backups else None


def private_folder(home: Path) -> Path:
    """Return the folder of the backups, made when it is not there; only its owner may look into it. Raises OSError."""
    folder = home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def private_file(path: Path) -> None:
    """Make a new empty file that only its owner may read. Raises FileExistsError, OSError."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def on_disk(path: Path) -> None:
    """Wait until a file is on the disk and no longer only in memory. Raises OSError."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _content(note: Note) -> dict[str, Any]:
    return {**asdict(note), "made_at": note.made_at.isoformat(), "format": _FORMAT}


def _seal(content: Mapping[str, Any], key: str) -> str:
    said = json.dumps(content, sort_keys=True, default=str).encode()
    return hmac.new(key.encode(), b"miniqmt.backup:" + said, hashlib.sha256).hexdigest()
