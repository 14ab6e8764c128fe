"""ASGI entry point: Django's pages, and beside them the console's stream, which lasts as long as somebody watches."""

from __future__ import annotations

import gc
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


def within(inner: Application, may_face: Callable[[str], bool]) -> Application:
    """Let nobody in who came to an address of this computer that the web may not face, whatever the server was told."""

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        server = scope.get("server")
        if scope["type"] == "lifespan" or server is None or may_face(str(server[0])):
            await inner(scope, receive, send)
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": _NOT_FACED.encode()})

    return answer


_NOT_FACED = "Only this computer is served: see docs/security.md. 仅对本机提供服务。\n"


def _application() -> Application:
    pages: Application = get_asgi_application()
    # They need the apps that the line above has loaded.
    from django.urls import reverse

    from monitoring.security.checks import may_face, refuse_to_serve
    from monitoring.views import live

    refuse_to_serve()
    # A look makes hundreds of thousands of objects that all go at its end: as Python does it by itself, it would spend a
    # third of its time looking through them for garbage.
    gc.set_threshold(50_000, 20, 10)
    return within(beside(pages, reverse("console-stream"), live), may_face)


application = _application()
