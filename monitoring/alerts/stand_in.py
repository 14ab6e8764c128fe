"""Tells people while no worker does: `up` starts a round of the alerts apart, every half minute, as long as that lasts.

A worker that is away, or a Redis of somebody else's that is, must not be the reason that nobody hears of it.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from django.conf import settings

from monitoring.alerts.process import start_delivery
from trading.management.progress import WORKER_FINISHED

log = logging.getLogger(__name__)

#: Seconds without one finished task of the worker, which has an alert round every ten; and between two rounds apart:
#: the health tick says nothing at its first look after a minute without one.
PATIENCE, EVERY = 60.0, 30.0


def round_command() -> Sequence[str]:
    """Return what a round apart runs."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), "alerts", "round"]


class StandIn:
    """Called every second or so. `start` begins a round and does not wait for it; it may raise OSError."""

    def __init__(
        self,
        home: Path,
        start: Callable[[Sequence[str]], object] = start_delivery,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mark, self._start, self._monotonic = home / WORKER_FINISHED, start, monotonic
        self._seen, self._due = self._finished(), monotonic() + PATIENCE

    def __call__(self) -> None:
        now, finished = self._monotonic(), self._finished()
        if finished != self._seen:
            self._seen, self._due = finished, now + PATIENCE
        elif now >= self._due:
            self._due = now + EVERY
            try:
                self._start(round_command())
            except OSError as problem:
                log.error("alerts: no round can be started: %s", problem)

    def _finished(self) -> int:
        try:
            return self._mark.stat().st_mtime_ns
        except OSError:
            return 0
