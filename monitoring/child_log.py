"""What a child process says: all of it into a rotating file, the important lines to the operator too."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, TextIO

MEGABYTES, FILES = 10, 5
LONGEST_LINE = 16_384

#: Variables that others set.
NO_COLOR, WINDOWS_TERMINAL = "NO_COLOR", "WT_SESSION"

#: What an operator should see at once; the rest is in the file.
IMPORTANT = re.compile(
    r"(?:^|\s)(?:WARNING|ERROR|CRITICAL|FATAL)\b|^Traceback |^[\w.]*(?:Error|Exception)\b"
)


_COLORS = (36, 32, 33, 35, 34, 96, 92, 95)


def console(stream: TextIO) -> Callable[[str, str], None]:
    """Return a function that writes a line with its process's name in front, in color on a terminal.

    https://no-color.org is honored; a Windows console before Windows Terminal shows no color.
    """
    encoding = stream.encoding or "utf-8"
    has_color = stream.isatty() and not os.environ.get(NO_COLOR)
    if os.name == "nt" and not os.environ.get(WINDOWS_TERMINAL):
        has_color = False

    def show(name: str, line: str) -> None:
        color = _COLORS[sum(name.encode()) % len(_COLORS)]
        prefix = f"\x1b[{color}m{name:>12}\x1b[0m" if has_color else f"{name:>12}"
        with contextlib.suppress(OSError, ValueError):  # the terminal was closed
            # A Chinese console may lack a character; what it has is shown.
            sayable = line.encode(encoding, "replace").decode(encoding)
            stream.write(f"{prefix} | {sayable}\n")
            stream.flush()

    return show


class _LogFile(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Go on without the line: a full disk must not stop the child, which waits until its output is read."""


def copy_output(
    pipe: IO[bytes], path: Path, show: Callable[[str], None], at_end: Callable[[], None]
) -> threading.Thread:
    """Copy what a child writes to its log file, in a thread that ends when the child has closed its output.

    `show` gets the important lines, without their line ends; `at_end` is called when there are no more.
    """
    thread = threading.Thread(
        target=_copy, args=(pipe, path, show, at_end), name=f"log {path.stem}", daemon=True
    )
    thread.start()
    return thread


def _copy(
    pipe: IO[bytes], path: Path, show: Callable[[str], None], at_end: Callable[[], None]
) -> None:
    file = _LogFile(
        path,
        maxBytes=MEGABYTES << 20,
        backupCount=FILES,
        encoding="utf-8",
        delay=True,
        errors="replace",
    )
    try:
        with pipe, contextlib.suppress(OSError, ValueError):
            while data := pipe.readline(LONGEST_LINE):
                line = data.decode("utf-8", "replace").rstrip()
                file.emit(logging.makeLogRecord({"msg": line}))
                if IMPORTANT.search(line):
                    show(line)
    finally:
        file.close()
        at_end()
