"""Scenarios on PostgreSQL: deaths at crash points as on SQLite, and the server itself that goes away."""

from __future__ import annotations

from tests.simulation.processes.on_postgres import PostgresHouse
from tests.simulation.processes.points import deaths
from tests.simulation.processes.stage import Stage

#: What processes say at the level ERROR while the server is away.
SERVER_IS_AWAY = (
    r"psycopg\.(errors\.)?\w+",
    r"django\.db\.utils\.(OperationalError|InterfaceError)",
    r"the gateway stood still",
)
LATE = 40


def kill_on_postgres(stage: Stage) -> None:
    """kill -9 at crash points, on PostgreSQL."""
    drawn = deaths(stage.chance)
    stage.notes["aimed"] = [death.point for death in drawn]
    stage.begin(drawn)
    stage.wait_for_faults(LATE)


def postgres_restarts(stage: Stage) -> None:
    """The server is restarted in order, and crashes; in between and afterwards it is away for a while."""
    house = stage.house
    assert isinstance(house, PostgresHouse)
    stage.begin()
    stage.armed()
    stage.explain(*SERVER_IS_AWAY)
    for end in stage.chance.sample((house.server.stop, house.server.crash), 2):
        end()
        stage.pause(stage.chance.choice([0.0, 1.0, 4.0]))
        house.server.start()
        stage.pause(2.0)
