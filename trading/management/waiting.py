"""How a process of ours waits: until its next step is due, a nudge comes, or somebody asks it to stop."""

from __future__ import annotations

import logging
import signal
import sys
import time
from queue import Empty, SimpleQueue
from types import FrameType

from django.db import DatabaseError, connection

log = logging.getLogger(__name__)

STOP_SIGNALS = ("SIGTERM", "SIGINT", "SIGBREAK")
#: On Windows a waiting main thread hears of a signal only when its wait is over.
SLICE = 0.5 if sys.platform == "win32" else 60.0
#: Seconds a start waits for a database server that does not answer, and between two tries.
DATABASE_WITHIN, DATABASE_AGAIN = 20.0, 1.0


class StopSignal:
    """Whether SIGTERM, Ctrl-C or, on Windows, Ctrl-Break has come. `wait` may be cut short by `wake`, from any thread."""

    def __init__(self) -> None:
        self._came = False
        # Unlike an Event, this queue may be used by a signal handler while the same thread waits for it.
        self._calls: SimpleQueue[None] = SimpleQueue()
        for name in STOP_SIGNALS:
            number = getattr(signal, name, None)
            if number is not None:
                signal.signal(number, self._take)

    def asked(self) -> bool:
        return self._came

    def wake(self) -> None:
        """Cut the present wait short, or the next one."""
        self._calls.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until woken or asked to stop; True when woken."""
        until = time.monotonic() + seconds
        while not self._came and (left := until - time.monotonic()) > 0:
            try:
                self._calls.get(timeout=min(left, SLICE))
            except Empty:
                continue
            while not self._calls.empty():
                self._calls.get_nowait()
            return not self._came
        return False

    def _take(self, number: int, frame: FrameType | None) -> None:
        self._came = True
        self._calls.put(None)


def await_database() -> None:
    """Wait for a server that cannot be reached: the line to it may be down. Returns when it answers, or after 20 s;
    whoever asks it next then hears why.
    """
    if connection.vendor == "sqlite":
        return
    ends, told = time.monotonic() + DATABASE_WITHIN, False
    while True:
        try:
            connection.ensure_connection()
            return
        except DatabaseError as problem:
            if time.monotonic() > ends:
                return
            if not told:
                log.warning(
                    "the database cannot be reached, nothing is sent until it can: %s", problem
                )
                told = True
        time.sleep(DATABASE_AGAIN)  # noqa: TID251 - before there is anything to do
