"""Triggers that refuse to change or delete an audit row, or to turn a used ledger into another's, whichever program asks.

They are put up after every migration and not by one: SQLite drops a table's triggers whenever a migration rebuilds it.
Their text must stay as it is: a backup is refused when it holds another one under a name that is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from monitoring.audit.tables import PROTECTED

PREFIX = "audit_"
_SQLITE = (
    "CREATE TRIGGER IF NOT EXISTS {name} BEFORE {act} ON {table}"
    " BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
)
_REFUSE = (
    "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; END $$"
)
#: A row that was ever read from a terminal, or ordered, stays what it is: another mode is another row. The rule asks
#: the row alone: SQLite cannot rebuild a table that a trigger elsewhere names.
LEDGER = f"{PREFIX}trading_account_ledger"
_ACCOUNT = "trading_account"
_USED = "OLD.snapshot_at IS NOT NULL OR OLD.order_counter > 0"
_OTHER = "OLD.mode <> NEW.mode"
_SAYS = "the mode of an account that was used never changes"
_SQLITE_LEDGER = (
    f"CREATE TRIGGER IF NOT EXISTS {LEDGER} BEFORE UPDATE OF mode ON {_ACCOUNT}"
    f" WHEN {_OTHER} AND ({_USED}) BEGIN SELECT RAISE(ABORT, '{_SAYS}'); END"
)
_POSTGRES_LEDGER = (
    "CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    f" RAISE EXCEPTION '{_SAYS}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
    f"CREATE OR REPLACE TRIGGER {LEDGER} BEFORE UPDATE OF mode ON {_ACCOUNT}"
    f" FOR EACH ROW WHEN ({_OTHER} AND ({_USED})) EXECUTE FUNCTION ledger_refuse()",
)


def put_up(using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Protect the audit tables that are there. Django calls it after a migration."""
    connection = connections[using]
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        tables = [model._meta.db_table for model in PROTECTED]
        statements = _sqlite if connection.vendor == "sqlite" else _postgres
        for statement in statements([table for table in tables if table in there]):
            cursor.execute(statement)
        if _ACCOUNT in there:
            is_sqlite = connection.vendor == "sqlite"
            for statement in (_SQLITE_LEDGER,) if is_sqlite else _POSTGRES_LEDGER:
                cursor.execute(statement)


def _sqlite(tables: list[str]) -> Iterator[str]:
    for table in tables:
        for act in ("update", "delete"):
            name = f"{PREFIX}{table}_{act}"
            yield _SQLITE.format(name=name, act=act.upper(), table=table)


def _postgres(tables: list[str]) -> Iterator[str]:
    if tables:
        yield _REFUSE
    for table in tables:
        yield (
            f"CREATE OR REPLACE TRIGGER {PREFIX}{table} BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION audit_refuse()"
        )
