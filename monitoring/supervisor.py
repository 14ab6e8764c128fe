"""Starts the processes of the system in order, keeps them running, and stops them in order.

Standard library only, so that it stays small. It ends only what it started. One thread steps; one thread a child
copies its output.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from monitoring.child_log import copy_output
from monitoring.child_process import (
    Child,
    ProcessSpec,
    ProcessStatus,
    State,
    ask_to_end,
    close_pipes,
    spawn,
)
from monitoring.left_behind import born
from monitoring.memory import resident_bytes
from monitoring.processes import on_stop_signals
from monitoring.restarts import Restarts
from monitoring.weight import Verdict, Weight

__all__ = ["ProcessSpec", "ProcessStatus", "StartError", "State", "Supervisor"]

#: Seconds between two starts of a child, by how often it has ended in a row. One that ran longer before it ended
#: waits the first of them only. Killed five times at once it is still back within ten seconds, its start included.
BACKOFF = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0)
#: Seconds after which a child has proved that it runs; its next end counts as the first.
PROVED = 60.0
#: Questions left out in a row after which it was the supervisor that stood still, and not the child.
AWAY = 4.0
#: Seconds between two looks at the children; the end of a child's output wakes the supervisor at once.
LOOK_EVERY = 1.0
#: Seconds between two looks while starting and stopping.
LOOK_CLOSELY = 0.05
#: Seconds a killed child has before the system is not waited for any longer.
KILLED_WITHIN = 5.0
#: Seconds a stop waits for what a child has under way.
CALM_AT_STOP = 5.0
_ON_THE_WAY = (State.WAITING, State.STARTING, State.BACKING_OFF)

Monotonic = Callable[[], float]


class StartError(Exception):
    """An essential process did not become ready; everything started so far was stopped."""


class Supervisor:
    """Runs the given processes. `step` does what is due and returns; `run` steps until it is told to stop.

    `publish` is called with the state of all processes whenever it changed. `show` gets lines for the operator:
    the name of a process, and what happened. `alive` is called at every step. `wall` gives the time of day for people
    and budgets, `monotonic` the seconds everything else here is counted in. `weigh` says how many bytes a process holds.
    """

    def __init__(
        self,
        specs: Iterable[ProcessSpec],
        logs: Path,
        *,
        wall: Callable[[], datetime],
        monotonic: Monotonic = time.monotonic,
        publish: Callable[[Sequence[ProcessStatus]], None] = lambda _statuses: None,
        show: Callable[[str, str], None] = lambda _name, _line: None,
        alive: Callable[[], None] = lambda: None,
        restarts: Restarts | None = None,
        weigh: Callable[[int], int | None] = resident_bytes,
    ) -> None:
        self._children = [
            Child(spec, place if spec.stage is None else spec.stage)
            for place, spec in enumerate(specs)
        ]
        self._logs, self._wall, self._monotonic = logs, wall, monotonic
        self._leaving: list[Child] = []
        self._publish, self._show, self._alive = publish, show, alive
        self._restarts, self._weigh = restarts or Restarts(), weigh
        self._published: tuple[ProcessStatus, ...] = ()
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stops_wanted = 0
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)

    def statuses(self) -> tuple[ProcessStatus, ...]:
        """Return the state of all processes, in the order they start."""
        return tuple(child.status() for child in self._children)

    def keep(self, begins: str, specs: Iterable[ProcessSpec]) -> None:
        """Of the processes whose names begin so, run these from now on: new ones start, the others end in order.

        Call it from the thread that steps.
        """
        wanted = {spec.name: spec for spec in specs}
        for child in [one for one in self._children if one.spec.name.startswith(begins)]:
            spec = wanted.get(child.spec.name)
            if spec is not None and spec.argv == child.spec.argv:
                del wanted[spec.name]
                continue
            child.leaving_since = self._monotonic()
            self._children.remove(child)
            self._leaving.append(child)
        self._children += [Child(spec, spec.stage or 0) for spec in wanted.values()]

    def want_stop(self) -> None:
        """Make `run` stop everything; asked twice, it kills what is left at once. Safe in a signal handler."""
        self._stops_wanted += 1
        self._wakes.put(None)

    def run(self) -> None:
        """Start everything, keep it running until a stop signal, stop everything. Raises StartError."""
        on_stop_signals(self.want_stop)
        self._restarts.begin()
        try:
            while not self._stops_wanted:
                self.step()
                self._wait(LOOK_CLOSELY if self._is_starting() else LOOK_EVERY)
            self._restarts.end()
        finally:
            self.stop()

    def step(self) -> None:
        """Do what is due: start the next, notice the ready, the ended and the hung, start again. Raises StartError."""
        now = self._monotonic()
        self._alive()
        for child in list(self._leaving):
            self._see_off(child, now)
        for child in self._children:
            if child.state is State.WAITING and self._may_start_first(child, now):
                self._start(child)
            self._look_at(child, now)
            if child.state is State.STARTING and child.restarts == 0:
                break  # the others wait for this one
        self._tell()

    def stop(self) -> None:
        """Stop everything, the last started first, each within its own time; safe to call twice."""
        children = [*self._children, *self._leaving]
        for stage in sorted({child.stage for child in children}, reverse=True):
            self._stop_together([child for child in children if child.stage == stage])
        self._tell()

    # --- one child ---

    def _start(self, child: Child) -> None:
        spec, now = child.spec, self._monotonic()
        child.started_at = child.alive_at = now
        child.since = self._wall()
        try:
            child.process = spawn(spec.argv, spec.env, spec.folder, spec.yields)
        except OSError as problem:
            self._show(spec.name, f"cannot start: {problem}")
            self._ended(child, None)
            return
        child.state, child.due, child.born = State.STARTING, None, born(child.process.pid)
        child.weight, child.heavy = Weight(spec.ceiling, now), 0
        self._show(spec.name, f"started, process {child.process.pid}")
        output = child.process.stdout
        if output is not None:
            copy_output(
                output,
                self._logs / f"{spec.name}.log",
                lambda line: self._show(spec.name, line),
                lambda: self._wakes.put(None),
            )

    def _look_at(self, child: Child, now: float) -> None:
        if child.state in (State.STARTING, State.RUNNING):
            if child.process is not None and not child.is_up:
                self._ended(child, child.process.returncode)
            elif child.state is State.STARTING:
                self._await_ready(child, now)
            else:
                self._check_alive(child, now)
                self._check_weight(child, now)
        elif child.state not in (State.BACKING_OFF, State.HELD_BACK) or now < child.start_at:
            return
        elif self._may_start_again(child, now):
            child.restarts += 1
            self._start(child)

    def _may_start_first(self, child: Child, now: float) -> bool:
        # Without an essential one nothing runs at all, and `up` itself ends when it does not get ready.
        if child.spec.essential or not self._restarts.after_a_crash:
            return True
        return self._may_start_again(child, now)

    def _may_start_again(self, child: Child, now: float) -> bool:
        wait = self._restarts.take(child.spec.name, self._wall())
        if not wait:
            return True
        if child.state is not State.HELD_BACK:
            name = child.spec.name
            self._show(
                name,
                f"ERROR ended too often: held back for now; the end of logs/{name}.log says why",
            )
        child.state, child.due = State.HELD_BACK, self._wall() + wait
        child.start_at = now + wait.total_seconds()
        return False

    def _await_ready(self, child: Child, now: float) -> None:
        spec = child.spec
        if spec.ready is None or _holds(spec.ready):
            child.state, child.alive_at = State.RUNNING, now
        elif now - child.started_at >= spec.ready_within:
            if spec.essential and child.restarts == 0:
                raise StartError(f"{spec.name} was not ready within {spec.ready_within:.0f} s")
            self._show(spec.name, f"not ready after {spec.ready_within:.0f} s")
            child.state, child.alive_at = State.RUNNING, now

    def _check_alive(self, child: Child, now: float) -> None:
        spec = child.spec
        if spec.alive is None or now - child.asked_at < spec.alive_every:
            return
        if now - child.asked_at >= AWAY * spec.alive_every:
            child.alive_at = now  # it is we who were away: asleep with the machine, or stopped
        child.asked_at = now
        if _holds(spec.alive):
            child.alive_at = now
        elif now - child.alive_at >= spec.alive_within and child.process is not None:
            self._show(spec.name, f"no progress for {spec.alive_within:.0f} s: killed")
            child.process.kill()
            child.alive_at, child.is_hung = now, True

    def _check_weight(self, child: Child, now: float) -> None:
        if child.process is None:
            return
        if child.heavy:  # it was asked to end
            if now - child.asked_to_end_at >= child.spec.stop_within:
                child.process.kill()
            return
        if not child.weight.is_due(now):
            return
        verdict = child.weight.weigh(self._weigh(child.process.pid), now)
        name = child.spec.name
        if verdict is Verdict.STAYS or self._restarts.left(name, self._wall()) < 1:
            return
        if verdict is Verdict.WHEN_CALM and not _is_calm(child.spec):
            return
        child.heavy, child.asked_to_end_at = child.weight.held >> 20, now
        self._show(
            name,
            f"holds {child.heavy} MB, more than {child.spec.ceiling >> 20}: ends and starts again",
        )
        _ask_to_end(child)

    def _ended(self, child: Child, code: int | None) -> None:
        now = self._monotonic()
        is_first = child.restarts == 0 and child.state in (State.WAITING, State.STARTING)
        if child.spec.essential and is_first:
            raise StartError(f"{child.spec.name} ended with {code} before it was ready")
        close_pipes(child.process)
        has_proved = now - child.started_at >= PROVED
        child.ends_in_a_row = 1 if has_proved else child.ends_in_a_row + 1
        delay = BACKOFF[min(child.ends_in_a_row, len(BACKOFF)) - 1]
        child.state, child.last_exit, child.process = State.BACKING_OFF, code, None
        child.was_hung, child.is_hung = child.is_hung, False
        child.was_heavy, child.heavy = child.heavy, 0
        child.start_at = max(now + BACKOFF[0], child.started_at + delay)
        wait = child.start_at - now
        self._show(child.spec.name, f"ended with {code}; starts again in {wait:.1f} s")

    def _see_off(self, child: Child, now: float) -> None:
        if child.process is None or not child.is_up:
            close_pipes(child.process)
            self._leaving.remove(child)
            self._show(child.spec.name, "is not wanted any more: stopped")
        elif not child.asked_to_end_at:
            if _is_calm(child.spec) or now - child.leaving_since >= CALM_AT_STOP:
                child.asked_to_end_at = now
                _ask_to_end(child)
        elif now - child.asked_to_end_at >= child.spec.stop_within:
            child.process.kill()

    # --- stopping ---

    def _stop_together(self, children: Sequence[Child]) -> None:
        self._await_calm([child for child in children if child.is_up])
        asked_at = time.monotonic()
        for child in children:
            _ask_to_end(child)
        while self._stops_wanted < 2 and any(
            child.is_up and time.monotonic() - asked_at < child.spec.stop_within
            for child in children
        ):
            self._wait(LOOK_CLOSELY)
        for child in children:
            if child.process is not None and child.is_up:
                self._show(child.spec.name, "did not stop in time: killed")
                child.process.kill()
        killed_at = time.monotonic()
        while (
            any(child.is_up for child in children) and time.monotonic() - killed_at < KILLED_WITHIN
        ):
            self._wait(LOOK_CLOSELY)
        for child in children:
            if child.process is not None:
                child.last_exit = child.process.poll()
                close_pipes(child.process)
                self._show(child.spec.name, f"stopped, exit code {child.last_exit}")
            child.process, child.state = None, State.STOPPED

    def _await_calm(self, children: Sequence[Child]) -> None:
        began = time.monotonic()
        busy = [child for child in children if not _is_calm(child.spec)]
        while busy and self._stops_wanted < 2 and time.monotonic() - began < CALM_AT_STOP:
            self._wait(LOOK_CLOSELY)
            busy = [child for child in busy if child.is_up and not _is_calm(child.spec)]
        for child in busy:
            self._show(
                child.spec.name,
                "WARNING stops with something under way: the next start finds out what became of it",
            )

    # --- the rest ---

    def _is_starting(self) -> bool:
        return any(child.state in _ON_THE_WAY for child in self._children)

    def _wait(self, seconds: float) -> None:
        with contextlib.suppress(queue.Empty):
            self._wakes.get(timeout=seconds)

    def _tell(self) -> None:
        statuses = self.statuses()
        if statuses == self._published:
            return
        try:
            self._publish(statuses)
            self._published = statuses
        except OSError as problem:  # a full disk: said again at the next look
            self._show("supervisor", f"cannot write its state: {problem}")


def _holds(question: Callable[[], bool]) -> bool:
    """Ask a question from outside; one that fails is answered no."""
    try:
        return question()
    except Exception:  # noqa: BLE001 - the supervisor must outlive every hook
        return False


def _ask_to_end(child: Child) -> None:
    if child.process is None or not child.is_up:
        return
    if child.spec.stop is not None:
        with contextlib.suppress(Exception):  # whatever went wrong, a signal is next
            child.spec.stop()
            return
    ask_to_end(child.process)


def _is_calm(spec: ProcessSpec) -> bool:
    return spec.calm is None or _holds(spec.calm)
