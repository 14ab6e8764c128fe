"""`run.json` in MINIQMT_HOME: what is running, and where every command finds it. Standard library only.

It holds the password of the embedded Redis, so only its owner may read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from monitoring.processes import write_whole

NAME = "run.json"
#: The lock of the `up` that runs; it is touched in every round of its supervisor.
LOCK = "up.lock"
#: What the name of an account's gateway begins with; the account's name follows.
GATEWAY = "gateway-"
#: Seconds without such a touch after which nobody keeps the file true.
PATIENCE = 30.0


def read_run_file(home: Path) -> Mapping[str, Any]:
    """Return what the last `up` said; empty when there was none, or nothing that can be read."""
    try:
        content = json.loads((home / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_run_file(home: Path, content: Mapping[str, Any]) -> None:
    """Replace the file at once. Raises OSError."""
    write_whole(home / NAME, json.dumps(content, ensure_ascii=False, indent=1, default=str))


def started_again(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the rows of processes that an `up` started again, the newest of each; what the one before it left, too.

    The next `up` carries them on: an alert about them may not have been made yet.
    """
    rows = [*run.get("earlier", ()), *run.get("processes", ())]
    found = [row for row in rows if isinstance(row, Mapping) and row.get("restarts")]
    return list({row.get("name"): row for row in found}.values())


def held_back(home: Path, real: datetime) -> Sequence[str]:
    """Return the names of the processes that the running `up` keeps down because they ended too often."""
    try:
        silent = real.timestamp() - (home / LOCK).stat().st_mtime
    except OSError:
        return []
    if silent > PATIENCE:  # the file tells of an `up` that is gone
        return []
    rows = read_run_file(home).get("processes", ())
    found = [row for row in rows if isinstance(row, Mapping) and row.get("state") == "held back"]
    return [str(row.get("name")) for row in found]


def redis_url(home: Path) -> str:
    """Return the address of the Redis that `up` runs, empty when it runs none."""
    address = read_run_file(home).get("redis_url")
    return address if isinstance(address, str) else ""
