"""The board as its readers get it: rendered once for all who see the same, the last few versions kept."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.template.loader import render_to_string
from django.utils import translation

from monitoring.console.parts import ROOT, Frames, sharing, whole
from monitoring.console.shared import WAIT
from monitoring.console.values import Console
from trading.services.reach import EVERYTHING, Reach, reach_of

#: Versions of each board that a stream can resume from: ten seconds and more.
KEPT = 12
#: Kinds of readers whose boards are kept; more, and the one that changed least recently is forgotten.
READERS = 16
#: What decides which links a board has.
_LINKS = {
    f"trading.{name}"
    for name in (
        *("add_account", "view_account", "view_position", "view_tradingconfig", "view_order"),
        *("view_signal", "view_denial", "view_fill", "view_event", "trade_account"),
        "release_account",
    )
}


@dataclass(frozen=True, slots=True)
class Reader:
    """What two people have in common who see the same board. `rights`: of those that decide about links; `reach`: the
    accounts."""

    language: str
    is_staff: bool
    rights: frozenset[str]
    reach: Reach = EVERYTHING

    @property
    def tag(self) -> str:
        """A short name of it, for versions."""
        words = "|".join((self.language, str(self.is_staff), self.reach.tag, *sorted(self.rights)))
        return hashlib.sha256(words.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Board:
    """One version. `id` names content and reader; `html` is the whole, put together for the first who asks."""

    id: str
    frames: Frames

    @cached_property
    def html(self) -> str:
        return whole(self.frames)


class Boards:
    """The newest boards by reader. Any thread may ask; one renders at a time."""

    def __init__(self, render: Callable[[Console, Reader], Frames]) -> None:
        self._render, self._lock = render, threading.Lock()
        self._kept: dict[Reader, tuple[Board, ...]] = {}

    def of(self, now: Console, reader: Reader) -> Board:
        """Return this reader's board of what the console says now. Raises TimeoutError."""
        now = now.within(reader.reach)
        name = f"{now.digest}-{reader.tag}"
        kept = self.kept(reader)
        if kept and kept[-1].id == name:
            return kept[-1]
        if not self._lock.acquire(timeout=WAIT):
            raise TimeoutError(f"the board was not rendered within {WAIT:.0f} s")
        try:
            kept = self.kept(reader)
            if not kept or kept[-1].id != name:
                frames = sharing(kept[-1].frames if kept else {}, self._render(now, reader))
                kept = (*kept, Board(name, frames))[-KEPT:]
            others = [one for one in self._kept.items() if one[0] != reader]
            # A new mapping: who reads the old one meanwhile is not disturbed.
            self._kept = dict([*others[-READERS + 1 :], (reader, kept)])
        finally:
            self._lock.release()
        return kept[-1]

    def kept(self, reader: Reader) -> tuple[Board, ...]:
        """Return the versions kept, the newest last."""
        return self._kept.get(reader, ())


def reader_of(user: AbstractBaseUser | AnonymousUser, language: str) -> Reader:
    """Say what kind of reader a user is."""
    granted = user.get_all_permissions()  # type: ignore[union-attr] # AUTH_USER_MODEL has it
    links = frozenset(granted & _LINKS)
    return Reader(language, bool(user.is_staff), links, reach_of(user))  # type: ignore[union-attr]


def render(now: Console, reader: Reader) -> Frames:
    """Render the board's parts in a reader's language with the links that lead this reader somewhere."""
    frames: dict[str, str] = {}
    rights = dict.fromkeys((right.partition(".")[2] for right in reader.rights), True)
    context = {"console": now, "frames": frames, "user": reader, "perms": {"trading": rights}}
    with translation.override(reader.language):
        frames[ROOT] = render_to_string("monitoring/board.html", context)
    return frames
