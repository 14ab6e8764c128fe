"""When and how often the terminal's messages arrive: the one seam where a test or a simulation makes it misbehave."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

Message = dict[str, Any]


class Delivery:
    """The well-behaved policy: every message once, at once, in order; every query answered with the truth."""

    def arrivals(self, request: Message, now: datetime) -> Sequence[datetime]:
        """Return when a posted request reaches the counter: nothing = lost on the way, later = even if its sender died."""
        return (now,)

    def times(self, message: Message, now: datetime) -> Sequence[datetime]:
        """Return when a push or a late answer arrives: nothing = lost, two times = doubled, later = delayed."""
        return (now,)

    def answer(self, request: Message, result: Any) -> Any:
        """Return what a query is answered with; None is a failed query, [] an empty one."""
        return result
