"""Who is alive in a data directory, by the files its processes touch every second."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from monitoring.processes import AlreadyRunning, only_instance
from monitoring.run_file import LOCK, read_run_file

#: Every holder touches its lock once a second.
PATIENCE = timedelta(seconds=30)
#: Locks of the processes that trade.
OF_TRADING = ("paper.lock", "market_data.lock", "gateway-*.lock")


class Up(StrEnum):
    """Whether `up` looks after this data directory."""

    RUNS = "runs"
    HANGS = "hangs"
    NONE = "none"


def touched(path: Path, now: datetime) -> timedelta | None:
    """Return how long ago a file was touched, None when it is not there."""
    try:
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None
    return max(now - at, timedelta(0))


def up_state(home: Path, now: datetime) -> Up:
    """Return whether `up` runs. A lock that was touched just now is not tried: who starts then would find it taken."""
    age = touched(home / LOCK, now)
    if age is None:
        return Up.NONE
    if age <= PATIENCE:
        return Up.RUNS if read_run_file(home).get("processes") else Up.NONE
    return Up.HANGS if is_held(home / LOCK) else Up.NONE


def is_held(path: Path) -> bool:
    """Whether a process holds a lock."""
    try:
        with only_instance(path):
            return False
    except AlreadyRunning:
        return True
    except OSError:
        return False


def alive(home: Path, now: datetime) -> Iterator[str]:
    """Yield the names of the processes that trade and have just given a sign of life."""
    for pattern in OF_TRADING:
        for path in sorted(home.glob(pattern)):
            age = touched(path, now)
            if age is not None and age <= PATIENCE:
                yield path.stem


def web_port(home: Path) -> int:
    """Return the port `up` says its web has, 0 for none."""
    try:
        return urlsplit(str(read_run_file(home).get("web", ""))).port or 0
    except ValueError:
        return 0
