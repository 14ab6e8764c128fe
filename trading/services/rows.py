"""Writing many changed rows at once: only the columns that may have changed, in one prepared statement."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db import connection
from django.db.models import Model


def update_rows(rows: Iterable[Model], columns: Collection[str]) -> None:
    """Save these columns of existing rows of one model; all or nothing only inside the caller's transaction.

    An upsert would send every column of every row: three times the work for thousands of positions.
    """
    changed = list(rows)
    if not changed:
        return
    meta, quoted = changed[0]._meta, connection.ops.quote_name
    fields = [field for field in meta.concrete_fields if field.name in columns]
    names = ", ".join(f"{quoted(str(field.column))} = %s" for field in fields)
    key = quoted(str(meta.pk.column))
    statement = f"UPDATE {quoted(meta.db_table)} SET {names} WHERE {key} = %s"
    values = [
        [
            *(field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields),
            row.pk,
        ]
        for row in changed
    ]
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)
