"""How often processes may be started again: a budget for each, kept in MINIQMT_HOME. Standard library only.

An `up` that is killed and started again itself, over and over, goes on with what the one before it had left.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from monitoring.processes import write_whole

NAME = "restarts.json"
#: A process may be started again so often at once, and once more for every `REFILL` that passes.
MOST = 30
REFILL = timedelta(minutes=1)

Tell = Callable[[str], None]


class Restarts:
    """The budgets of all processes. `path` None: kept in memory only. Times are real, with a time zone.

    A file that cannot be read or written is told, and never stops anybody.
    """

    def __init__(self, path: Path | None = None, tell: Tell = lambda _line: None) -> None:
        self._path, self._tell = path, tell
        self._left: dict[str, tuple[float, datetime]] = {}
        #: Whether the last `up` ended without having been asked to: each start counts as one again.
        self.after_a_crash = False
        if path is not None:
            self._read(path)

    def begin(self) -> None:
        """Note that an `up` runs now."""
        self._write(in_order=False)

    def end(self) -> None:
        """Note that it was asked to end: the next one owes nothing for its first starts."""
        self._write(in_order=True)

    def left(self, name: str, now: datetime) -> float:
        """Return how often the process may be started again at this moment."""
        left, at = self._left.get(name, (float(MOST), now))
        passed = max(now - at, timedelta(0))  # the clock may have been set back
        return min(left + passed / REFILL, float(MOST))

    def take(self, name: str, now: datetime) -> timedelta:
        """Take one and return zero, or return how long the process has to wait for the next."""
        left = self.left(name, now)
        if left < 1:
            return (1 - left) * REFILL
        self._left[name] = (left - 1, now)
        self._write(in_order=False)
        return timedelta(0)

    def _read(self, path: Path) -> None:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            self._left = {
                str(name): (min(max(float(left), 0.0), float(MOST)), _moment(at))
                for name, (left, at) in content["left"].items()
            }
            self.after_a_crash = content["in_order"] is not True
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as problem:
            self._left = {}
            self._tell(
                f"WARNING {path} cannot be read ({problem!r}): every process may be started again {MOST} times."
                f" 无法读取该文件，各进程的重启额度恢复为 {MOST} 次。"
            )

    def _write(self, in_order: bool) -> None:
        if self._path is None:
            return
        left = {name: [left, at.isoformat()] for name, (left, at) in self._left.items()}
        try:
            write_whole(self._path, json.dumps({"in_order": in_order, "left": left}, indent=1))
        except OSError as problem:  # a full disk: it is kept in memory
            self._tell(
                f"WARNING {self._path} cannot be written ({problem}): an `up` that is started again would not know"
                " how often its processes ended. 无法写入该文件，重新启动的 `up` 将不知道各进程的重启次数。"
            )


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without a time zone")
    return at
