"""The audit tables without their triggers, for a moment: emptying tables between tests, and what tampers on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections

from monitoring.audit.tables import PROTECTED
from monitoring.audit.triggers import PREFIX, put_up


def take_down(using: str = DEFAULT_DB_ALIAS) -> None:
    """Remove the triggers; the end of a migration, or `put_up`, puts them back."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for table in (model._meta.db_table for model in PROTECTED):
            if connection.vendor == "sqlite":
                cursor.execute(f"DROP TRIGGER IF EXISTS {PREFIX}{table}_update")
                cursor.execute(f"DROP TRIGGER IF EXISTS {PREFIX}{table}_delete")
            else:
                cursor.execute(f"DROP TRIGGER IF EXISTS {PREFIX}{table} ON {table}")


@contextmanager
def unprotected(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Do what only somebody could who owns the database."""
    take_down(using)
    try:
        yield
    finally:
        put_up(using)
