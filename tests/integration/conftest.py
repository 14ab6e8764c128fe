from __future__ import annotations

from tests.replays import empty_database, play

__all__ = ["empty_database", "play"]
