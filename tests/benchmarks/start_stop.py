"""`manage.py up` on a warm data directory: seconds to the first tick, and from SIGTERM until all are gone.

Each start is made on a data directory that has been used before: migrated, calendar filled, account open. The first
tick counts when its row is committed; beside it stands when every process was up. A stop counts from the signal to the
end of `up`, which waits for all its processes; the processes are looked for afterwards. Once with the holdings of the
demo, once with 1,000 (`up --position`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.ground import Ground, wait_for
from tests.benchmarks.measured import Case, Target
from tests.benchmarks.whole_stack import PROC, UP_WITHIN, read, running, stop


@dataclass(frozen=True)
class Parameters:
    starts: int = 5
    holdings: tuple[int, ...] = (0, 1_000)  # 0: those of the demo
    runs_for: float = 5.0
    options: tuple[str, ...] = ()


PARAMETERS = Parameters()
QUICK = Parameters(starts=1, holdings=(0,), runs_for=0.0, options=("--no-web", "--no-flower"))

#: Seconds.
FIRST_TICK, STOP = 8.0, 3.0


def run(ground: Ground, parameters: Parameters) -> Iterator[Case]:
    for holdings in parameters.holdings:
        ground.fresh()
        options = (*parameters.options, *_positions(holdings))
        _warm(ground.home, options, max(1, holdings))
        ticks, ups, stops = [], [], []
        for _ in range(parameters.starts):
            tick, up, stopped = _start_and_stop(ground.home, options, parameters.runs_for)
            ticks.append(tick)
            ups.append(up)
            stops.append(stopped)
        which = f"{holdings:,} holdings" if holdings else "the demo's holdings"
        yield Case(
            f"start to first tick, {which}",
            ticks,
            "s",
            facts={"all up after": round(max(ups), 2)},
            targets=[Target("first tick", max(ticks), FIRST_TICK)],
        )
        yield Case(f"stop, {which}", stops, "s", targets=[Target("stop", max(stops), STOP)])


def _warm(home: Path, options: Sequence[str], holdings: int) -> None:
    with running(home, *options) as stack:
        wait_for(stack.all_run, UP_WITHIN, "the first start")
        count = "SELECT COUNT(*) FROM trading_position"
        wait_for(lambda: read(home, count)[0][0] >= holdings, UP_WITHIN, "the holdings")


def _start_and_stop(
    home: Path, options: Sequence[str], runs_for: float
) -> tuple[float, float, float]:
    """Return the seconds to the first tick, until all are up, and from the signal until all are gone."""
    began, real = time.monotonic(), datetime.now(UTC)
    with running(home, *options) as stack:
        wait_for(lambda: (stack.first_tick() or real) > real, UP_WITHIN, "a tick")
        ticked = time.monotonic() - began
        wait_for(stack.all_run, UP_WITHIN, "the start")
        up = time.monotonic() - began
        time.sleep(runs_for)
        pids = list(stack.children().values())
        asked = time.monotonic()
        stop(stack.process)
        stopped = time.monotonic() - asked
        assert stack.process.returncode == 0
        assert not [pid for pid in pids if (PROC / str(pid)).exists()]
    return ticked, up, stopped


def _positions(count: int) -> list[str]:
    return [f"--position={600_000 + number}.SH:1000@10.00" for number in range(count)]
