"""The scenarios: each starts what it needs, does its harm, and lets it heal. What must hold afterwards is checked by all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from tests.simulation.processes.points import deaths
from tests.simulation.processes.stage import Stage
from tests.stack import wait_for

Scenario = Callable[[Stage], None]

#: Market seconds after the last fall in which armed faults still may happen; then a point was not passed.
LATE = 40


def kill(stage: Stage) -> None:
    """kill -9 at crash points: gateway, worker and terminal die exactly there and are started again."""
    drawn = deaths(stage.chance)
    stage.notes["aimed"] = [death.point for death in drawn]
    stage.begin(drawn)
    house = stage.house
    until = house.market.last_fall + timedelta(seconds=LATE)
    wait_for(lambda: not house.waits_for_a_fault or house.market_now() > until, 60)
    stage.notes["faults"] = stage.passed()


SCENARIOS: dict[str, Scenario] = {"kill": kill}
