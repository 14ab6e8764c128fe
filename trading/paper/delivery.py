"""What becomes of the terminal's requests and messages: the one seam where a test or a simulation makes it misbehave."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

Message = dict[str, Any]

#: `instead` answers this to let a request be performed.
PERFORM: Any = object()


class Delivery:
    """The well-behaved policy: every message once, at once, in order; every query answered with the truth."""

    def arrivals(self, request: Message, now: datetime) -> Sequence[datetime]:
        """Return when a posted request reaches the counter: nothing = lost on the way, later = even if its sender died."""
        return (now,)

    def receipt(self, request: Message) -> bool:
        """Return whether the caller of a posted request is told that it was sent; False: the call returns -1."""
        return True

    def instead(self, request: Message, now: datetime) -> Any:
        """Return an answer that is given without doing what was asked, or PERFORM."""
        return PERFORM

    def answer(self, request: Message, result: Any) -> Any:
        """Return what a request is answered with; for a query None is a failed one, [] an empty one."""
        return result

    def told(self, message: Message, now: datetime) -> Message:
        """Return what a push or a late answer says; never change the message itself."""
        return message

    def times(self, message: Message, now: datetime) -> Sequence[datetime]:
        """Return when a push or a late answer arrives: nothing = lost, two times = doubled, later = delayed."""
        return (now,)

    def happens(self, terminal: Any, now: datetime) -> None:
        """Let something befall the `Terminal` itself, at each step: a restart, a status, an order by somebody's hand."""
