"""Fixtures for all tests."""

from __future__ import annotations

import sys
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from hypothesis import HealthCheck, settings

# How fast a machine is at the moment must not decide a test; speed lives in tests/benchmarks.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

pytest_plugins = ["tests.report"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("settings", "postgres"),
        default="settings",
        help="postgres: start a PostgreSQL for this run and end it afterwards; default: what DATABASE_URL says",
    )


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Run this very command again with a server of its own: the settings are read before any option is."""
    if config.getoption("--database") != "postgres":
        return None
    from tests.postgres import main

    again = (*config.invocation_params.args, "--database=settings")
    return main([sys.executable, "-m", "pytest", *map(str, again)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getvalue("dist") != "loadfile":
        return None
    from tests.scheduling import StacksTogether

    return StacksTogether(config, log)


def pytest_runtest_call(item: pytest.Item) -> None:
    """Whoever doctors rows to see that it is noticed does what only the owner of a database can."""
    if "doctor" in getattr(getattr(item, "callspec", None), "params", {}):
        from tests.audit import take_down

        take_down()


@pytest.fixture(scope="session", autouse=True)
def _database_of_the_run_alone():
    """A process a test starts has the database in its own data directory, never the one this run was given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _passwords_are_hashed_quickly():
    """One round instead of a million: slowly is for those who guess. What is stored is read the same way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PBKDF2PasswordHasher, "iterations", 1)
        yield


@pytest.fixture(scope="session", autouse=True)
def _audit_rows_go_with_all_others():
    """A test that commits has every table emptied afterwards, which the database refuses for audit rows.

    The triggers are away for that moment alone: emptying ends like a migration, which puts them up again.
    """
    from django.test import TransactionTestCase

    from tests.audit import take_down

    name = "_fixture_teardown"
    empty = getattr(TransactionTestCase, name)

    def without_triggers(self):
        for using in self._databases_names(include_mirrors=False):
            take_down(using)
        empty(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, name, without_triggers)
        yield


@pytest.fixture
def connection_kept(db, monkeypatch):
    """For code that looks after its connection between transactions: a test's is inside one, and must stay open."""
    from django.db import connections

    monkeypatch.setitem(connections["default"].settings_dict, "AUTOCOMMIT", False)
    monkeypatch.setattr(connections["default"], "close_at", None, raising=False)


@pytest.fixture(scope="session")
def _calendar_rows():
    """The calendar's rows as the database has them, computed once: exchange_calendars takes a second to import."""
    from trading.services.calendar import calendar_rows

    return [(row.on, row.is_session, row.source) for row in calendar_rows(date(2019, 1, 1))]


@pytest.fixture
def calendar(db, _calendar_rows):
    """Fill the trading days of the test database. In SQL: for thousands of rows Django takes ten times as long."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.executemany(
            'INSERT INTO trading_tradingday ("on", is_session, source) VALUES (%s, %s, %s)'
            " ON CONFLICT DO NOTHING",
            _calendar_rows,
        )
