"""The vendor's own library, imported only where it runs, when it is needed, and without its call to the network."""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

from trading.domain.types import Text
from trading.errors import GatewayUnavailable

#: Seconds that China is ahead of UTC: the library converts by the machine's zone.
CHINA_OFFSET = 8 * 3600
#: The Pythons the library has native parts for.
OLDEST, NEWEST = (3, 11), (3, 13)


@dataclass(frozen=True)
class Machine:
    """What decides whether the library works here. `desktop`: the logged-on user's session; None = not known."""

    windows: bool
    bits: int
    python: tuple[int, int]
    utc_offset: int
    desktop: bool | None


def this_machine() -> Machine:
    """Look at the machine and the Python this process runs on."""
    return Machine(
        windows=os.name == "nt",
        bits=64 if sys.maxsize > 2**32 else 32,
        python=(sys.version_info.major, sys.version_info.minor),
        utc_offset=time.localtime().tm_gmtoff,
        desktop=_is_on_the_desktop(),
    )


def _is_on_the_desktop() -> bool | None:
    """Services live in session 0, whose shared memory is not that of the desktop."""
    if sys.platform == "win32":
        session = ctypes.c_ulong()
        known = ctypes.windll.kernel32.ProcessIdToSessionId(os.getpid(), ctypes.byref(session))
        return session.value != 0 if known else None
    return None


def why_not(machine: Machine) -> Text | None:
    """Say why a live QMT cannot be reached from this machine, and the remedy, or None."""
    if not machine.windows:
        return Text(
            "A live account needs QMT, which runs on Windows only.",
            "实盘账户需要 QMT 客户端，仅支持 Windows。",
        )
    if machine.bits != 64 or not OLDEST <= machine.python <= NEWEST:
        return Text(
            f"xtquant needs a 64-bit Python 3.11, 3.12 or 3.13; this is {machine.python[0]}.{machine.python[1]} with {machine.bits} bits.",
            f"xtquant 需要 64 位 Python 3.11、3.12 或 3.13；当前为 {machine.python[0]}.{machine.python[1]}（{machine.bits} 位）。",
        )
    if machine.utc_offset != CHINA_OFFSET:
        return Text(
            "xtquant converts times by the zone of Windows: set it to (UTC+08:00) Beijing.",
            "xtquant 按 Windows 时区换算时间：请将系统时区设为 (UTC+08:00) 北京。",
        )
    if machine.desktop is False:
        return Text(
            "This process is a Windows service (session 0), from where the client cannot be reached: run it in the session of the logged-on user (Task Scheduler, “only when the user is logged on”).",
            "当前进程是 Windows 服务（会话 0），无法连接客户端：请在已登录用户的会话中运行（任务计划程序选择“只在用户登录时运行”）。",
        )
    return None


def load(name: str) -> ModuleType:
    """Return `xtquant.NAME`. Raises GatewayUnavailable where it cannot work, with the reason and the remedy."""
    problem = why_not(this_machine())
    if problem is not None:
        raise GatewayUnavailable(f"{problem.en} {problem.zh}")
    try:
        with _no_update_check():
            importlib.import_module("xtquant")
        return importlib.import_module(f"xtquant.{name}")
    except (ImportError, OSError) as error:
        raise GatewayUnavailable(f"xtquant cannot be imported: {error}") from error


@contextmanager
def _no_update_check() -> Iterator[None]:
    """Importing xtquant asks PyPI for a newer release, for up to 10 s; without this module it gives that up."""
    absent = "pkg_resources"
    known = sys.modules.get(absent)
    sys.modules[absent] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[absent]
        if known is not None:
            sys.modules[absent] = known
