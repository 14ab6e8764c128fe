"""How long a session lasts, and the end of many at once."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session

_OPENED, _SEEN = "opened_at", "seen_at"
#: The row of a session is written again after so long, not with every page.
_WRITTEN_EVERY = timedelta(minutes=1)


def prolong(session: SessionBase, now: datetime, idle: timedelta, most: timedelta) -> bool:
    """A person opened a page: the session lasts `idle` from now, but never longer than `most` after the log-in.

    False when that has passed; the caller ends it.
    """
    opened = _moment(session, _OPENED) or now
    if now >= opened + most:
        return False
    seen = _moment(session, _SEEN)
    if seen is None or now - seen >= _WRITTEN_EVERY:
        session[_OPENED], session[_SEEN] = opened.isoformat(), now.isoformat()
        session.set_expiry(min(now + idle, opened + most))
    return True


def end_sessions(user_id: int | None, now: datetime, but: str | None = None) -> int:
    """End the sessions of a user, or of everybody; `but` is the key of one that stays. Returns how many ended."""
    ended = 0
    for row in Session.objects.filter(expire_date__gt=now).iterator(chunk_size=500):
        is_theirs = user_id is None or row.get_decoded().get(SESSION_KEY) == str(user_id)
        if is_theirs and row.session_key != but:
            row.delete()
            ended += 1
    return ended


def _moment(session: SessionBase, name: str) -> datetime | None:
    said = session.get(name)
    return datetime.fromisoformat(said) if isinstance(said, str) else None
