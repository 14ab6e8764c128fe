"""How far this machine's clock is from the database's, which all machines share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection

NONE = timedelta(0)


def ahead_of_database(real: Callable[[], datetime]) -> timedelta | None:
    """Return how far our clock is ahead of the database's (behind: negative), as little as the time the question took
    allows; None where the database is a file, which has our clock. Raises DatabaseError.
    """
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        before = real()
        cursor.execute("SELECT clock_timestamp()")
        [theirs] = cursor.fetchone()
        after = real()
    return between(before, theirs, after)


def between(before: datetime, theirs: datetime, after: datetime) -> timedelta:
    """Return the least difference that fits: they looked at their clock at any moment between our two looks."""
    if theirs < before:
        return before - theirs
    return after - theirs if theirs > after else NONE
