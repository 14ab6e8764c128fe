"""One database in memory, set back to its beginning for every seed by copying it: about a millisecond."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper

from tests.replays import used
from tests.simulation.grids import FUND
from trading.domain.types import AccountMode, Symbol
from trading.models import Account, Instrument, TradingConfig, TradingDay
from trading.replay.database import create_tables
from trading.selectors import instruments_of
from trading.services.calendar import load_calendar

#: The session of every simulation, a Monday; the calendar knows a few weeks around it.
TODAY = date(2026, 8, 10)
BROKER_ACCOUNT = "8800000001"
ACCOUNT = 1
SYMBOLS = ("600000.SH", "600036.SH", "000001.SZ", "300750.SZ", "510300.SH")


class Database:
    """Use inside `in_use`; `reset` gives back the beginning: a calendar, instruments, one account with its settings.

    In memory, or on PostgreSQL where `DATABASE_URL` names a server: in a database of its own there.
    """

    def __init__(self) -> None:
        server = connections["default"].vendor == "postgresql"
        self._rows: _InMemory | _OnServer = _OnServer() if server else _InMemory()
        with self.in_use():
            create_tables()
            _fill()
            self.keep()
            self.calendar = load_calendar()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Make it the default database for a while."""
        with used(self._rows.database):
            yield

    def reset(self) -> None:
        self._rows.reset()

    def keep(self) -> None:
        """Make what it holds now the beginning."""
        self._rows.keep()

    def close(self) -> None:
        self._rows.close()


class _InMemory:
    def __init__(self) -> None:
        options: dict[str, Any] = {"transaction_mode": "IMMEDIATE"}
        settings = {**connections["default"].settings_dict, "NAME": ":memory:"}
        settings |= {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": options}
        self.database = DatabaseWrapper(settings)
        self._beginning = sqlite3.connect(":memory:")

    def keep(self) -> None:
        self.database.connection.backup(self._beginning)

    def reset(self) -> None:
        self._beginning.backup(self.database.connection)

    def close(self) -> None:
        self.database.inc_thread_sharing()
        self.database.connection.close()
        self._beginning.close()


class _OnServer:
    """One database for this process. Its rows are kept as text; emptying and filling tables costs some 20 ms."""

    def __init__(self) -> None:
        given = connections["default"]
        name = f"simulation_{os.getpid()}"
        with given.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} (FORCE)")
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        self.database: Any = given.copy("default")
        self.database.settings_dict["NAME"] = name
        self._beginning: dict[str, bytes] = {}
        self._empty = ""

    def keep(self) -> None:
        with self.database.cursor() as cursor:
            tables = [table.name for table in self.database.introspection.get_table_list(cursor)]
            self._beginning = {table: _text_of(cursor, table) for table in tables}
            cursor.execute(
                "SELECT format('SELECT setval(%L, %s, %L)', format('%I', sequencename),"
                " coalesce(last_value, 1), last_value IS NOT NULL) FROM pg_sequences"
            )
            numbers = [statement for (statement,) in cursor.fetchall()]
        empty = [f'DELETE FROM "{table}"' for table in tables]
        # Foreign keys are not looked at: all rows come back as they were.
        self._empty = "; ".join(["SET session_replication_role = replica", *empty, *numbers])

    def reset(self) -> None:
        with self.database.cursor() as cursor:
            cursor.execute(self._empty)
            for table, text in self._beginning.items():
                if text:
                    with cursor.copy(f'COPY "{table}" FROM STDIN') as copy:
                        copy.write(text)
            cursor.execute("SET session_replication_role = DEFAULT")

    def close(self) -> None:
        self.database.close()


def _text_of(cursor: Any, table: str) -> bytes:
    with cursor.copy(f'COPY "{table}" TO STDOUT') as copy:
        return b"".join(bytes(part) for part in copy)


def _fill() -> None:
    first = TODAY - timedelta(days=30)
    days = [first + timedelta(days=offset) for offset in range(60)]
    TradingDay.objects.bulk_create(
        TradingDay(on=day, is_session=day.weekday() < 5, source="simulation") for day in days
    )
    for symbol, one in instruments_of([Symbol(one) for one in (*SYMBOLS, FUND)]).items():
        Instrument.objects.create(
            symbol=symbol,
            name=one.name,
            board=one.board,
            category=one.category,
            settlement=one.settlement,
            special_treatment=one.special_treatment,
            index_board=one.index_board or "",
        )
    account = Account.objects.create(
        pk=ACCOUNT, name="sim", broker_account_id=BROKER_ACCOUNT, mode=AccountMode.DEMO
    )
    TradingConfig.objects.create(account=account, auto_trading_enabled=True)
