"""Marks that worker and beat leave when they have done something useful, and what their supervisor asks of them.

A process that hangs lives on, and so does a thread of it that touches a file: only work that was finished counts.
Standard library only; no clock is compared with another.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

#: In the data directory: a task was finished; beat has gone through its entries; beat has sent a task.
WORKER_FINISHED, BEAT_TURNED, BEAT_SENT = "worker.finished", "beat.turned", "beat.sent"


def mark(path: Path) -> None:
    """Note that it happened just now; a full disk is no reason to fail."""
    with contextlib.suppress(OSError):
        path.touch()


class Answers:
    """Whether somebody does what it is asked to: false from a request on until something is finished after it.

    Without a request there is nothing to finish: who has no work is not taken for one that hangs.
    """

    def __init__(self, asked: Path, finished: Path) -> None:
        self._asked, self._finished = asked, finished
        self._seen = _touched(asked), _touched(finished)
        self._owes = False

    def __call__(self) -> bool:
        before, self._seen = self._seen, (_touched(self._asked), _touched(self._finished))
        if self._seen[1] != before[1]:
            self._owes = False
        elif self._seen[0] != before[0]:
            self._owes = True
        return not self._owes


def _touched(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
