"""Whose session may watch, asked for all viewers together: two queries, however many there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils.crypto import constant_time_compare

VIEW = "trading.view_account"


def allowed(sessions: Collection[str], now: object) -> Mapping[str, User]:
    """Return the users of the sessions (by key) that stand at `now` and belong to an active user who may view accounts."""
    rows = Session.objects.filter(session_key__in=sessions, expire_date__gt=now)
    said = {row.session_key: row.get_decoded() for row in rows}
    users = (
        get_user_model()
        .objects.with_perm(VIEW)
        .in_bulk({int(one[SESSION_KEY]) for one in said.values() if SESSION_KEY in one})
    )
    return {
        key: users[int(one[SESSION_KEY])]
        for key, one in said.items()
        if BACKEND_SESSION_KEY in one
        and int(one[SESSION_KEY]) in users
        # A changed password ends the sessions opened with the old one.
        and constant_time_compare(
            one.get(HASH_SESSION_KEY, ""), users[int(one[SESSION_KEY])].get_session_auth_hash()
        )
    }
