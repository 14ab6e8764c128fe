"""Who may send: a gateway that was frozen past its lease, and a second one that takes over."""

from __future__ import annotations

import shutil

from tests.simulation.processes.house import GATEWAY
from tests.simulation.processes.stage import Stage
from tests.stack import PRODUCT, QUOTES, wait_for

#: Real seconds, longer than a lease lasts.
FROZEN = 11.5
SECOND = "gateway2"


def gateway_frozen(stage: Stage) -> None:
    """Frozen past its lease and thawed, it ends itself or goes on, and sends nothing it may not."""
    stage.begin()
    stage.armed()
    stage.market(stage.chance.uniform(30, 90))
    with stage.house.frozen(GATEWAY):
        stage.pause(stage.chance.choice([3.0, 6.0, FROZEN]))
    stage.explain(r"the gateway stood still")
    wait_for(stage.house.is_armed, 30)


def two_gateways(stage: Stage) -> None:
    """A second one of the same account, in another data directory: it stands down while the first one lives, takes over
    when that is frozen past its lease, and the first one, thawed, sends nothing any more.
    """
    stage.begin()
    stage.armed()
    house, other = stage.house, stage.house.home.parent / "second"
    other.mkdir(mode=0o700)
    for name in ("paper.json", "paper.token", "secret_key"):
        shutil.copy(house.home / name, other / name)
    (other / QUOTES).symlink_to(house.home / QUOTES)
    url = f"sqlite:///{house.home / PRODUCT}"
    second = house.start(
        GATEWAY, key=SECOND, environment={"MINIQMT_HOME": str(other), "DATABASE_URL": url}
    )
    stage.until(lambda: second.exits, "a second gateway that stands down")
    stage.market(stage.chance.uniform(60, 120))
    stage.explain(r"the gateway stood still")
    first = house.processes[GATEWAY]
    with house.frozen(GATEWAY):
        first.kept_away = True
        stage.until(lambda: house.holds_lease(SECOND), "a second gateway that takes over", 40)
        stage.pause(stage.chance.uniform(0, 3))
    stage.until(lambda: first.popen is None, "the end of the first gateway", 20)
    house.gateway_name = SECOND
    wait_for(house.is_armed, 60)
