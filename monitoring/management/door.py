"""Where people come in: web server and Flower, each at a port of its own, and at another one when that was taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from monitoring.child_process import ProcessSpec, ProcessStatus, State
from monitoring.loopback import HOST, answers, free_port

_ENDED = (State.BACKING_OFF, State.HELD_BACK)


class Door:
    """A process that serves people; `make` says how it runs at a port, `first` is the port that is tried first."""

    def __init__(self, name: str, first: int, make: Callable[[int], ProcessSpec]) -> None:
        self.name, self._make = name, make
        self.port = free_port(first)

    def spec(self) -> ProcessSpec:
        """Return how it runs now."""
        return self._make(self.port)

    def moved(self, statuses: Sequence[ProcessStatus]) -> ProcessSpec | None:
        """Return how it runs at another port, where another program answers at its own and it ended for that.

        A port is chosen some seconds before it is used: two `up` of two data directories, started by one log-on, may
        choose the same.
        """
        has_ended = any(one.name == self.name and one.state in _ENDED for one in statuses)
        if has_ended and answers(self.port):
            with suppress(OSError):  # every port is taken: it is asked again
                self.port = free_port(self.port)
                return self.spec()
        return None


@dataclass(frozen=True)
class Doors:
    """All of them, and the password of the first person."""

    all: Sequence[Door]
    password: str
    is_new: bool  # the password was made just now

    def address(self, name: str) -> str:
        """Return where it is; an empty text: it is not served here."""
        ports = [door.port for door in self.all if door.name == name]
        return f"http://{HOST}:{ports[0]}/" if ports else ""
