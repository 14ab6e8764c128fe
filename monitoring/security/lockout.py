"""What a person reads whose log-in is locked after wrong passwords, and how a lock is lifted."""

from __future__ import annotations

from typing import Any

from axes.utils import reset
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from trading.domain.types import Text

#: Nothing from elsewhere, and nothing kept.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def refused(request: HttpRequest, _response: Any = None, _credentials: Any = None) -> HttpResponse:
    """Answer a log-in of somebody who is locked; django-axes asks for it."""
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    failures, minutes = settings.AXES_FAILURE_LIMIT, seconds // 60
    problem = Text(
        f"{failures} wrong passwords for this user from this computer. Try again in {minutes} minutes; trying earlier"
        " does not make it longer.",
        f"该用户在本机连续 {failures} 次输错密码。请在 {minutes} 分钟后重试；提前重试不会延长锁定。",
    )
    response = render(request, "registration/locked.html", {"problem": problem}, status=429)
    for name, value in {**_HEADERS, "Retry-After": str(seconds)}.items():
        response.headers[name] = value
    return response


def lift(username: str) -> bool:
    """Let this user try again from everywhere; False when there was no lock nor a wrong password."""
    return bool(reset(username=username))
