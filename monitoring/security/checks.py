"""`monitoring/security/exposure.py` as system checks (miniqmt.E001 …), and for processes that run none by themselves."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from django.conf import settings
from django.core import checks

from monitoring.security.exposure import LOOPBACK, Facts, Hole, holes, is_exposed

_BEGIN = (
    "The web is not served beyond this computer. 未对本机以外提供网页服务。",
    "See docs/security.md. 参见 docs/security.zh-CN.md。",
)


def found() -> list[Hole]:
    """Return what stands against serving the web as it is set now."""
    return holes(_facts())


def _facts() -> Facts:
    return Facts(
        arguments=sys.argv,
        debug=settings.DEBUG,
        key=settings.SECRET_KEY,
        hosts=settings.ALLOWED_HOSTS,
        https=settings.HTTPS,
        redis_url=settings.REDIS_URL,
    )


def refuse_to_serve() -> None:
    """End this process, saying why, before the first page is served. Raises SystemExit."""
    if problems := found():
        lines = [f"{hole.id}: {hole.text.en} {hole.text.zh}" for hole in problems]
        raise SystemExit("\n".join((_BEGIN[0], *lines, _BEGIN[1])))


def may_face(address: str) -> bool:
    """Whether somebody who came to this address of ours is served: beyond loopback only what `found` has approved."""
    return address in LOOPBACK or address.startswith("127.") or _is_meant()


@cache
def _is_meant() -> bool:
    return is_exposed(_facts()) and not found()


def register_all() -> None:
    """Let every command that checks the system know of them."""
    checks.register(_check, checks.Tags.security)


def _check(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    return [checks.Error(f"{hole.text.en} {hole.text.zh}", id=hole.id) for hole in found()]
