"""A fresh database for each run: in memory, migrated, the calendar filled."""

from __future__ import annotations

from django.core.management import call_command
from django.db import connections

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
    call_command("migrate", verbosity=0, interactive=False)
    fill_calendar()
