"""A lock per data directory and program: the system frees it when its holder is gone, however it died.

Its holder shows on the lock's file that it still does its work, so that whoever supervises it tells a process that
hangs from one that waits.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


TERMINAL_LOCK, MARKET_DATA_LOCK = "paper.lock", "market_data.lock"
#: Seconds between two signs of life.
SIGN_EVERY = 1.0


class AlreadyRunning(Exception):
    """Another process holds the lock."""


def gateway_lock(account_id: int) -> str:
    """Return the name of the lock of an account's gateway."""
    return f"gateway-{account_id}.lock"


class Alive:
    """Called in every round of the holder's loop: touches the file, at most once a second."""

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._path, self._monotonic = path, monotonic
        self._touched = float("-inf")

    def __call__(self) -> None:
        now = self._monotonic()
        if now - self._touched >= SIGN_EVERY:
            self._touched = now
            with contextlib.suppress(OSError):  # a full disk is no reason to end
                os.utime(self._path)


class SignsOfLife:
    """Whether the file was touched since the last question; no clock is compared with another."""

    def __init__(self, path: Path) -> None:
        self._path, self._seen = path, 0

    def __call__(self) -> bool:
        """Raises OSError when there is no such file."""
        before, self._seen = self._seen, self._path.stat().st_mtime_ns
        return self._seen != before


@contextmanager
def one_instance(path: Path) -> Iterator[Alive]:
    """Hold the lock file of a program. Raises AlreadyRunning at once when another process holds it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.seek(0)  # Windows locks the byte the file stands at
        try:
            _try_lock(file.fileno())
        except OSError:
            raise AlreadyRunning(path) from None
        yield Alive(path)
