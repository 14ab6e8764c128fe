"""Sessions end by themselves; and no page loads what is not ours, nor runs what somebody wrote into it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils import timezone

from monitoring.security.sessions import prolong

#: What an open page asks for by itself: nobody needs to sit before it.
BACKGROUND = {"console-board", "console-stream"}


#: For pages that name no stricter one of their own: those of the admin, and of errors.
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)


class OwnContentOnly:
    """A content security policy for every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        return response


class SessionLimits:
    """Prolongs the session of whoever opens a page, and ends one that is too old; see `sessions.prolong`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # A page that asks without a session costs no query.
        if settings.SESSION_COOKIE_NAME in request.COOKIES and not _is_background(request):
            self._look(request)
        return self._get_response(request)

    def _look(self, request: HttpRequest) -> None:
        idle = timedelta(seconds=settings.SESSION_COOKIE_AGE)
        if request.user.is_authenticated and not prolong(
            request.session, timezone.now(), idle, settings.MINIQMT_SESSION_AGE
        ):
            logout(request)


def _is_background(request: HttpRequest) -> bool:
    # Browsers say of every request whether it opens a page (`navigate`); older ones leave it out.
    opens_none = request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate"
    by_script = opens_none or request.headers.get("HX-Request") == "true"
    if request.method in ("GET", "HEAD") and by_script:
        return True
    try:
        return resolve(request.path_info).url_name in BACKGROUND
    except Resolver404:
        return False
