"""Many seeds: each is played and checked, what is finished is kept in a file, and what fails says how to repeat it."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.simulation.aims import aimed
from tests.simulation.bugs import planted
from tests.simulation.database import Database
from tests.simulation.full_client import FullClientWorld
from tests.simulation.grid_bugs import GRID
from tests.simulation.grids import with_grids
from tests.simulation.invariants import broken
from tests.simulation.plan import Plan, plan_of
from tests.simulation.planting import NEEDS
from tests.simulation.revision import commit, revision
from tests.simulation.setup import set_up
from tests.simulation.shapes import shaped
from tests.simulation.world import World
from trading import faults
from trading.paper.misbehaviours import NAMES as MISBEHAVIOURS

#: Seeds one process plays before it hands in what it found.
BATCH = 25
#: The ways to the broker that seeds are played over; the first one is meant where none is named.
CHANNELS: dict[str, type[World]] = {"xttrader": World, "full_client": FullClientWorld}
DEFAULT = next(iter(CHANNELS))


@dataclass(slots=True)
class Outcome:
    """What one seed came to. `broken`: the sentences of the invariants that did not hold."""

    seed: int
    broken: list[str]
    orders: int
    #: By crash point: how often a process died there, and how often it was passed.
    crashed: dict[str, int] = field(default_factory=dict)
    hits: dict[str, int] = field(default_factory=dict)
    misbehaviours: list[str] = field(default_factory=list)

    @property
    def invariants(self) -> list[str]:
        return sorted({sentence.split()[0] for sentence in self.broken})


def whole_plan(seed: int) -> Plan:
    """Return what a seed means, rare situations included."""
    return aimed(with_grids(shaped(plan_of(seed))))


def play(
    seed: int, database: Database, bug: str | None = None, channel: str = DEFAULT
) -> tuple[Outcome, World]:
    """Play one seed on this database, which is in use; `bug` is planted meanwhile."""
    with planted(bug):
        world = CHANNELS[channel](whole_plan(seed), database).run()
        sentences = broken(world)
    crashed = Counter(crash.point for crash in world.crashes)
    outcome = Outcome(
        seed,
        sentences,
        len(world.wire.sent),
        dict(crashed),
        dict(world.hits),
        list(world.plan.misbehaviours),
    )
    return outcome, world


def repeat(seed: int, bug: str | None = None, channel: str = DEFAULT) -> str:
    """Return the command that plays a seed again and shows what happened."""
    plant = f" --plant {bug}" if bug else ""
    over = f" --channel {channel}" if channel != DEFAULT else ""
    return f"python -m tests.simulation --from {seed} --seeds 1{plant}{over} --show"


def first_caught(
    bug: str, seeds: Iterable[int], database: Database, channel: str = DEFAULT
) -> Outcome | None:
    """Return the first outcome in which a planted bug, and nothing else, breaks an invariant; None when no seed shows it.

    A seed that fails without the bug too proves nothing, nor does one in which the planted code itself broke down (I19).
    Only what grids do wrong may be caught by the invariants of grids alone.
    """
    proof = _OF_GRIDS if bug in GRID else _OF_ORDERS
    may_show = NEEDS.get(bug, lambda plan: True)
    for seed in filter(lambda one: may_show(whole_plan(one)), seeds):
        outcome, _ = play(seed, database, bug, channel)
        caught = proof & set(outcome.invariants) and "I19" not in outcome.invariants
        if caught and not play(seed, database, channel=channel)[0].broken:
            return outcome
    return None


def row_of(
    bug: str, meaning: str, seeds: range, outcome: Outcome | None, channel: str = DEFAULT
) -> dict[str, Any]:
    """Return what is to be told of a planted bug: the seed that catches it, by which invariant, and how many it took."""
    caught: dict[str, Any] = {
        "seed": None,
        "seeds": len(seeds),
        "invariants": [],
        "sentence": "",
        "repeat": "",
    }
    if outcome is not None:
        caught |= {
            "seed": outcome.seed,
            "seeds": seeds.index(outcome.seed) + 1,
            "invariants": outcome.invariants,
            "sentence": outcome.broken[0],
            "repeat": repeat(outcome.seed, bug, channel),
        }
    return {"bug": bug, "meaning": meaning, **caught}


_OF_ORDERS = {f"I{number}" for number in range(1, 21)}
_OF_GRIDS = _OF_ORDERS | {f"I{number}" for number in range(21, 26)}


class Finished:
    """The seeds that are done, one JSON line each; a campaign that is started again leaves them out.

    What another revision of the code, or another channel, found stays in the file and does not count: `of_others` lines.
    """

    def __init__(self, path: Path | None, channel: str = DEFAULT) -> None:
        over = f" {channel}" if channel != DEFAULT else ""
        self._path, self._revision = path, revision() + over  # of now: files may change meanwhile
        self.outcomes: dict[int, Outcome] = {}
        self.of_others = 0
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._read(line)

    def _read(self, line: str) -> None:
        try:
            fields = json.loads(line)
        except ValueError:
            return  # the machine stopped while it was written
        if fields.pop("revision", None) != self._revision:
            self.of_others += 1
            return
        outcome = Outcome(**fields)
        self.outcomes[outcome.seed] = outcome

    def add(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self.outcomes[outcome.seed] = outcome
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(
                    json.dumps({"revision": self._revision, **asdict(outcome)}) + "\n"
                    for outcome in outcomes
                )


def run(
    seeds: Sequence[int], jobs: int, finished: Finished, channel: str = DEFAULT
) -> Iterator[Outcome]:
    """Play what is not finished yet, in `jobs` processes; yields each outcome when it is kept."""
    left = [seed for seed in seeds if seed not in finished.outcomes]
    batches = [left[start : start + BATCH] for start in range(0, len(left), BATCH)]
    play_batch = partial(_batch, channel=channel)
    if jobs == 1:
        results: Iterable[list[Outcome]] = map(play_batch, batches)
        yield from _kept(results, finished)
        return
    # The initializer is of a module that needs no Django: a spawned process starts without it.
    with multiprocessing.get_context("spawn").Pool(jobs, initializer=set_up) as pool:
        yield from _kept(pool.imap_unordered(play_batch, batches), finished)


def _kept(results: Iterable[list[Outcome]], finished: Finished) -> Iterator[Outcome]:
    for outcomes in results:
        finished.add(outcomes)
        yield from outcomes


_database: Database | None = None


def _batch(seeds: Sequence[int], channel: str) -> list[Outcome]:
    global _database
    if _database is None:
        _database = Database()
    with _database.in_use():
        return [play(seed, _database, channel=channel)[0] for seed in seeds]


def summary(outcomes: Iterable[Outcome], seconds: float) -> dict[str, Any]:
    """Return the figures of a campaign, as JSON has them."""
    outcomes = list(outcomes)
    passed, crashed, misbehaved = Counter[str](), Counter[str](), Counter[str]()
    for outcome in outcomes:
        passed.update(outcome.hits)
        crashed.update(outcome.crashed)
        misbehaved.update(outcome.misbehaviours)
    failing = [outcome for outcome in outcomes if outcome.broken]
    return {
        "revision": revision(),
        "commit": commit(),
        "seeds": len(outcomes),
        "orders": sum(outcome.orders for outcome in outcomes),
        "crashes": crashed.total(),
        "failing": {str(outcome.seed): outcome.broken for outcome in failing},
        "by_invariant": dict(Counter(name for outcome in failing for name in outcome.invariants)),
        "points": {
            name: {"passed": passed[name], "crashed": crashed[name]}
            for name in sorted(faults.POINTS)
        },
        "misbehaviours": {name: misbehaved[name] for name in sorted(MISBEHAVIOURS)},
        "seconds": round(seconds, 1),
        "cores": os.cpu_count(),
    }


def timed() -> float:
    return time.monotonic()
