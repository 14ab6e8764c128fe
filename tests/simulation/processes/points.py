"""Where a process is to die: which of them passes a crash point, how often, and what must have happened before."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.processes.house import GATEWAY, PAPER, WORKER
from trading.faults import POINTS

#: Points that only the ticks pass, in the worker; the terminal's are its own, all others are the gateway's.
_OF_TICKS = {
    "orders.approved": 4,
    "orders.cancel_wanted": 2,
    "orders_tick.reordered": 1,
    "strategy.positions_saved": 5,
    "strategy.decided": 3,
    "runner.claimed": 20,
    "runner.ran": 20,
}
#: How often the gateway passes a point at least, where that is more than once before it is idle.
_OFTEN = {
    "gateway.drained": 12,
    "gateway.recorded": 12,
    "gateway.claimed": 4,
    "gateway.checked": 4,
    "gateway.submitted": 4,
    "gateway.sent": 4,
    "gateway.asked": 3,
    "gateway.cancel_claimed": 2,
    "gateway.cancel_sent": 2,
    "moves.updated": 10,
    "execution.stored": 12,
    "execution.trades_booked": 3,
    "booking.position_moved": 4,
    "booking.fill_stored": 4,
    "booking.order_moved": 4,
    "adoption.adopted": 9,
    "sync.snapshot_stored": 3,
    "sync.positions_projected": 3,
    "terminal.performed": 8,
    "terminal.saving": 8,
    "terminal.stored": 8,
}
#: Points that are passed only by a gateway that finds what another one left when it died at the point named here.
_AFTER = {"desk.unknown": "gateway.claimed", "execution.bound": "gateway.sent"}
#: Points that scenarios of their own lead to.
ELSEWHERE = {
    "desk.dropped": "kill_file",
    "desk.day_ended": "day_end",
    "execution.rejected": "refusals",
}


@dataclass(frozen=True)
class Death:
    """A process that is to die, at `point`: what MINIQMT_FAULTS says to it and to those that follow it."""

    process: str
    point: str
    faults: Sequence[str]


def process_of(point: str) -> str:
    if point.startswith("terminal."):
        return PAPER
    return WORKER if point in _OF_TICKS else GATEWAY


def death_at(point: str, chance: random.Random) -> Death:
    """Return how to die at a point; which passage of it is drawn."""
    most = _OF_TICKS.get(point) or _OFTEN.get(point, 1)
    told = f"{point}:{chance.randint(1, most)}:kill"
    if point in _AFTER:
        before = _AFTER[point]
        first = f"{before}:{chance.randint(1, _OFTEN[before])}:kill"
        return Death(GATEWAY, point, (first, f"{point}:1:kill"))
    return Death(process_of(point), point, (told,))


def deaths(chance: random.Random, gateways: int = 2, workers: int = 2) -> list[Death]:
    """Draw the deaths of a run: some of the gateway, some of the worker, perhaps one of the terminal."""
    drawn = []
    for process, number in (
        (GATEWAY, gateways),
        (WORKER, workers),
        (PAPER, chance.choice([0, 1])),
    ):
        names = sorted(
            name for name in POINTS if process_of(name) == process and name not in ELSEWHERE
        )
        drawn += [death_at(name, chance) for name in chance.sample(names, number)]
    return drawn
