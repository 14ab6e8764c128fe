"""The scenarios: each starts what it needs, does its harm, and lets it heal. What must hold afterwards is checked by all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.processes import database_harm, outages, people, submitters
from tests.simulation.processes.points import deaths
from tests.simulation.processes.stage import Stage

#: Market seconds after the last fall in which armed faults still may happen; then a point was not passed.
LATE = 40


@dataclass(frozen=True)
class Scenario:
    """`play` does the harm. `market`: how its day differs, as `write_market` takes it. `speed`: of the market.

    `needs`: why it cannot be played here, empty when it can.
    """

    play: Callable[[Stage], None]
    market: Mapping[str, Any] = field(default_factory=dict)
    speed: int = 20
    needs: Callable[[], str] = lambda: ""


def kill(stage: Stage) -> None:
    """kill -9 at crash points: gateway, worker and terminal die exactly there and are started again."""
    drawn = deaths(stage.chance)
    stage.notes["aimed"] = [death.point for death in drawn]
    stage.begin(drawn)
    stage.wait_for_faults(LATE)


def power_cut(stage: Stage) -> None:
    """Everything dies in the same instant, and is started again."""
    stage.begin()
    stage.armed()
    stage.market(stage.chance.uniform(40, 140))
    for name in list(stage.house.processes):
        stage.house.kill(name)
    stage.explain(*outages.REDIS_IS_AWAY)


def five_times(stage: Stage) -> None:
    """Every tick is delivered five times at once, to a worker of four threads."""
    stage.begin(metronome=False)
    stage.tick(times=5)
    stage.armed()


LONG = {"falls": 9, "until": 300}
SCENARIOS: dict[str, Scenario] = {
    "kill": Scenario(kill),
    "power_cut": Scenario(power_cut),
    "five_times": Scenario(five_times),
    "refusals": Scenario(people.refusals),
    "kill_file": Scenario(people.kill_file),
    "day_end": Scenario(people.day_end, people.AFTERNOON),
    "redis_stopped": Scenario(outages.redis_stopped, LONG),
    "redis_killed": Scenario(outages.redis_killed, LONG),
    "redis_frozen": Scenario(outages.redis_frozen, LONG),
    "redis_emptied": Scenario(outages.redis_emptied),
    "worker_away": Scenario(outages.worker_away, LONG),
    "beat_dead": Scenario(outages.beat_dead, LONG),
    "beat_doubled": Scenario(outages.beat_doubled),
    "gateway_frozen": Scenario(submitters.gateway_frozen, LONG),
    "two_gateways": Scenario(submitters.two_gateways, LONG),
    "database_locked": Scenario(database_harm.locked),
    "database_read_only": Scenario(database_harm.read_only),
    "database_full": Scenario(database_harm.full),
    "clock_steps": Scenario(database_harm.clock_steps, {"until": 30, "falls": 6, "lasts": 200}, 1),
}
