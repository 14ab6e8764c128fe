"""One migrated database in memory, set back to its beginning for every seed by copying it: about a millisecond."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from django.core.management import call_command
from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper

from tests.replays import used
from tests.simulation.grids import FUND
from trading.domain.types import AccountMode, Symbol
from trading.models import Account, Instrument, TradingConfig, TradingDay
from trading.selectors import instruments_of
from trading.services.calendar import load_calendar

#: The session of every simulation, a Monday; the calendar knows a few weeks around it.
TODAY = date(2026, 8, 10)
BROKER_ACCOUNT = "8800000001"
ACCOUNT = 1
SYMBOLS = ("600000.SH", "600036.SH", "000001.SZ", "300750.SZ", "510300.SH")


class Database:
    """Use inside `in_use`; `reset` gives back the beginning: a calendar, instruments, one account with its settings."""

    def __init__(self) -> None:
        options: dict[str, Any] = {"transaction_mode": "IMMEDIATE"}
        settings = {**connections["default"].settings_dict, "NAME": ":memory:"}
        settings |= {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": options}
        self._database = DatabaseWrapper(settings)
        self._beginning = sqlite3.connect(":memory:")
        with self.in_use():
            call_command("migrate", verbosity=0, interactive=False)
            _fill()
            self._database.connection.backup(self._beginning)
            self.calendar = load_calendar()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Make it the default database for a while."""
        with used(self._database):
            yield

    def reset(self) -> None:
        self._beginning.backup(self._database.connection)

    def keep(self) -> None:
        """Make what it holds now the beginning."""
        self._database.connection.backup(self._beginning)

    def close(self) -> None:
        self._database.inc_thread_sharing()
        self._database.connection.close()
        self._beginning.close()


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
