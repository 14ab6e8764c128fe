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

    class _Entry(ctypes.Structure):
        _fields_ = [
            *(("dwSize", wintypes.DWORD), ("cntUsage", wintypes.DWORD)),
            *(("th32ProcessID", wintypes.DWORD), ("th32DefaultHeapID", ctypes.c_size_t)),
            *(("th32ModuleID", wintypes.DWORD), ("cntThreads", wintypes.DWORD)),
            *(("th32ParentProcessID", wintypes.DWORD), ("pcPriClassBase", wintypes.LONG)),
            *(("dwFlags", wintypes.DWORD), ("szExeFile", wintypes.WCHAR * 260)),
        ]

    def resident_bytes(pid: int) -> int | None:
        """Return the bytes a process holds in memory, None when it is gone or nobody may know.

        In a virtual environment it is a small starter, and the interpreter its child: they count together.
        """
        held = _held(pid)
        if held is None:
            return None
        return held + sum(_held(child) or 0 for child in _interpreters_below(pid))

    def _interpreters_below(pid: int) -> list[int]:
        kernel = ctypes.WinDLL("kernel32")
        kernel.CreateToolhelp32Snapshot.restype = wintypes.HANDLE
        snapshot = kernel.CreateToolhelp32Snapshot(0x2, 0)  # of all processes
        if snapshot in (None, wintypes.HANDLE(-1).value):
            return []
        try:
            entry, found = _Entry(), []
            entry.dwSize = ctypes.sizeof(entry)
            more = kernel.Process32FirstW(wintypes.HANDLE(snapshot), ctypes.byref(entry))
            while more:
                is_python = entry.szExeFile.lower().startswith("python")
                if is_python and entry.th32ParentProcessID == pid:
                    found.append(int(entry.th32ProcessID))
                more = kernel.Process32NextW(wintypes.HANDLE(snapshot), ctypes.byref(entry))
            return found
        finally:
            kernel.CloseHandle(wintypes.HANDLE(snapshot))

    def _held(pid: int) -> int | None:
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
