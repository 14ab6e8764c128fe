"""The database of a replay is not migrated: its tables are made at once, and are the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from django.db.backends.sqlite3.base import DatabaseWrapper

from tests.replays import used
from trading.replay.database import create_tables

pytestmark = pytest.mark.system


def test_its_tables_indexes_constraints_and_triggers_are_those_of_the_migrations(
    empty_database, django_db_blocker
):
    migrated, rows = empty_database
    made = DatabaseWrapper(migrated.settings_dict)
    with django_db_blocker.unblock(), closing(made), used(made):
        create_tables()
        found = schema(made.connection)
    expected = schema(rows)

    assert expected.pop("django_migrations")  # nothing is noted of them
    assert found.keys() == expected.keys()
    assert {
        name: (found[name], expected[name]) for name in found if found[name] != expected[name]
    } == {}


def schema(database: sqlite3.Connection) -> dict[str, Any]:
    """Return by table what its columns, references, indexes and triggers are, in no order: migrations add at the end."""
    objects: dict[str, Any] = {}
    for kind, name, table, sql in database.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    ).fetchall():
        of_table = objects.setdefault(table, {})
        if kind == "table":
            columns = database.execute(f'PRAGMA table_info("{table}")').fetchall()
            references = database.execute(f'PRAGMA foreign_key_list("{table}")').fetchall()
            of_table["columns"] = sorted(column[1:] for column in columns)
            of_table["references"] = sorted(map(str, (one[2:] for one in references)))
            of_table["checks"] = sorted(part for part in sql.split(", ") if "CONSTRAINT" in part)
        else:
            of_table[kind, name] = " ".join(sql.split())
    return objects
