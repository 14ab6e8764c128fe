"""When a session of the vendor's library has grown old: before each day's open it is made anew."""

from __future__ import annotations

from datetime import datetime, time

from trading.domain.types import CHINA

#: After the client's own restart (before 08:00, see docs/live-qmt.md) and in good time for the pre-market check.
RENEWED_AT = time(8, 50)


def is_due(connected_at: datetime | None, now: datetime) -> bool:
    """Whether a session that was opened then has to be made anew: it was opened before the last 08:50."""
    if connected_at is None:
        return False
    today = now.astimezone(CHINA)
    morning = datetime.combine(today.date(), RENEWED_AT, CHINA)
    return connected_at < morning <= today
