"""A process to run: what is said of it, how it is started and asked to end, on Linux and Windows. Standard library only.

Windows has no SIGTERM between processes: there Ctrl-Break is what asks a child to end.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from monitoring.processes import ORPHAN_GRACE, PARENT_PIPE
from monitoring.weight import Weight

#: How much nicer a process is that yields: it still gets a third of what another one gets of the same processor.
NICER = 5


class State(StrEnum):
    """Where a child is in its life."""

    WAITING = "waiting"  # not started yet
    STARTING = "starting"  # started, not ready
    RUNNING = "running"
    BACKING_OFF = "backing off"  # ended by itself, starts again soon
    HELD_BACK = "held back"  # ended too often: starts again when its budget allows it
    STOPPED = "stopped"


@dataclass(frozen=True)
class ProcessSpec:
    """A process to run. Times in seconds.

    `ready` is asked again and again until it is true; the next process waits for it, at most `ready_within`.
    `alive` is asked every `alive_every`; a child for which it was false for `alive_within` is killed and started again.
    It asks for progress, of whichever process runs under that name now: no object of an earlier one is kept.
    `stop` asks the child to end, and may fail; without it the child gets SIGTERM (Windows: Ctrl-Break). One that has
    not ended after `stop_within` is killed. Children of one `stage` stop together, a higher stage first; without
    any, a child stops before those that were started before it. An `essential` one must become ready at the start.
    One that holds more than `ceiling` bytes for long is asked to end and started again (0: never). While `calm` is
    false something is under way that a stop should wait for, within limits. One that `yields` gets the processor when
    no other wants it: whoever only looks must not slow down what trades.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    ready: Callable[[], bool] | None = None
    ready_within: float = 20.0
    alive: Callable[[], bool] | None = None
    alive_every: float = 5.0
    alive_within: float = 30.0
    stop: Callable[[], None] | None = None
    stop_within: float = 5.0
    stage: int | None = None
    essential: bool = False
    ceiling: int = 0
    calm: Callable[[], bool] | None = None
    yields: bool = False


@dataclass(frozen=True)
class ProcessStatus:
    """One process as others see it. `last_exit`: its last exit code, negative = ended by that signal.

    `hung`: it had shown no progress before its last end, so that it was we who killed it; `heavy`: it held too much
    memory, in MB. `due`: when one that is held back starts again. `born`: which process of this number it is.
    """

    name: str
    state: State
    pid: int | None
    since: datetime | None
    restarts: int
    last_exit: int | None
    hung: bool = False
    heavy: int = 0
    due: datetime | None = None
    born: str = ""

    def as_row(self) -> dict[str, object]:
        """Return what JSON can carry."""
        since = None if self.since is None else self.since.isoformat()
        due = None if self.due is None else self.due.isoformat()
        return {**asdict(self), "since": since, "due": due}


class Child:
    """One process of a supervisor, over all its starts. Moments are of its monotonic timer."""

    def __init__(self, spec: ProcessSpec, stage: int) -> None:
        self.spec, self.stage = spec, stage
        self.state = State.WAITING
        self.process: subprocess.Popen[bytes] | None = None
        self.since: datetime | None = None
        self.started_at = 0.0
        self.alive_at = 0.0
        self.asked_at = 0.0  # whether it is alive
        self.start_at = 0.0  # when it is due again
        self.ends_in_a_row = 0
        self.restarts = 0
        self.last_exit: int | None = None
        self.is_hung = self.was_hung = False
        self.weight = Weight(spec.ceiling, 0.0)
        self.heavy = self.was_heavy = 0  # MB
        self.asked_to_end_at = 0.0
        self.leaving_since = 0.0
        self.due: datetime | None = None
        self.born = ""

    @property
    def is_up(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def status(self) -> ProcessStatus:
        pid = self.process.pid if self.process is not None and self.is_up else None
        return ProcessStatus(
            self.spec.name,
            self.state,
            pid,
            self.since,
            self.restarts,
            self.last_exit,
            self.was_hung,
            self.was_heavy,
            self.due,
            self.born if pid is not None else "",
        )


def spawn(
    argv: Sequence[str],
    environment: Mapping[str, str],
    folder: Path | None,
    yields: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a child whose output is a pipe, and which ends with us. Raises OSError."""
    # A group of its own: Ctrl-C in the terminal reaches us alone, and we stop the children in order.
    group: dict[str, Any] = {"start_new_session": True}
    argv, environment = past_the_launcher(argv, environment)
    if sys.platform == "win32":
        lower = subprocess.BELOW_NORMAL_PRIORITY_CLASS if yields else 0
        group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | lower}
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env={
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
            PARENT_PIPE: ORPHAN_GRACE,
            **environment,
        },
        stdin=subprocess.PIPE,  # nobody writes: its end tells the child that we are gone
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **group,
    )
    if yields and sys.platform != "win32":
        yield_to_others(process.pid)
    return process


def past_the_launcher(
    argv: Sequence[str], environment: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Return command and environment of the process itself.

    On Windows a virtual environment's python.exe only starts the real one. That one is ours to weigh and to end; the
    variable tells it of its environment (as multiprocessing does).
    """
    if sys.platform == "win32" and argv[0] == sys.executable:
        python = getattr(sys, "_base_executable", sys.executable)
        return [python, *argv[1:]], {**environment, "__PYVENV_LAUNCHER__": sys.executable}
    return list(argv), {**environment}


def yield_to_others(pid: int) -> None:
    """Let a child that has just been started, and all it starts, come after others of this user. POSIX."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # it is gone already
            os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + NICER)


def ask_to_end(process: subprocess.Popen[bytes]) -> None:
    """Ask a child to end in order; one that is gone already does not mind."""
    with contextlib.suppress(OSError):
        if sys.platform != "win32":
            process.terminate()
        elif process.stdin is not None:
            # Not CTRL_BREAK: it needs a console, which `up` has none of when Windows starts it, and where it cannot be
            # delivered Python kills the child at once. The end of its input tells the child what our own end would.
            process.stdin.close()


def close_pipes(process: subprocess.Popen[bytes] | None) -> None:
    """Let go of what we hold of a child that has ended."""
    if process is not None and process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
