"""What a scenario plays on: the processes, the draw of its seed, and what it explains."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.processes.checks import Expected, broken, heals
from tests.simulation.processes.house import GATEWAY, PAPER, QUOTES, REDIS, WORKER, House
from tests.simulation.processes.metronome import Metronome
from tests.simulation.processes.points import Death
from tests.stack import set_clock, wait_for

#: Real seconds before the opening at which the market's clock begins, and to which it is set when the terminal runs.
FIRST, THEN = 7.5, 1.0
#: Real seconds in which a start, an outage's end, and the way to rest must be over.
STARTED, HEALED, RESTED = 60.0, 60.0, 90.0
#: Real seconds between two looks at the books.
LOOK = 0.4


class NotSettled(Exception):
    """Something that had to happen did not; the text says what."""


@dataclass
class Stage:
    """`log`: patterns of error lines that the scenario causes. `missed`: promises that were not kept."""

    house: House
    chance: random.Random
    metronome: Metronome | None = None
    log: list[str] = field(default_factory=list)
    silent: list[tuple[datetime, datetime]] = field(default_factory=list)
    unsold: set[str] = field(default_factory=set)
    missed: list[str] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def expected(self) -> Expected:
        return Expected(self.log, self.silent, self.unsold)

    # --- starting

    def begin(
        self,
        deaths: Sequence[Death] = (),
        *,
        terminal: Sequence[str] = (),
        metronome: bool = True,
        environment: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Start the processes, each with the faults of its deaths; the market opens when they are there.

        `environment`: of single processes. Without a metronome somebody else has to send the ticks.
        """
        faults: dict[str, list[str]] = {}
        for death in deaths:
            faults.setdefault(death.process, []).extend(death.faults)
        house = self.house
        self._set_clock(FIRST)
        house.start(REDIS)
        own = environment or {}
        house.start(PAPER, faults.get(PAPER, ()), options=terminal, environment=own.get(PAPER))
        house.start(QUOTES)
        house.start(WORKER, faults.get(WORKER, ()))
        wait_for((house.home / "paper.json").exists, STARTED)  # else it waits two seconds
        if house.market_now() < self._before_opening(THEN):
            self._set_clock(THEN)
        house.start(GATEWAY, faults.get(GATEWAY, ()))
        if metronome:
            self.tick()

    def tick(self, times: int = 1) -> None:
        """Send the ticks from now on, each so many times."""
        self.metronome = Metronome(self.house.redis_url, times)
        self.metronome.start()

    def explain(self, *patterns: str) -> None:
        """These errors in the logs are the scenario's own doing."""
        self.log += patterns

    def died(self) -> list[str]:
        """The processes that an armed fault ended."""
        return [process.name for process in self.house.processes.values() if process.hits]

    def passed(self) -> float:
        """Real seconds since the run began."""
        return round(time.monotonic() - self.began, 1)

    def _set_clock(self, seconds: float) -> None:
        set_clock(self.house.home, self._before_opening(seconds), self.house.speed)

    def _before_opening(self, seconds: float) -> datetime:
        return self.house.market.opens - timedelta(seconds=seconds * self.house.speed)

    def close(self) -> None:
        if self.metronome is not None:
            self.metronome.stop()

    # --- waiting

    def until(self, condition: Callable[[], object], what: str, seconds: float = HEALED) -> float:
        """Wait until something holds, and return how long that took. Raises NotSettled."""
        took = wait_for(condition, seconds)
        if took is None:
            raise NotSettled(f"{what}: not within {seconds:.0f} s")
        return took

    def armed(self) -> float:
        return self.until(self.house.is_armed, "an armed gateway")

    def wait_for_faults(self, late: float) -> None:
        """Wait until every armed fault has happened, at most until so many market seconds after the last fall."""
        house = self.house
        until = house.market.last_fall + timedelta(seconds=late)
        wait_for(lambda: not house.waits_for_a_fault or house.market_now() > until, HEALED)
        self.notes["faults"] = self.passed()

    def pause(self, seconds: float) -> None:
        """Let real time pass."""
        time.sleep(seconds)

    def market(self, offset: float) -> None:
        """Wait until so many seconds after the opening."""
        self.house.wait_for_market(self.house.market.opens + timedelta(seconds=offset))

    def rest(self, seconds: float = RESTED) -> list[str]:
        """Wait until every holding has fallen and everything holds; return what does not."""
        house = self.house
        house.wait_for_market(house.market.last_fall + timedelta(seconds=20))
        began = time.monotonic()
        while True:
            found = broken(house, self.expected)
            passed = time.monotonic() - began
            if not any(map(heals, found)) or passed > seconds:
                self.notes["rest"] = round(passed, 1)
                return found
            house.ask()
            time.sleep(LOOK)
