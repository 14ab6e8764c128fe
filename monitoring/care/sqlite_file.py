"""An SQLite database as a file: a copy of it while it is used, and whether a file is one of ours and whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from django.apps import apps
from django.db.migrations.loader import MigrationLoader

from monitoring.backup_files import on_disk, private_file
from monitoring.care.errors import NothingDone

_MAGIC = b"SQLite format 3\x00"
#: Seconds a reader waits for another's lock; in WAL mode nobody holds one for long.
_PATIENCE = 20
#: Findings of a damaged file that are named; the rest is more of it.
_NAMED = 3
#: A table that every database of ours has.
_OURS, _MIGRATIONS = "trading_account", "django_migrations"

Schema = Collection[tuple[str, str, str]]


def copy(source: Path, target: Path, room: int) -> None:
    """Copy a database while others write to it, into a new file of at most `room` bytes.

    One step in one read transaction: in WAL mode it keeps nobody from writing, and no write makes it begin again.
    Raises NothingDone (no room), sqlite3.Error, OSError; the target is then to be removed.
    """
    private_file(target)
    with closing(_open(source)) as read, closing(sqlite3.connect(target)) as written:
        size = read.execute("PRAGMA page_size").fetchone()[0]
        written.execute(f"PRAGMA page_size = {int(size)}")
        written.execute(f"PRAGMA max_page_count = {max(1, room // int(size))}")
        try:
            read.backup(written)
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise no_room(room) from None
            raise
        written.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
    on_disk(target)


def no_room(room: int) -> NothingDone:
    """Return what is said when a backup does not fit into `room` bytes."""
    return NothingDone(
        f"The disk has no room for a backup (at most {max(0, room) // 1_000_000} MB); make room.",
        f"磁盘空间不足，无法备份（最多可用 {max(0, room) // 1_000_000} MB），请清理。",
    )


def check(path: Path) -> Mapping[str, int]:
    """Look at a file as at a stranger's: whole, ours, of migrations this program knows. Returns the rows per table.

    Nothing of the file is run, and it is not written to. Raises NothingDone.
    """
    with _stranger(path) as database:
        _whole(database)
        _known(database)
        return count(database)


def check_migrations(applied: Collection[tuple[str, str]]) -> None:
    """Whether this program knows these migrations (app, name). Raises NothingDone when one is newer, or none is ours."""
    ours = {config.label for config in apps.get_app_configs()}
    disk = MigrationLoader(None).disk_migrations
    if not any(app == "trading" for app, _ in applied):
        raise NothingDone(
            "This is a database of another program.", "这是其他程序的数据库，不是 miniqmt 的。"
        )
    unknown = sorted(one for one in applied if one[0] in ours and one not in disk)
    if unknown:
        app, name = unknown[-1]
        raise NothingDone(
            f"It was made by a newer version of the program ({app} {name}): update the program first.",
            f"该文件由更新版本的程序生成（{app} {name}）：请先升级程序。",
        )


def triggers(path: Path) -> Schema:
    """Return the triggers of a database of ours (name, table, statement)."""
    with closing(_open(path)) as database:
        return _objects(database, "trigger")


def check_schema(path: Path, known: Schema, complete: bool) -> None:
    """Whether nothing in the file runs by itself but our own triggers; `complete`: all of them must be there.

    Raises NothingDone.
    """
    with _stranger(path) as database:
        views = _objects(database, "view")
        virtual = [one for one in _objects(database, "table") if "VIRTUAL" in one[2][:20].upper()]
        there = set(_objects(database, "trigger"))
    strange = sorted({one[0] for one in (*views, *virtual, *(there - set(known)))})
    if strange:
        raise NothingDone(
            f"It holds what no program of ours made: {', '.join(strange[:_NAMED])}.",
            f"其中含有并非本程序建立的内容：{'、'.join(strange[:_NAMED])}。",
        )
    missing = sorted(one[0] for one in set(known) - there)
    if complete and missing:
        raise NothingDone(
            f"It lacks what protects the audit rows: {', '.join(missing[:_NAMED])}.",
            f"缺少保护审计记录的触发器：{'、'.join(missing[:_NAMED])}。",
        )


def migrations(path: Path) -> frozenset[tuple[str, str]]:
    """Return the migrations a file of ours has (app, name). Raises NothingDone."""
    with _stranger(path) as database:
        return frozenset(_applied(database))


def applied(path: Path) -> frozenset[tuple[str, str]]:
    """Return the migrations of our own database, which others may have open; nothing when there is none yet."""
    if not path.exists():
        return frozenset()
    with closing(_open(path)) as database:
        is_there = any(name == _MIGRATIONS for name, _, _ in _objects(database, "table"))
        return frozenset(_applied(database)) if is_there else frozenset()


def damage(path: Path) -> Sequence[str]:
    """Return what a quick look at the pages finds wrong with a database; nothing when it is whole or not there yet."""
    if not path.exists():
        return ()
    try:
        with closing(_open(path)) as database:
            return _findings(database.execute("PRAGMA quick_check(3)").fetchall())
    except sqlite3.OperationalError as problem:
        if problem.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return ()  # somebody works with it
        return (str(problem),)
    except sqlite3.DatabaseError as problem:
        return (str(problem),)


def take_alone(path: Path) -> None:
    """Bring a database into one file, which works only while nobody else has it open. Raises NothingDone.

    A damaged one is left as it is: SQLite could throw away its WAL, where a person may still find something.
    """
    if not path.exists() or damage(path):
        return
    try:
        with closing(sqlite3.connect(path, timeout=1)) as database:
            database.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as problem:
        if problem.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise NothingDone(f"{path}: {problem}.", f"{path}：{problem}。") from None
        raise NothingDone(
            "Somebody works with the database: stop every process of this data directory first.",
            "数据库正在使用：请先停止该数据目录的所有进程。",
        ) from None


def count(database: sqlite3.Connection) -> Mapping[str, int]:
    """Return how many rows each table has."""
    names = [name for name, _, _ in _objects(database, "table") if not name.startswith("sqlite_")]
    return {name: database.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()[0] for name in names}  # fmt: skip


@contextmanager
def _stranger(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file for reading, trusting nothing in it; errors of SQLite are what the person is told."""
    if not _is_database(path):
        raise NothingDone(f"{path.name} is not a database.", f"{path.name} 不是数据库文件。")
    try:
        with closing(_open(path, "&immutable=1")) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA cell_size_check = ON")
            yield database
    except sqlite3.DatabaseError as problem:
        raise NothingDone(
            f"The database file is damaged: {problem}.", f"数据库文件已损坏：{problem}。"
        ) from None


def _is_database(path: Path) -> bool:
    if not path.is_file():  # nor a folder, a pipe or a device
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _whole(database: sqlite3.Connection) -> None:
    found = _findings(database.execute("PRAGMA integrity_check(3)").fetchall())
    if found:
        said = "; ".join(found)
        raise NothingDone(f"The database file is damaged: {said}.", f"数据库文件已损坏：{said}。")
    broken = database.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        table, row, other = broken[:3]
        raise NothingDone(
            f"Row {row} of {table} names a row of {other} that is not there.",
            f"{table} 第 {row} 行引用的 {other} 记录不存在。",
        )


def _known(database: sqlite3.Connection) -> None:
    if _OURS not in {name for name, _, _ in _objects(database, "table")}:
        raise NothingDone(
            "This is a database of another program.", "这是其他程序的数据库，不是 miniqmt 的。"
        )
    check_migrations(_applied(database))


def _applied(database: sqlite3.Connection) -> set[tuple[str, str]]:
    return set(database.execute("SELECT app, name FROM django_migrations").fetchall())


def _objects(database: sqlite3.Connection, kind: str) -> list[tuple[str, str, str]]:
    query = "SELECT name, tbl_name, coalesce(sql, '') FROM sqlite_master WHERE type = ? ORDER BY 1"
    return database.execute(query, (kind,)).fetchall()


def _findings(rows: Sequence[tuple[str]]) -> list[str]:
    return [row[0] for row in rows if row[0] != "ok"]


def _open(path: Path, more: str = "") -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode=ro{more}"
    return sqlite3.connect(address, uri=True, timeout=_PATIENCE)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
