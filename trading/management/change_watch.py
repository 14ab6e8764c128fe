"""Tells a process that what it began with has changed: it ends, and whoever keeps it running starts one that knows."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db import Error

#: Seconds between two looks.
LOOK_EVERY = 30.0


class ChangeWatch:
    """`began_with` is compared with what `look` returns, at most twice a minute.

    What cannot be read because the database is away has not changed.
    """

    def __init__(
        self,
        began_with: object,
        look: Callable[[], object],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._began_with, self._look, self._monotonic = began_with, look, monotonic
        self._due = monotonic() + LOOK_EVERY

    def changed(self) -> bool:
        """Whether it is something else now."""
        now = self._monotonic()
        if now < self._due:
            return False
        self._due = now + LOOK_EVERY
        try:
            return self._look() != self._began_with
        except Error:
            return False
