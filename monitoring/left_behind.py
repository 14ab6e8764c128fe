"""Processes that a killed `up` left behind and that did not end with it. Standard library only.

A number alone names nobody, for the system gives it to another process later. With its moment of birth it does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

#: Seconds an orphan has to end by itself: it notices at once, and has five.
PATIENCE = 7.0
LOOK_EVERY = 0.05
#: On Windows, which has no SIGKILL, SIGTERM is one.
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    def born(pid: int) -> str:
        """Return what tells a living process from any other that has or had its number; empty when it is not known."""
        kernel = ctypes.WinDLL("kernel32")
        kernel.OpenProcess.restype = wintypes.HANDLE
        handle = kernel.OpenProcess(0x1000, False, pid)  # to ask, no more
        if not handle:
            return ""
        try:
            times = [wintypes.FILETIME() for _ in range(4)]
            status = wintypes.DWORD()
            asked = [ctypes.byref(one) for one in times]
            ok = kernel.GetProcessTimes(wintypes.HANDLE(handle), *asked)
            ok = ok and kernel.GetExitCodeProcess(wintypes.HANDLE(handle), ctypes.byref(status))
            if not ok or status.value != 259:  # it has ended, and somebody still holds it
                return ""
            return f"{times[0].dwHighDateTime:08x}{times[0].dwLowDateTime:08x}"
        finally:
            kernel.CloseHandle(wintypes.HANDLE(handle))

else:

    def born(pid: int) -> str:
        """Return what tells a living process from any other that has or had its number; empty when it is not known."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return ""
        fields = stat.rpartition(")")[2].split()  # a name may hold blanks and parentheses
        return "" if fields[0] == "Z" else f"{boot}:{fields[19]}"


def end_left_behind(
    rows: Iterable[object], tell: Callable[[str, str], None], patience: float = PATIENCE
) -> None:
    """Wait until the processes of these rows of `run.json` have ended, and kill who does not within `patience` seconds.

    Never a process that only has the number of one of them. `tell` gets its name and what was done.
    """
    left = [row for row in rows if isinstance(row, Mapping) and _lives(row)]
    pause, began = threading.Event(), time.monotonic()
    while left and time.monotonic() - began < patience:
        pause.wait(LOOK_EVERY)
        left = [row for row in left if _lives(row)]
    for row in left:
        with contextlib.suppress(OSError):
            os.kill(row["pid"], KILL)
            tell(str(row.get("name")), f"process {row['pid']} of an `up` that is gone: killed")


def _lives(row: Mapping[str, Any]) -> bool:
    pid, known = row.get("pid"), row.get("born")
    return isinstance(pid, int) and pid > 0 and bool(known) and born(pid) == known
