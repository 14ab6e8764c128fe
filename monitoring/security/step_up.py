"""Asking again who it is, just before what costs most: the password, and the second factor.

    problem = step_up.problem(request, factor=True)
    if problem: show it with `step_up.address(request)`, and do nothing

A confirmation belongs to the session it was made in and lasts five minutes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from monitoring.security import second_factor
from trading.domain.types import Text

LASTS = timedelta(minutes=5)
_AT, _FACTOR = "confirmed_at", "confirmed_by_factor"
_WHO = Text(
    "Confirm first that it is you: password and, where it is on, the code. It then holds for five minutes.",
    "请先确认身份：输入密码（已启用时还需验证码）。确认后五分钟内有效。",
)
_NO_FACTOR = Text(
    "This needs the second factor, which you have not set up yet (page “Security”).",
    "此操作需要第二验证因素，您尚未设置（见“安全”页面）。",
)
_WRONG = Text("Password or code is not right.", "密码或验证码不正确。")


def problem(request: HttpRequest, *, factor: bool) -> Text | None:
    """Return why this must not be done now, None when it may. `factor`: the password alone does not do."""
    if factor and not second_factor.is_on(request.user):
        return _NO_FACTOR
    said = request.session.get(_AT)
    at = datetime.fromisoformat(said) if isinstance(said, str) else None
    now = timezone.now()
    if at is None or not at <= now < at + LASTS:
        return _WHO
    return _WHO if factor and not request.session.get(_FACTOR) else None


def address(request: HttpRequest, back: str | None = None) -> str:
    """Return where a person removes the problem; from there it goes back to `back`, by default to this page."""
    name = "confirm" if second_factor.is_on(request.user) else "second-factor"
    return f"{reverse(name)}?{urlencode({'next': back or request.get_full_path()})}"


def confirm(request: HttpRequest, password: str, code: str) -> Text | None:
    """Take password and code; returns what is wrong with them. Wrong ones count as wrong log-ins do."""
    user: Any = request.user
    with_factor = second_factor.is_on(user)
    if authenticate(request, username=user.get_username(), password=password) != user:
        return _WRONG
    if with_factor and not second_factor.verify(user, code):
        return _WRONG
    mark(request, with_factor)
    return None


def mark(request: HttpRequest, with_factor: bool) -> None:
    """This session's person has just proven who they are."""
    request.session[_AT] = timezone.now().isoformat()
    request.session[_FACTOR] = with_factor
