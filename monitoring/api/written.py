"""Answers as bytes with their names; those that come from the console's value are written once for all who ask."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from monitoring.api.shapes import shape_of, text_of
from monitoring.console.shared import WAIT
from monitoring.console.values import Console

#: Different addresses whose answers are kept; more, and the oldest is forgotten.
KEPT = 64
#: The moment of an answer: it is no part of its name, which stays while nothing else has changed.
_MOMENT = "taken_at"


@dataclass(frozen=True, slots=True)
class Written:
    """An answer. `etag` names its content."""

    body: bytes
    etag: str


def write(kind: Any, value: Any) -> Written:
    """Return an answer as bytes."""
    data = shape_of(kind).write(value)
    moment = data.pop(_MOMENT, None)
    rest = text_of(data)
    body = rest
    if moment is not None:
        body = b'{"%s":"%s",%s' % (_MOMENT.encode(), moment.encode(), rest[1:])
    return Written(body, f'W/"{hashlib.sha256(rest).hexdigest()[:32]}"')


class OfConsole:
    """The newest answers that come from the console's value and an address alone. Any thread may ask; one writes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Console, Written]] = {}

    def at(self, address: str, now: Console, make: Callable[[], Written]) -> Written:
        """Return the answer at an address for this value, made anew when the one kept is of another."""
        found = self._of(address, now)
        if found is not None:
            return found
        if not self._lock.acquire(timeout=WAIT):
            raise TimeoutError(f"the answer was not written within {WAIT:.0f} s")
        try:
            found = self._of(address, now)
            if found is None:
                found = make()
                others = [one for one in self._kept.items() if one[0] != address]
                # A new mapping: who reads the old one meanwhile is not disturbed.
                self._kept = dict([*others[-KEPT + 1 :], (address, (now, found))])
        finally:
            self._lock.release()
        return found

    def _of(self, address: str, now: Console) -> Written | None:
        console, written = self._kept.get(address, (None, None))
        return written if console is now else None
