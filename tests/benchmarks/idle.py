"""The whole stack while the market is closed: CPU as percent of one core, and memory.

`up` with web server and Flower on the embedded Redis (or `redis-server` where there is one), with the demo's account
and holdings, on a day without a session: the paper terminal was started with `--start` on it. After everything has
come up and settled, the CPU time of `up` and all its processes is read from /proc at the start and at the end of the
measured time. Memory is PSS (shared pages are shared out), at the end. Linux only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tests.benchmarks.ground import Ground, wait_for
from tests.benchmarks.measured import Case, Target
from tests.benchmarks.whole_stack import (
    UP_WITHIN,
    Usage,
    family_of,
    need_proc,
    run_terminal_until_ready,
    running,
    usage_of,
)
from trading.domain.types import CHINA
from trading.services.calendar import load_calendar


@dataclass(frozen=True)
class Parameters:
    seconds: float = 120.0
    settle: float = 30.0
    options: tuple[str, ...] = ()


PARAMETERS = Parameters()
QUICK = Parameters(seconds=2.0, settle=1.0, options=("--no-web", "--no-flower"))

#: Percent of one core, and MB.
CPU, MEMORY = 1.5, 550.0


def run(ground: Ground, parameters: Parameters) -> Iterator[Case]:
    need_proc()
    ground.fresh()
    run_terminal_until_ready(ground.home, "--start", f"{_closed_day()}T08:00:00")
    with running(ground.home, *parameters.options) as stack:
        wait_for(stack.all_run, UP_WITHIN, "the start")
        time.sleep(parameters.settle)
        names = {pid: name for name, pid in stack.children().items()}
        names[stack.process.pid] = "up"
        before, began = _usage(stack.process.pid), time.monotonic()
        time.sleep(parameters.seconds)
        after, passed = _usage(stack.process.pid), time.monotonic() - began
        assert stack.all_run(), "a process ended meanwhile"
    percent = {
        pid: (after[pid].cpu - before[pid].cpu) * 100 / passed for pid in after.keys() & before
    }
    memory = {pid: usage.memory for pid, usage in after.items()}
    cpu, megabytes = sum(percent.values()), sum(memory.values())
    yield Case(
        "CPU of everything",
        [cpu],
        "% of a core",
        facts={names.get(pid, "other"): round(percent[pid], 2) for pid in percent},
        targets=[Target("CPU", cpu, CPU)],
    )
    yield Case(
        "memory (PSS) of everything",
        [megabytes],
        "MB",
        facts={names.get(pid, "other"): round(memory[pid]) for pid in memory},
        targets=[Target("memory", megabytes, MEMORY)],
    )


def _usage(pid: int) -> dict[int, Usage]:
    found = {one: usage_of(one) for one in family_of(pid)}
    return {one: usage for one, usage in found.items() if usage is not None}


def _closed_day() -> date:
    """The next day without a session: the demo's clock runs on from there, for no session ends on it."""
    calendar = load_calendar()
    day = datetime.now(CHINA).date() + timedelta(days=1)
    while calendar.is_session(day):
        day += timedelta(days=1)
    return day
