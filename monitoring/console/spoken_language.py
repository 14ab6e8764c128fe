"""The language a person chose, told to the browser, so that pages and stream are asked for in it."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse

from monitoring.services.operator import AUTO, Operator


def speaking(chosen: Operator, response: HttpResponse) -> HttpResponse:
    """Let this browser ask in the chosen language; `AUTO`: in its own."""
    name = settings.LANGUAGE_COOKIE_NAME
    if chosen.language == AUTO:
        response.delete_cookie(name, path=settings.LANGUAGE_COOKIE_PATH)
    else:
        response.set_cookie(
            name,
            chosen.language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            path=settings.LANGUAGE_COOKIE_PATH,
            domain=settings.LANGUAGE_COOKIE_DOMAIN,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite=settings.LANGUAGE_COOKIE_SAMESITE,
        )
    return response
