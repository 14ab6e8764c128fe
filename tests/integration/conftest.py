from __future__ import annotations

from tests.database_files import home
from tests.replays import empty_database, play

__all__ = ["empty_database", "home", "play"]
