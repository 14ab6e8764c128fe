"""The second source of quotes, when `FALLBACK_QUOTES` names one: the one place where it is plugged in."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.conf import settings
from django.core.management.base import CommandError
from django.utils.module_loading import import_string

from trading.management.background_feed import BackgroundFeed
from trading.ports import Feed

#: Name → function without arguments that opens a feed of that name. It is imported in the feed's own thread.
FACTORIES = {"mootdx": "trading.market_data.mootdx_feed.open_feed"}


def fallback_feeds() -> list[BackgroundFeed]:
    """Return the feed that is switched on, in a thread of its own; none without one. Raises CommandError."""
    name = settings.FALLBACK_QUOTES
    if not name:
        return []
    if name not in FACTORIES:
        known = ", ".join(FACTORIES)
        raise CommandError(
            f"FALLBACK_QUOTES is {name!r}, expected one of: {known}."
            f" FALLBACK_QUOTES 为 {name!r}，应为：{known}。"
        )
    return [BackgroundFeed(_opener(FACTORIES[name]), name)]


def _opener(path: str) -> Callable[[], Feed]:
    return lambda: cast(Feed, import_string(path)())
