"""A fresh database for each run: in memory, every table made, the calendar filled."""

from __future__ import annotations

from django.apps import apps
from django.core.management.sql import emit_post_migrate_signal
from django.db import DEFAULT_DB_ALIAS, connections

from trading.services.calendar import fill_calendar


def use_fresh_database() -> None:
    """Point the default connection at a new in-memory database. For a command that does nothing else."""
    connection = connections["default"]
    connection.close()
    connection.settings_dict.update(
        ENGINE="django.db.backends.sqlite3",
        NAME=":memory:",
        OPTIONS={
            "init_command": "PRAGMA synchronous=OFF;PRAGMA foreign_keys=ON",
            "transaction_mode": "IMMEDIATE",
        },
    )
    del connections["default"]
    connections.settings["default"].update(connection.settings_dict)
    create_tables()
    fill_calendar()


def create_tables() -> None:
    """Make the tables of an empty database as all migrations leave them, which takes these ten times as long.

    Only for a database that ends with its process: nothing is noted of migrations.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    with connection.schema_editor() as editor:
        for model in apps.get_models():
            if model._meta.can_migrate(connection):
                editor.create_model(model)
    emit_post_migrate_signal(verbosity=0, interactive=False, db=DEFAULT_DB_ALIAS)
