"""A PostgreSQL of the tests' own: a new cluster in a temporary folder, on a free port of the loopback, for one run.

    with own_postgres() as server:                  # NoPostgres: its programs are not here, and why
        url = server.create_database("one")         # a value for DATABASE_URL; template="one" copies a database
        server.restart()                            # an orderly restart, on the same port
        server.crash()                              # as after kill -9: every connection is cut, nothing is flushed
        server.start()                              # recovers what was committed, on the same port

`server.url` is the database `postgres` itself. Tests call `postgres_or_skip()`. From a shell, for any command:

    python -m tests.postgres python manage.py up    # DATABASE_URL is set for it; the server ends with it
    python -m tests.postgres                        # says the URL and waits for Ctrl-C

PostgreSQL refuses to run as root: started by root (Linux), its programs run as an ordinary account of this machine, in
a folder of that account's. `fsync` is off, so a power cut would damage it; `synchronous_commit` stays on, so what was
committed outlives a crash of its processes. Nothing outside the folder is written, no service is touched.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from miniqmt import handover
from monitoring.processes import on_stop_signals

OWNER = "miniqmt"
PROGRAMS = ("initdb", "pg_ctl", "postgres")
#: What runs the programs when root starts the tests: the first account that exists.
ORDINARY_ACCOUNTS = ("postgres", "nobody")
#: Seconds one program may take; a start after a crash replays what was written.
PATIENCE = 60
_SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",  # none: Windows has none either
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
}
#: Ends the server and removes its folder, once whoever started it closes the pipe or is gone.
_KEEPER = """
import json, shutil, subprocess, sys
command, folder, privileges = json.loads(sys.argv[1])
sys.stdin.buffer.read()
subprocess.run(command, cwd=folder, timeout=60, check=False, **privileges)
shutil.rmtree(folder, ignore_errors=True)
"""


class NoPostgres(Exception):
    """PostgreSQL cannot be started here: the message says what is missing."""


class PostgresServer:
    """One cluster; made, started and ended by `own_postgres`."""

    def __init__(self, programs: Path, folder: Path, account: str | None) -> None:
        self._programs, self._account = programs, account
        self.folder, self._data, self._log = folder, folder / "data", folder / "server.log"
        self._password = secrets.token_urlsafe(18)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._make()

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """What DATABASE_URL is for a database of this server."""
        return f"postgres://{OWNER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, template: str = "template0") -> str:
        """Make a database, empty or as a copy of another that nobody is connected to; returns its URL."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, and end whoever is connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} (FORCE)").format(sql.Identifier(name)))

    def start(self) -> None:
        """Start it, on the port it has had from the beginning."""
        self._control("start", "-w", "-t", str(PATIENCE), "-l", str(self._log))

    def stop(self) -> None:
        """End it in order; open transactions are rolled back, connections closed."""
        self._control("stop", "-w", "-t", str(PATIENCE), "-m", "fast")

    def crash(self) -> None:
        """End all its processes at once, as a crash of the machine's memory would: the next start recovers."""
        self._control("stop", "-w", "-t", str(PATIENCE), "-m", "immediate")

    def restart(self) -> None:
        self.stop()
        self.start()

    def use_tls(self, certificate: Path, key: Path) -> None:
        """Speak TLS from now on, to whoever asks for it."""
        for name, source in (("server.crt", certificate), ("server.key", key)):
            path = self._data / name
            shutil.copyfile(source, path)
            path.chmod(0o600)
            if self._account is not None:
                shutil.chown(path, self._account, _group_of(self._account))
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("ssl = on\n")
        self.restart()

    def kept(self) -> subprocess.Popen[bytes]:
        """Return a process that ends the server when its standard input does: also when we are killed."""
        command = [
            str(self._programs / "pg_ctl"),
            "-D",
            str(self._data),
            "-m",
            "immediate",
            "stop",
        ]
        told = json.dumps([command, str(self.folder), self._privileges()])
        return subprocess.Popen(
            [sys.executable, "-c", _KEEPER, told],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def is_running(self) -> bool:
        return self._program("pg_ctl", "-D", str(self._data), "status") == 0

    def log(self) -> str:
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def _make(self) -> None:
        password = self.folder / "password"
        password.write_text(self._password, encoding="utf-8")
        if self._account is not None:
            shutil.chown(password, self._account)
        rules = ("--auth=scram-sha-256", f"--pwfile={password}", "--no-sync", "--no-instructions")
        form = ("--encoding=UTF8", "--locale=C", f"--username={OWNER}")
        self._must("initdb", f"--pgdata={self._data}", *form, *rules)
        password.unlink()
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in _SETTINGS.items())
            file.write(f"port = {self.port}\n")

    def _control(self, *words: str) -> None:
        self._must("pg_ctl", "-D", str(self._data), *words)

    def _must(self, name: str, *words: str) -> None:
        code = self._program(name, *words)
        if code:
            said = (self.folder / f"{name}.txt").read_text("utf-8", "replace")
            raise RuntimeError(f"{name} ended with {code}: {said}{self.log()[-2000:]}")

    def _program(self, name: str, *words: str) -> int:
        # Into a file, not a pipe: the server inherits it and would keep a pipe open for ever.
        with (self.folder / f"{name}.txt").open("wb") as file:
            return subprocess.run(
                [str(self._programs / name), *words],
                cwd=self.folder,
                env={**os.environ, "LC_ALL": "C", "PGTZ": "UTC", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE + 10,
                check=False,
                **self._privileges(),
            ).returncode

    def _privileges(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        group = _group_of(self._account)
        return {"user": self._account, "group": group, "extra_groups": []}

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement)


@contextmanager
def own_postgres() -> Iterator[PostgresServer]:
    """Run a new server, and end and remove it afterwards. Raises NoPostgres where it cannot be run."""
    programs, account = find_programs(), _account()
    with tempfile.TemporaryDirectory(
        prefix="miniqmt-postgres-", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        if account is not None:
            shutil.chown(folder, account, _group_of(account))
        server = PostgresServer(programs, folder, account)
        keeper = server.kept()
        try:
            server.start()
            yield server
        finally:
            assert keeper.stdin is not None
            keeper.stdin.close()
            keeper.wait(PATIENCE + 20)


@contextmanager
def postgres_or_skip() -> Iterator[PostgresServer]:
    """`own_postgres` for a test: skipped, saying why, where it cannot be run."""
    try:
        find_programs(), _account()
    except NoPostgres as why:
        pytest.skip(str(why))
    with own_postgres() as server:
        yield server


def find_programs() -> Path:
    """Return the folder of initdb, pg_ctl and postgres: on PATH, else the newest installed. Raises NoPostgres."""
    for folder in _folders():
        if all(shutil.which(name, path=str(folder)) for name in PROGRAMS):
            return folder
    raise NoPostgres("PostgreSQL's programs (initdb, pg_ctl, postgres) are not installed")


def _folders() -> Iterator[Path]:
    found = shutil.which("pg_ctl")
    if found:
        yield Path(found).resolve().parent
    config = shutil.which("pg_config")
    if config:
        answer = subprocess.run([config, "--bindir"], capture_output=True, timeout=10, check=False)
        yield Path(os.fsdecode(answer.stdout.strip()))
    patterns = [
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql*/bin",
    ]
    if sys.platform == "win32":
        programs = os.environ.get("PROGRAMFILES", "C:\\Program Files")
        patterns = [f"{programs}\\PostgreSQL\\*\\bin"]
    for pattern in patterns:
        root = Path(Path(pattern).anchor)
        yield from sorted(root.glob(pattern[len(str(root)) :]), key=_version, reverse=True)


def _version(folder: Path) -> int:
    return int("0" + "".join(re.findall(r"\d+", folder.parent.name)[:1]))


def _account() -> str | None:
    """The ordinary account for PostgreSQL's programs; None: they run as whoever runs the tests."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    if sys.platform == "linux":
        import pwd

        known = {entry.pw_name for entry in pwd.getpwall()}
        for name in ORDINARY_ACCOUNTS:
            if name in known:
                return name
    raise NoPostgres("PostgreSQL does not run as root, and there is no ordinary account to run it")


def _group_of(account: str) -> int:
    import pwd

    return pwd.getpwnam(account).pw_gid


def main(command: Sequence[str]) -> int:
    try:
        with own_postgres() as server:
            if command:
                os.environ["DATABASE_URL"] = server.create_database(OWNER)
                return handover.run(command)
            over = threading.Event()
            on_stop_signals(over.set)
            sys.stdout.write(f"DATABASE_URL={server.create_database(OWNER)}\n")
            sys.stdout.flush()
            over.wait()
            return 0
    except NoPostgres as why:
        sys.stderr.write(f"{why}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
