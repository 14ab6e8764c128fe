"""The same runs on PostgreSQL, on the tests' own server; it is restarted and crashes while orders are under way.

What the checks read is a copy of its tables in a SQLite file where the product's own would be, made anew in one
transaction whenever somebody looks: so one independent reader serves both databases.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.postgres import NoPostgres, PostgresServer, find_programs, own_postgres
from tests.simulation.processes.house import House
from tests.simulation.processes.template import make_template
from tests.stack import PRODUCT

TEMPLATE = "template_of_runs"
#: Tables that nobody reads here, or that are large.
_LEFT_OUT = {"trading_tradingday", "trading_close", "trading_brokerevent", "trading_instrument"}
_one_at_a_time = threading.Lock()


def missing() -> str:
    """Return why PostgreSQL cannot be started here, empty when it can."""
    try:
        find_programs()
    except NoPostgres as problem:
        return str(problem)
    return ""


class PostgresHouse(House):
    """A house whose processes keep their rows on a server."""

    server: PostgresServer
    url: str

    def on(self, server: PostgresServer, url: str) -> None:
        self.server, self.url = server, url
        self.more["DATABASE_URL"] = url

    def rows(self, query: str, *values: object, file: str = PRODUCT) -> list[Any]:
        if file == PRODUCT:
            self.refresh()
        return super().rows(query, *values, file=file)

    def tables(self, *queries: str) -> list[list[dict[str, Any]]]:
        self.refresh()
        return super().tables(*queries)

    def write(self, query: str, *values: object) -> None:
        with psycopg.connect(self.url, autocommit=True, connect_timeout=10) as there:
            there.execute(query.replace("?", "%s").encode(), values)

    def can_be_written(self) -> bool:
        return True  # who is frozen there keeps rows at most

    def refresh(self) -> None:
        """Copy the server's tables."""
        try:
            with psycopg.connect(self.url, connect_timeout=10) as there:
                there.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                with closing(sqlite3.connect(self.home / PRODUCT, timeout=20)) as here, here:
                    _let_it_change(here)
                    for name in _tables(here):
                        _copy(there, here, name)
        except psycopg.OperationalError as problem:
            raise OSError(str(problem)) from problem  # it restarts: whoever waits looks again


def _let_it_change(copy: sqlite3.Connection) -> None:
    """Drop what keeps audit rows from being changed: a copy is nobody's record."""
    for (name,) in copy.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall():
        copy.execute(f"DROP TRIGGER {name}")


def _tables(here: sqlite3.Connection) -> list[str]:
    found = here.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'trading_%'"
    )
    return [name for (name,) in found if name not in _LEFT_OUT and "historical" not in name]


def _copy(there: psycopg.Connection[Any], here: sqlite3.Connection, name: str) -> None:
    columns = [row[1] for row in here.execute(f"PRAGMA table_info({name})")]
    wanted = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(name)
    )
    rows = [[_plain(value) for value in row] for row in there.execute(wanted)]
    here.execute(f"DELETE FROM {name}")
    marks = ", ".join("?" * len(columns))
    here.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)


def _plain(value: Any) -> Any:
    """As Django's SQLite keeps it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value) if isinstance(value, dict | list) else value


class Server:
    """The one server of a campaign, started by the first run that wants it; runs take turns, for they restart it."""

    def __init__(self) -> None:
        self._server: PostgresServer | None = None
        self._running: Any = None
        self._number = 0

    @contextmanager
    def database(self, folder: Path) -> Iterator[tuple[PostgresServer, str]]:
        """Make a database with everything a run begins with; returns the server and DATABASE_URL."""
        with _one_at_a_time:
            server = self._started(folder)
            self._number += 1
            name = f"run{self._number}"
            url = server.create_database(name, TEMPLATE)
            try:
                yield server, url
            finally:
                if not server.is_running():
                    server.start()
                server.drop_database(name)

    def _started(self, folder: Path) -> PostgresServer:
        if self._server is None:
            self._running = own_postgres()
            self._server = self._running.__enter__()
            make_template(folder / "template", self._server.create_database(TEMPLATE))
        return self._server

    def close(self) -> None:
        if self._running is not None:
            self._running.__exit__(None, None, None)
