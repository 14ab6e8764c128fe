"""`manage.py replay` of the two recorded days beside the project: seconds from the command to its result.

The 600519 day (one symbol, a quote about every three seconds, ten thousand of other rows) with one holding, and the
morning of thirty symbols with a holding of each, at the price it opened with. Start of Python and of the in-memory
database included. Skipped where the recorded data is not beside the project.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.ground import Ground
from tests.benchmarks.measured import Case, Skipped, Target
from tests.benchmarks.whole_stack import ROOT
from tests.replays import MOUTAI, THIRTY
from trading.market_data.sources import open_source


@dataclass(frozen=True)
class Parameters:
    runs: int = 3
    morning: bool = True


PARAMETERS = Parameters()
QUICK = Parameters(runs=1, morning=False)

#: Seconds.
DAY, MORNING = 20.0, 45.0


def run(ground: Ground, parameters: Parameters) -> Iterator[Case]:
    for path in (MOUTAI, THIRTY):
        if not path.is_file():
            raise Skipped(f"{path.name} is not beside the project")
    yield _case("600519 day", MOUTAI, ["600519.SH:1000@1720"], parameters.runs, DAY)
    if parameters.morning:
        yield _case("30-symbol morning", THIRTY, _holdings(THIRTY), parameters.runs, MORNING)


def _case(name: str, path: Path, holdings: Sequence[str], runs: int, limit: float) -> Case:
    options = [word for one in holdings for word in ("--position", one)]
    times = []
    for _ in range(runs):
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "django", "replay", str(path), *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        times.append(time.monotonic() - began)
    best = min(times)
    facts = {"holdings": len(holdings), "best": round(best, 1)}
    return Case(name, times, "s", facts=facts, targets=[Target("best of the runs", best, limit)])


def _holdings(path: Path) -> list[str]:
    opened: dict[str, str] = {}
    for quote in open_source(path).quotes():
        if quote.last > 0:
            opened.setdefault(quote.symbol, f"{quote.symbol}:1000@{quote.last}")
    return list(opened.values())
