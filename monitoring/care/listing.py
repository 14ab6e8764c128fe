"""The backups as people look at them: how old and how large each is, how it was proven, and whether a copy lies elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from monitoring import backup_files
from monitoring.backup_files import PROOF_WORDS, WHY_WORDS, Backup
from monitoring.care import second_place
from trading.domain.types import Text

#: A newest backup this old is worth a look; after four days it is an alarm (monitoring/services/health.py).
OLD = timedelta(days=2)
_FOREIGN = Text("not of this installation, or changed", "非本系统生成，或已被改动")


@dataclass(frozen=True, slots=True)
class BackupLine:
    """One backup. `size` in MB; `is_good`: this installation has made and proven it; `copied` None: no second place is set."""

    name: str
    made_at: datetime
    age: Text
    why: Text
    size: float
    rows: int
    proof: Text
    is_good: bool
    copied: bool | None


@dataclass(frozen=True, slots=True)
class BackupList:
    """Newest first. `halves`: files that are no backup; `failure`: why the newest try failed."""

    lines: tuple[BackupLine, ...]
    halves: tuple[str, ...]
    failure: Text | None
    failed_at: datetime | None
    is_old: bool

    @property
    def size(self) -> float:
        """MB of all together."""
        return sum(one.size for one in self.lines)


def listing(home: Path, now: datetime) -> BackupList:
    """Read what lies there; content is not read again, so it takes no time however large it is."""
    backups = backup_files.list_backups(home, settings.SECRET_KEY)
    newest = backup_files.newest_of(backups)
    return BackupList(
        tuple(_line(one, now) for one in reversed(backups)),
        tuple(path.name for path in backup_files.halves(home, settings.SECRET_KEY)),
        backup_files.read_failure(home),
        backup_files.last_failure(home),
        newest is None or now - newest.note.made_at > OLD,
    )


def _line(one: Backup, now: datetime) -> BackupLine:
    note = one.note
    return BackupLine(
        name=one.path.name,
        made_at=note.made_at,
        age=age(now - note.made_at),
        why=WHY_WORDS[note.why],
        size=note.size / 1e6,
        rows=sum(note.rows.values()),
        proof=PROOF_WORDS[note.proof] if one.sealed else _FOREIGN,
        is_good=one.sealed,
        copied=not second_place.is_missing(one) if settings.MINIQMT_BACKUP_COPY else None,
    )


def age(passed: timedelta) -> Text:
    """Say how long ago something was, in the largest unit that fits."""
    seconds = max(0, int(passed.total_seconds()))
    for length, en, zh in ((86_400, "d", "天"), (3_600, "h", "小时"), (60, "min", "分钟")):
        if seconds >= length:
            return Text(f"{seconds // length} {en} ago", f"{seconds // length} {zh}前")
    return Text("just now", "刚刚")
