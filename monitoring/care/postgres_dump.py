"""A PostgreSQL database through PostgreSQL's own programs: pg_dump, pg_restore and psql of the PATH."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, connection

from monitoring.backup_files import Proof, on_disk, private_file
from monitoring.care.errors import NothingDone
from monitoring.care.sqlite_file import check_migrations, no_room

if TYPE_CHECKING:
    from psycopg.sql import Composable

_MAGIC = b"PGDMP"
#: Seconds one of the programs may take.
_PATIENCE = 1800
#: What libpq reads from the environment, so that no password stands in a list of processes.
_OPTIONS = {"sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "connect_timeout", "service"}


def dump(target: Path, room: int) -> None:
    """Write the database into a new file; nobody waits for it. Raises NothingDone, OSError."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        if cursor.fetchone()[0] > room:  # packed it is smaller, and then a third of it is left
            raise no_room(room)
    private_file(target)
    options = ("--format=custom", "--no-owner", "--no-privileges", "--lock-wait-timeout=20s")
    _run("pg_dump", *options, f"--file={target}")
    on_disk(target)


def check(path: Path) -> tuple[Proof, Mapping[str, int]]:
    """Restore a file into a database of its own where we may make one, else read it to its end.

    Returns how it was looked at, and the rows per table. Raises NothingDone.
    """
    if not path.is_file() or not _begins_as_dump(path):
        raise NothingDone(
            f"{path.name} is not a dump of pg_dump.", f"{path.name} 不是 pg_dump 的备份文件。"
        )
    check_migrations(_migrations(path))
    with _scratch_database() as name:
        if name is None:
            _run("pg_restore", f"--file={os.devnull}", str(path))
            return Proof.READ, {}
        _run("pg_restore", *_WHOLE, f"--dbname={name}", str(path), database=name)
        return Proof.RESTORED, _count(name)


_WHOLE = ("--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges")


def restore(path: Path) -> None:
    """Put a checked file in the place of everything in the database, in one transaction. Raises NothingDone."""
    with tempfile.TemporaryDirectory(prefix="miniqmt-") as folder:
        script = Path(folder) / "restore.sql"
        private_file(script)
        _run("pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(path))
        emptied = ("--command=DROP SCHEMA public CASCADE", "--command=CREATE SCHEMA public")
        quiet = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction")
        connection.close()
        _run("psql", *quiet, *emptied, f"--file={script}")


def take_alone() -> None:
    """Whether nobody else is connected. Raises NothingDone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        others = cursor.fetchone()[0]
    if others:
        raise NothingDone(
            f"{others} others are connected to the database: stop every process first.",
            f"另有 {others} 个连接正在使用数据库：请先停止所有进程。",
        )


def _begins_as_dump(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _migrations(path: Path) -> set[tuple[str, str]]:
    """Read the table of migrations out of a dump, without a database."""
    said = _run("pg_restore", "--data-only", "--table=django_migrations", "--file=-", str(path))
    _, _, after = said.partition("COPY public.django_migrations (id, app, name, applied)")
    rows = after.partition("\n\\.")[0].splitlines()[1:]
    return {(cells[1], cells[2]) for cells in (row.split("\t") for row in rows) if len(cells) > 2}


@contextmanager
def _scratch_database() -> Iterator[str | None]:
    """Make a database for a moment; None where our user may not."""
    name = f"miniqmt_check_{secrets.token_hex(6)}"
    try:
        with connection.cursor() as cursor:
            cursor.execute(_about("CREATE DATABASE {} TEMPLATE template0", name))
    except DatabaseError:
        yield None
        return
    try:
        yield name
    finally:
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute(_about("DROP DATABASE IF EXISTS {}", name))


def _count(name: str) -> Mapping[str, int]:
    """Count the rows of a scratch database, as psql says them."""
    query = (
        "SELECT table_name || ' ' || (xpath('/row/c/text()', query_to_xml(format("
        "'SELECT count(*) AS c FROM %I.%I', table_schema, table_name), false, true, '')))[1]::text"
        " FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
    )
    said = _run("psql", "--no-psqlrc", "--tuples-only", "--no-align", f"--command={query}", database=name)  # fmt: skip
    pairs = (line.split(" ") for line in said.splitlines() if line)
    return {table: int(rows) for table, rows in pairs}


def _about(statement: str, database: str) -> Composable:
    from psycopg import sql  # 5 MB that processes with SQLite do without

    return sql.SQL(statement).format(sql.Identifier(database))


def _run(program: str, *words: str, database: str = "") -> str:
    """Run one of PostgreSQL's programs and return what it says. Raises NothingDone."""
    found = shutil.which(program)
    if found is None:
        raise NothingDone(
            f"{program} is not on the PATH: install PostgreSQL's client programs of the server's version.",
            f"PATH 中没有 {program}：请安装与服务器版本一致的 PostgreSQL 客户端程序。",
        )
    try:
        done = subprocess.run(
            [found, *words],
            env=_environment(database),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NothingDone(
            f"{program} took more than {_PATIENCE} s.", f"{program} 运行超过 {_PATIENCE} 秒。"
        ) from None
    if done.returncode:
        said = " ".join(done.stderr.split())[:300]
        raise NothingDone(f"{program}: {said}", f"{program} 报错：{said}")
    return done.stdout


def _environment(database: str) -> Mapping[str, str]:
    known: Mapping[str, Any] = connection.settings_dict
    options = known.get("OPTIONS", {})
    said = {
        "PGHOST": known["HOST"],
        "PGPORT": known["PORT"],
        "PGUSER": known["USER"],
        "PGPASSWORD": known["PASSWORD"],
        "PGDATABASE": database or known["NAME"],
        "PGCLIENTENCODING": "UTF8",
        **{f"PG{name.upper()}": options[name] for name in _OPTIONS & options.keys()},
    }
    return {**os.environ, **{name: str(value) for name, value in said.items() if value}}
