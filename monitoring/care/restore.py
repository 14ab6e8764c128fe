"""Put a backup in the place of the database: only while nothing runs, and the replaced one is kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

from monitoring import backup_files
from monitoring.backup_files import Backup, Engine, Why
from monitoring.care import backup, postgres_dump, sqlite_file
from monitoring.care.errors import NothingDone
from monitoring.run_file import LOCK as UP_LOCK
from trading.domain.types import CHINA
from trading.management.one_instance import (
    MARKET_DATA_LOCK,
    TERMINAL_LOCK,
    AlreadyRunning,
    one_instance,
)

#: What SQLite keeps beside a database.
_BESIDE = ("-wal", "-shm", "-journal")
_SCRATCH = "restore"


@dataclass(frozen=True, slots=True)
class Restored:
    """`kept`: where the replaced database lies now, None when there was none. `made_at`: None for a file without note."""

    kept: Path | None
    made_at: datetime | None


def restore(home: Path, wanted: str, now: datetime, unsealed: bool = False) -> Restored:
    """Restore a backup by its name in the list, or a file by its path. Raises NothingDone; then nothing was changed.

    `unsealed`: also a file whose note is missing or was made with another secret key; its content is checked all the same.
    """
    path = _find(home, wanted)
    with _alone(home):
        connection.close()
        try:
            note = _checked(home, path, unsealed)
            put = _put_file if backup.engine_of() is Engine.SQLITE else _put_dump
            kept = put(home, path, now)
        except OSError as problem:
            raise NothingDone(
                f"It was not restored: {problem}.", f"未能恢复：{problem}。"
            ) from None
    return Restored(kept, note.note.made_at if note else None)


def _find(home: Path, wanted: str) -> Path:
    """A plain name is one of the list; anything else is a path of the person's own."""
    here = home / backup_files.FOLDER / wanted
    path = here if Path(wanted).name == wanted and here.is_file() else Path(wanted)
    if not path.is_file():  # nor a folder, a pipe or a device
        raise NothingDone(
            f"There is no backup {wanted}; `manage.py backup list` shows what there is.",
            f"没有备份 {wanted}；请用 manage.py backup list 查看。",
        )
    return path.resolve()


def _checked(home: Path, path: Path, unsealed: bool) -> Backup | None:
    """Look at a file before anything is touched; returns it with its note, where it has one."""
    found = backup_files.read_note(path, settings.SECRET_KEY)
    if found is not None and found.sealed:
        backup.check_note(found)
    elif not unsealed:
        raise NothingDone(
            f"Nothing proves that this installation made {path.name}: its note is missing, or of another secret key. "
            "If you made it yourself, add --unsealed.",
            f"无法证明 {path.name} 由本系统生成（说明文件缺失，或密钥不同）。确为您自己的备份时请加 --unsealed。",
        )
    folder = backup_files.private_folder(home)
    backup.prove(path, backup.engine_of(), folder)
    return found


def _put_file(home: Path, path: Path, now: datetime) -> Path | None:
    """Swap the files. Up to the last step the old database is where it was."""
    database = backup.database_file()
    sqlite_file.take_alone(
        database
    )  # what takes long comes after it; it is asked again before the swap
    with _own_schema(home) as (known, names):
        mine = sqlite_file.migrations(path)
        sqlite_file.check_schema(path, known, complete=names <= mine)
    connection.close()
    sqlite_file.take_alone(database)
    draft = database.with_name(f".{database.name}.restored")
    try:
        draft.unlink(missing_ok=True)
        backup_files.private_file(draft)
        shutil.copyfile(path, draft)
        backup_files.on_disk(draft)
        kept = _keep(database, now) if database.exists() else None
        draft.replace(database)
    finally:
        draft.unlink(missing_ok=True)
    return kept


def _keep(database: Path, now: datetime) -> Path:
    """Keep the old database. A copy, so that there is one at every moment: `up` would begin an empty one otherwise."""
    kept = database.with_name(f"{database.name}.replaced-{now.astimezone(CHINA):%Y%m%d-%H%M%S}")
    try:
        backup_files.private_file(kept)
        shutil.copyfile(database, kept)
    except OSError:  # no room for a second one, or it cannot be read any more
        database.replace(kept)
    for ending in _BESIDE:  # left by a damaged one; another database must not meet its WAL
        there = database.with_name(database.name + ending)
        if there.exists():
            there.replace(kept.with_name(kept.name + ending))
    return kept


def _put_dump(home: Path, path: Path, now: datetime) -> Path | None:
    """Keep a dump of what is there, then replace everything in one transaction."""
    postgres_dump.take_alone()
    before = backup.make(home, Why.BEFORE_RESTORE, now)
    postgres_dump.restore(path)
    return before.path


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the locks of everything that runs here, so that nothing starts meanwhile. Raises NothingDone."""
    names = {UP_LOCK, TERMINAL_LOCK, MARKET_DATA_LOCK}
    names |= {path.name for path in home.glob("gateway-*.lock")}
    with ExitStack() as stack:
        for name in sorted(names):
            try:
                stack.enter_context(one_instance(home / name))
            except AlreadyRunning:
                program = name.removesuffix(".lock")
                raise NothingDone(
                    f"{program} runs in {home}: stop everything first, then restore.",
                    f"{home} 中的 {program} 正在运行：请先停止全部进程，再恢复。",
                ) from None
        yield


@contextmanager
def _own_schema(home: Path) -> Iterator[tuple[sqlite_file.Schema, frozenset[tuple[str, str]]]]:
    """Make an empty database of this program and give its triggers and its migrations."""
    folder = backup_files.private_folder(home)
    path = folder / f".proof-{_SCRATCH}.sqlite3"
    path.unlink(missing_ok=True)
    known = {**connections["default"].settings_dict, "NAME": str(path)}
    connections.settings[_SCRATCH] = known
    try:
        call_command("migrate", database=_SCRATCH, verbosity=0, interactive=False)
        connections[_SCRATCH].close()
        sqlite_file.take_alone(path)
        yield sqlite_file.triggers(path), sqlite_file.migrations(path)
    finally:
        connections[_SCRATCH].close()
        del connections[_SCRATCH], connections.settings[_SCRATCH]
        path.unlink(missing_ok=True)
