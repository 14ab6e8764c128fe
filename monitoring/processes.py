"""What a process of ours needs to live among others: an end with its parent, one instance, files written whole."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TextIO

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


if TYPE_CHECKING:
    _LineHandler = logging.StreamHandler[TextIO]
else:  # it takes no type argument at run time
    _LineHandler = logging.StreamHandler

#: Set for children whose standard input is a pipe that ends when their parent is gone: the seconds they then have to end
#: properly.
PARENT_PIPE = "MINIQMT_PARENT_PIPE"
ORPHAN_GRACE = "5"


class AlreadyRunning(Exception):
    """Another process holds this lock."""


@contextlib.contextmanager
def only_instance(path: Path) -> Iterator[None]:
    """Hold the lock of a file. Raises AlreadyRunning. The system frees it however the holder dies."""
    with path.open("ab") as file:
        try:
            _try_lock(file.fileno())
        except OSError:
            raise AlreadyRunning(str(path)) from None
        yield


def write_whole(path: Path, text: str) -> None:
    """Replace a file's content at once, so that nobody reads half of it; only its owner may read it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def on_stop_signals(stop: Callable[[], None]) -> None:
    """Call `stop` for Ctrl-C, SIGTERM and Windows' Ctrl-Break. It runs inside the handler: set a flag, no more."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, handle)


class LogLines(_LineHandler):
    """Writes log lines to a stream. One that cannot be written is left out: the stream may have been closed."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say on the same stream what is wrong with a line, where that is possible."""
        with contextlib.suppress(OSError, ValueError):
            super().handleError(record)


def show_what_the_console_can() -> None:
    """Let a console or a log file of another encoding (GBK, cp1252) replace what it lacks: no word ends a process.

    Windows hands pipes and files the code page of its language, and Python "surrogateescape", which is as strict with
    characters; what goes there is UTF-8 like every file of ours, unless PYTHONIOENCODING says otherwise.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if (
            sys.platform == "win32"
            and not stream.isatty()
            and "PYTHONIOENCODING" not in os.environ
        ):
            stream.reconfigure(encoding="utf-8")
        if stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")


def exit_with_parent() -> None:
    """End this process properly once the supervisor that started it is gone; does nothing in any other process.

    The supervisor keeps the other end of our standard input open and never writes. However it dies, the system
    closes that end, and we read the end of the file: no polling, and the same on every system.
    """
    # Taken out: a program we start ourselves has another standard input.
    grace = os.environ.pop(PARENT_PIPE, "")
    if grace:
        watch = threading.Thread(
            target=_watch_parent, args=(float(grace),), name="parent", daemon=True
        )
        watch.start()


def _watch_parent(grace: float) -> None:
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 4096):
            pass
    # Only os.kill reaches the main thread when it waits in a system call; on Windows it would kill at once.
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(grace)
    os._exit(1)
