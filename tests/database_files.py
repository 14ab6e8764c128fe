"""A data directory with a real database file of one account, as an installation has it: `home`, and what happens in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from django.db.backends.sqlite3.base import DatabaseWrapper

from miniqmt import settings as production
from tests.replays import used
from trading.domain.types import CHINA
from trading.models import Account, Event, TradingConfig

NOW = datetime(2026, 8, 10, 16, 0, tzinfo=CHINA)


@pytest.fixture
def home(tmp_path, settings, empty_database, django_db_blocker):
    """A data directory with a database of one account, which is the default one of this thread."""
    options = production.DATABASES["default"]["OPTIONS"]
    if "transaction_mode" not in options:
        pytest.skip("the database of this run is no file")
    settings.HOME = tmp_path
    made, empty = empty_database
    path = tmp_path / "miniqmt.sqlite3"
    with closing(sqlite3.connect(path)) as file:
        empty.backup(file)
    wrapper = DatabaseWrapper({**made.settings_dict, "NAME": str(path), "OPTIONS": options})
    with django_db_blocker.unblock(), closing(wrapper), used(wrapper):
        account = Account.objects.create(name="paper", broker_account_id="1", mode="demo")
        TradingConfig.objects.create(account=account)
        yield tmp_path


def event(code: str = "ONE", **more: object) -> Event:
    account = Account.objects.get()
    known = {"at": NOW, "level": "info", "text_en": code, "text_zh": code}
    made: Event = Event.objects.create(account=account, code=code, **{**known, **more})
    return made


def changed(path: Path, *statements: str) -> None:
    """Run statements on a file as another program would."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            database.execute(statement)
