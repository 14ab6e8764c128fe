"""Two accounts on one twin and one server, for tests: the rows they begin with, and the books of each of them.

Run as a process of its own, `python -m tests.two_accounts FILE`, it fills the database of DATABASE_URL; FILE becomes a
SQLite database with the same tables, empty, for copies of them.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from tests.invariants import Opening, violations

#: Name → number at the broker.
ACCOUNTS = {"demo": "8800000001", "second": "8800000002"}
#: Where the product keeps what belongs to an account, by the column that says so.
_TABLES = {
    "trading_account": "id",
    "trading_order": "account_id",
    "trading_fill": "account_id",
    "trading_position": "account_id",
}


def broken(
    product: Path, terminal: Path, name: str, opening: Opening, *, at_rest: bool
) -> list[str]:
    """Return which invariants of one account do not hold: both stores are copied, and the copies have nothing else."""
    here, there = (path.with_suffix(f".{name}") for path in (product, terminal))
    for source, copy in ((product, here), (terminal, there)):
        copy.unlink(missing_ok=True)
        with (
            closing(sqlite3.connect(source, timeout=20)) as old,
            closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
    with closing(sqlite3.connect(here)) as database, database:
        database.execute("PRAGMA foreign_keys=OFF")
        [(key,)] = database.execute("SELECT id FROM trading_account WHERE name = ?", (name,))
        for table, column in _TABLES.items():
            database.execute(f"DELETE FROM {table} WHERE {column} <> ?", (key,))
    number = ACCOUNTS[name]
    with closing(sqlite3.connect(there)) as database, database:
        database.execute("DELETE FROM account WHERE account_id <> ?", (number,))
        for table in ("paper_order", "trade"):
            database.execute(
                f"DELETE FROM {table} WHERE json_extract(body, '$.account_id') <> ?", (number,)
            )
    return violations(here, there, opening, at_rest=at_rest)


def arrivals(terminal: Path) -> list[tuple[str, str, str]]:
    """Return (account, symbol, market time in China) of every order the twin has, in the order they came."""
    names = {number: name for name, number in ACCOUNTS.items()}
    with closing(sqlite3.connect(terminal, timeout=20)) as database:
        rows = database.execute("SELECT body FROM paper_order ORDER BY order_id").fetchall()
    orders = [json.loads(body) for (body,) in rows]
    return [(names[one["account_id"]], one["symbol"], one["at"]) for one in orders]


def _fill() -> None:
    import django

    django.setup()
    from django.apps import apps
    from django.core.management import call_command

    from trading.domain.types import AccountMode
    from trading.models import Account, TradingConfig
    from trading.services.calendar import fill_calendar

    call_command("migrate", verbosity=0)
    fill_calendar()
    for name, number in ACCOUNTS.items():
        row = Account.objects.create(name=name, broker_account_id=number, mode=AccountMode.DEMO)
        TradingConfig.objects.create(
            account=row,
            auto_trading_enabled=True,
            daily_loss_ratio=Decimal("0.5"),
            sell_order_timeout=9,
        )
    with closing(sqlite3.connect(sys.argv[1])) as copy, copy:
        for model in apps.get_app_config("trading").get_models():
            columns = ", ".join(f'"{field.column}"' for field in model._meta.concrete_fields)
            copy.execute(f"CREATE TABLE IF NOT EXISTS {model._meta.db_table} ({columns})")


if __name__ == "__main__":
    _fill()
