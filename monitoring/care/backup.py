"""Make a backup, prove it by restoring it, and keep those that the rule keeps."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection

from monitoring import backup_files
from monitoring.backup_files import Backup, Engine, Note, Proof, Why
from monitoring.care import postgres_dump, sqlite_file
from monitoring.care.errors import NothingDone
from trading.management.one_instance import AlreadyRunning, one_instance

LOCK = "backup.lock"
#: Bytes of the disk that trading keeps: a backup never takes them.
RESERVE = 500_000_000


def make(home: Path, why: Why, at: datetime, reserve: int = RESERVE) -> Backup:
    """Make a backup of the database and prove it; the rule then removes old ones. Raises NothingDone.

    Nobody waits for it: readers and writers go on. Its file appears in the list only once it was proven.
    """
    try:
        with one_instance(home / LOCK):
            done = _make(home, why, at, reserve)
            backup_files.rotate(done.path.parent, settings.SECRET_KEY, at)
    except AlreadyRunning:
        raise NothingDone("Another backup is being made.", "另一备份正在进行。") from None
    except (OSError, sqlite3.Error, DatabaseError) as problem:
        raise NothingDone(f"No backup was made: {problem}.", f"备份失败：{problem}。") from None
    return done


def _make(home: Path, why: Why, at: datetime, reserve: int) -> Backup:
    folder, engine = backup_files.private_folder(home), engine_of()
    _remove_drafts(folder)
    path = folder / backup_files.name_for(at, why, engine)
    draft = folder / f".{path.name}.part"
    # Half of what is free: as much again is needed to prove it.
    room = (shutil.disk_usage(home).free - reserve) // 2
    if room <= 0:
        raise sqlite_file.no_room(room)
    try:
        if engine is Engine.SQLITE:
            sqlite_file.copy(database_file(), draft, room)
        else:
            postgres_dump.dump(draft, room)
        proof, rows = prove(draft, engine, folder)
        digest, size = backup_files.digest_of(draft), draft.stat().st_size
        backup_files.remove(path)
        draft.replace(path)
        note = Note(at, why, engine, size, digest, proof, rows)
        backup_files.write_note(path, note, settings.SECRET_KEY)
    finally:
        draft.unlink(missing_ok=True)
    return Backup(path, note, sealed=True)


def verify(backup: Backup, home: Path) -> Note:
    """Prove an old backup again: its content is what it was, and it can be restored. Raises NothingDone."""
    check_note(backup)
    note = backup.note
    try:
        with one_instance(home / LOCK):
            proof, rows = prove(backup.path, note.engine, backup_files.private_folder(home))
    except AlreadyRunning:
        raise NothingDone("Another backup is being made.", "另一备份正在进行。") from None
    if proof is note.proof and rows != note.rows:
        raise NothingDone(
            f"{backup.path.name} has other rows than it was made with.",
            f"{backup.path.name} 的记录数与备份时不同。",
        )
    return note


def check_note(backup: Backup) -> None:
    """Whether a file is the one its note was made for, and the note ours. Raises NothingDone."""
    note = backup.note
    if not backup.sealed:
        raise NothingDone(
            f"The note of {backup.path.name} was not made by this installation, or was changed.",
            f"{backup.path.name} 的说明文件不是本系统生成的，或已被改动。",
        )
    try:
        digest = backup_files.digest_of(backup.path)
    except OSError as problem:
        raise NothingDone(f"It cannot be read: {problem}.", f"无法读取：{problem}。") from None
    if digest != note.sha256:
        raise NothingDone(
            f"{backup.path.name} is not what it was: somebody or the disk has changed it.",
            f"{backup.path.name} 的内容与备份时不同：已被改动或磁盘损坏。",
        )


def prove(path: Path, engine: Engine, folder: Path) -> tuple[Proof, Mapping[str, int]]:
    """Restore a file into a scratch place below `folder` and look at it there: whole, ours, how many rows.

    Raises NothingDone.
    """
    if engine is Engine.POSTGRES:
        return postgres_dump.check(path)
    with tempfile.TemporaryDirectory(prefix=".proof-", dir=folder) as made:
        scratch = Path(made) / path.name
        try:
            if path.is_file():
                shutil.copyfile(path, scratch)
        except OSError as problem:
            raise NothingDone(
                f"It cannot be copied: {problem}.", f"无法复制：{problem}。"
            ) from None
        return Proof.RESTORED, sqlite_file.check(scratch)


def engine_of() -> Engine:
    """Return which database this installation has."""
    return Engine.SQLITE if connection.vendor == "sqlite" else Engine.POSTGRES


def database_file() -> Path:
    """Return the file of the SQLite database."""
    return Path(str(connection.settings_dict["NAME"]))


def _remove_drafts(folder: Path) -> None:
    """Remove what a killed backup left; under the lock, so nobody's work."""
    for path in (*folder.glob(".miniqmt-*"), *folder.glob("..miniqmt-*")):
        path.unlink(missing_ok=True)
    for left in folder.glob(".proof-*"):
        shutil.rmtree(left, ignore_errors=True)
