"""Writing many changed rows at once: only the columns that may have changed, in one prepared statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import connection
from django.db.models import Model


def update_rows(rows: Iterable[Model], columns: Sequence[str]) -> None:
    """Save these columns of existing rows of one model; all or nothing only inside the caller's transaction.

    An upsert would send every column of every row: three times the work for thousands of positions.
    """
    changed = list(rows)
    if not changed:
        return
    meta = changed[0]._meta
    key = meta.pk
    assert key is not None
    fields = [meta.get_field(name) for name in columns]
    names = ", ".join(f"{connection.ops.quote_name(field.column)} = %s" for field in fields)
    statement = (
        f"UPDATE {connection.ops.quote_name(meta.db_table)} SET {names}"
        f" WHERE {connection.ops.quote_name(key.column)} = %s"
    )
    values = [
        [
            *(field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields),
            row.pk,
        ]
        for row in changed
    ]
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)
