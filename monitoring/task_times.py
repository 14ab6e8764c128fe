"""How long tasks took, as the worker that ran them says: a file, written now and then. Standard library only."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from monitoring.processes import write_whole

NAME = "task-times.json"
#: Seconds between two writings.
EVERY = 15.0


class TaskTimes:
    """Takes the time of each task; one object a worker, used by all its threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._written = 0.0

    def begin(self, task_id: str) -> None:
        self._begun[task_id] = time.monotonic()

    def end(self, task_id: str, name: str) -> None:
        now, began = time.monotonic(), self._begun.pop(task_id, None)
        if began is None:
            return
        self._took[name] = now - began
        if now - self._written >= EVERY:
            self._written = now
            with suppress(OSError):  # only how long they took is not known
                write_whole(self._path, json.dumps(dict(self._took)))


def read_task_times(home: Path) -> Mapping[str, float]:
    """Return how many seconds each task took last, by name; empty where no worker has run."""
    try:
        said = json.loads((home / NAME).read_text(encoding="utf-8"))
        return {str(name): float(took) for name, took in said.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
