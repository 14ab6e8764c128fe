"""A lock per data directory and program: the system frees it when its holder is gone, however it died."""

from __future__ import annotations

import sys
from collections.abc import Iterator
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


class AlreadyRunning(Exception):
    """Another process holds the lock."""


@contextmanager
def one_instance(path: Path) -> Iterator[None]:
    """Hold the lock file of a program. Raises AlreadyRunning at once when another process holds it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.seek(0)  # Windows locks the byte the file stands at
        try:
            _try_lock(file.fileno())
        except OSError:
            raise AlreadyRunning(path) from None
        yield
