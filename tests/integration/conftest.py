from __future__ import annotations

import pytest
import time_machine

from tests.database_files import home
from tests.integration.record_scenes import REAL
from tests.replays import empty_database, play

__all__ = ["empty_database", "home", "play"]


@pytest.fixture
def now():
    """The moment of the pages' days; the clock stands until a test moves it."""
    with time_machine.travel(REAL, tick=False) as clock:
        yield clock
