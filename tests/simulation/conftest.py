"""The database that the simulated worlds of one file share."""

from __future__ import annotations

import pytest

from tests.simulation.database import Database


@pytest.fixture(scope="module")
def database(django_db_blocker):
    with django_db_blocker.unblock():
        made = Database()
        with made.in_use():
            yield made
        made.close()
