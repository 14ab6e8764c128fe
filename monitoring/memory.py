"""How much memory a process holds, on Linux and Windows. Standard library only."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    class _Counters(ctypes.Structure):
        _fields_ = [
            ("cb", wintypes.DWORD),
            ("PageFaultCount", wintypes.DWORD),
            *(
                (name, ctypes.c_size_t)
                for name in (
                    *("PeakWorkingSetSize", "WorkingSetSize", "QuotaPeakPagedPoolUsage"),
                    *("QuotaPagedPoolUsage", "QuotaPeakNonPagedPoolUsage"),
                    *("QuotaNonPagedPoolUsage", "PagefileUsage", "PeakPagefileUsage"),
                )
            ),
        ]

    def resident_bytes(pid: int) -> int | None:
        """Return the bytes a process holds in memory, None when it is gone or nobody may know."""
        kernel = ctypes.WinDLL("kernel32")
        kernel.OpenProcess.restype = wintypes.HANDLE
        handle = kernel.OpenProcess(0x1000, False, pid)  # to ask, no more
        if not handle:
            return None
        try:
            counters = _Counters()
            counters.cb = ctypes.sizeof(counters)
            ok = kernel.K32GetProcessMemoryInfo(
                wintypes.HANDLE(handle), ctypes.byref(counters), counters.cb
            )
            return int(counters.WorkingSetSize) if ok else None
        finally:
            kernel.CloseHandle(wintypes.HANDLE(handle))

else:

    def resident_bytes(pid: int) -> int | None:
        """Return the bytes a process holds in memory, None when it is gone or nobody may know."""
        try:
            lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
            [line] = [line for line in lines.splitlines() if line.startswith("VmRSS:")]
            return int(line.split()[1]) * 1024
        except (OSError, ValueError, IndexError):
            return None
