"""Many runs, each in a folder of its own: drawn from its seed, played, checked; what is finished is kept in a file."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.simulation.processes.house import House
from tests.simulation.processes.market import write_market
from tests.simulation.processes.scenarios import SCENARIOS
from tests.simulation.processes.stage import NotSettled, Stage
from tests.simulation.processes.template import make_template
from trading.faults import POINTS

#: The part of all runs that are kills at crash points: each point is to be met often.
KILLS = 0.5


@dataclass
class Outcome:
    """What came of one run. `hits`: the crash points that ended a process. `skipped`: why it could not be played here."""

    seed: int
    scenario: str
    seconds: float
    broken: list[str] = field(default_factory=list)
    hits: list[str] = field(default_factory=list)
    orders: int = 0
    fills: int = 0
    notes: dict[str, Any] = field(default_factory=dict)
    skipped: str = ""
    folder: str = ""


def scenario_of(seed: int, only: str | None = None) -> str:
    """Return which scenario a seed plays."""
    chance = random.Random(f"scenario:{seed}")
    if only is not None or chance.random() < KILLS:
        return only or "kill"
    return chance.choice(sorted(SCENARIOS))


def repeat(outcome: Outcome) -> str:
    """Return the command that plays a run again."""
    return (
        f"python -m tests.simulation --processes 1 --from {outcome.seed} --only {outcome.scenario}"
    )


def play(seed: int, template: Path, runs: Path, only: str | None = None) -> Outcome:
    """Play one run; its folder stays only when something is broken."""
    scenario, began = scenario_of(seed, only), time.monotonic()
    if why := SCENARIOS[scenario].needs():
        return Outcome(seed, scenario, 0.0, skipped=why)
    chance = random.Random(f"processes:{scenario}:{seed}")
    folder = Path(tempfile.mkdtemp(prefix=f"{scenario}-{seed}-", dir=runs))
    home = folder / "home"
    shutil.copytree(template, home)
    chosen = SCENARIOS[scenario]
    market = write_market(folder / "day.csv", chance, **chosen.market)
    house = House(home, market, chosen.speed)
    stage = Stage(house, chance)
    outcome = Outcome(seed, scenario, 0.0, notes=stage.notes, folder=str(folder))
    with house.in_use():
        try:
            chosen.play(stage)
            outcome.broken = stage.rest()
        except NotSettled as problem:
            outcome.broken = [str(problem)]
        finally:
            stage.close()
        outcome.broken += stage.missed
        outcome.hits = house.hits
        outcome.notes["exits"] = {
            process.name: [code for code, _ in process.exits]
            for process in house.processes.values()
            if process.exits
        }
        outcome.orders, outcome.fills = _counts(house)
    outcome.seconds = round(time.monotonic() - began, 1)
    if not outcome.broken:
        shutil.rmtree(folder, ignore_errors=True)
        outcome.folder = ""
    return outcome


def _counts(house: House) -> tuple[int, int]:
    [(orders, fills)] = house.rows(
        "SELECT (SELECT COUNT(*) FROM trading_order), (SELECT COUNT(*) FROM trading_fill)"
    )
    return orders, fills


class Finished:
    """The runs that are done, one JSON line each; a campaign that is started again leaves them out."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.outcomes: dict[int, Outcome] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                outcome = Outcome(**json.loads(line))
                self.outcomes[outcome.seed] = outcome

    def add(self, outcome: Outcome) -> None:
        self.outcomes[outcome.seed] = outcome
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(outcome), ensure_ascii=False) + "\n")


def run(
    seeds: Sequence[int], jobs: int, finished: Finished, runs: Path, only: str | None = None
) -> Iterator[Outcome]:
    """Play what is not finished yet, `jobs` at a time; yields each outcome when it is kept."""
    left = [seed for seed in seeds if seed not in finished.outcomes]
    if not left:
        return
    with tempfile.TemporaryDirectory(prefix="template-", dir=runs) as folder:
        template = make_template(Path(folder) / "home")
        with ThreadPoolExecutor(jobs) as pool:
            for outcome in pool.map(lambda seed: play(seed, template, runs, only), left):
                finished.add(outcome)
                yield outcome


def summary(outcomes: Iterable[Outcome], seconds: float) -> dict[str, Any]:
    """Return the figures of a campaign, as JSON has them."""
    outcomes = list(outcomes)
    played = [one for one in outcomes if not one.skipped]
    hits = Counter(point for one in played for point in one.hits)
    by_scenario = {
        name: _figures([one for one in outcomes if one.scenario == name])
        for name in sorted({one.scenario for one in outcomes})
    }
    return {
        "runs": len(played),
        "orders": sum(one.orders for one in played),
        "fills": sum(one.fills for one in played),
        "failing": {str(one.seed): [one.scenario, *one.broken] for one in played if one.broken},
        "scenarios": by_scenario,
        "points": {name: hits[name] for name in sorted(POINTS)},
        "seconds": round(seconds, 1),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "cores": os.cpu_count(),
    }


def _figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    played = [one for one in outcomes if not one.skipped]
    return {
        "runs": len(played),
        "skipped": sorted({one.skipped for one in outcomes if one.skipped}),
        "hits": sum(len(one.hits) for one in played),
        "orders": sum(one.orders for one in played),
        "fills": sum(one.fills for one in played),
        "seconds": round(sum(one.seconds for one in played) / max(1, len(played)), 1),
        "violations": sum(len(one.broken) for one in played),
    }
