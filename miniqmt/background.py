"""`pythonw -m miniqmt.background HOME COMMAND…`: a command of ours without a window, as the Task Scheduler starts it.

pythonw has no console, and what the command starts would each open one of its own: it gets one that nobody sees. What
it says goes to HOME/logs/COMMAND.log. It ends with this process, and its exit code is ours. Standard library only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitoring.child_log import copy_output
from monitoring.processes import PARENT_PIPE, on_stop_signals

ROOT = Path(__file__).resolve().parent.parent
#: Seconds between two looks whether somebody wants us to stop.
LOOK_EVERY = 1.0
#: Seconds the command has to end when we do: `up` stops all it runs, in order.
STOP_WITHIN = "60"


def run(home: Path, words: Sequence[str]) -> int:
    """Run a command of `manage.py` until it ends; returns its exit code. Raises OSError when it cannot be started."""
    logs = home / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    hidden: dict[str, Any] = {}
    if sys.platform == "win32":
        hidden["creationflags"] = subprocess.CREATE_NO_WINDOW
    known = {
        "MINIQMT_HOME": str(home),
        PARENT_PIPE: STOP_WITHIN,
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
    }
    child = subprocess.Popen(
        [str(_with_console(Path(sys.executable))), str(ROOT / "manage.py"), *words],
        cwd=ROOT,
        env={**os.environ, **known},
        stdin=subprocess.PIPE,  # its end tells the command that we are gone
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **hidden,
    )
    if child.stdin is None or child.stdout is None:
        raise OSError("no pipe to the command")
    copied = copy_output(child.stdout, logs / f"{words[0]}.log", _hear_nothing, _nothing)
    on_stop_signals(child.stdin.close)
    while True:
        try:
            code = child.wait(timeout=LOOK_EVERY)
        except subprocess.TimeoutExpired:
            continue
        copied.join(timeout=5)
        return code


def _with_console(python: Path) -> Path:
    return python.with_name("python.exe") if python.name.lower() == "pythonw.exe" else python


def _hear_nothing(_line: str) -> None:
    """There is nobody to show it to."""


def _nothing() -> None:
    """The file has all of it."""


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), sys.argv[2:]))
