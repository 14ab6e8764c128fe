"""ASGI entry point: Django's pages, and beside them the console's stream, which lasts as long as somebody watches."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "miniqmt.settings")

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


def beside(pages: Application, path: str, stream: Application) -> Application:
    """Let `stream` answer at one path and `pages` everywhere else."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        here = scope["type"] == "http" and scope["path"] == path
        await (stream if here else pages)(scope, receive, send)

    return answer


def _application() -> Application:
    pages: Application = get_asgi_application()
    # They need the apps that the line above has loaded.
    from django.urls import reverse

    from monitoring.views import live

    return beside(pages, reverse("console-stream"), live)


application = _application()
