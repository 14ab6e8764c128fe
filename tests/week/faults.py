"""What goes wrong in a week, each with the alerts one of which must tell of it. Seconds are real ones."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from tests.simulation.processes.harsh import CLOCK, FULL, READ_ONLY
from tests.stack import CHILDREN, is_there, wait_for
from tests.week.house import WeekHouse

#: How long something is away, what must be away long enough for the watchdogs, and what for a look of the health tick.
AWAY, HARMED, SILENT = 20.0, 10.0, 40.0
#: How long a power cut lasts, and how many of the newest frames of the WAL are lost with one that drops some.
DARK, FRAMES = 3.0, 40
RESTARTED, STARTED, PROTECTIVE = "PROCESS_RESTARTED", "STARTED", "PROTECTIVE_PASS"
OBSERVING, SILENCE, LATE = "GATEWAY_OBSERVING", "FEED_SILENT", "TICK_LATE"
#: Nobody starts the ticks: the gateway runs them itself, unless it only observes.
MISSED = (PROTECTIVE, LATE)
#: A database that could not be written for a moment: the gateway's cycles failed, or it ended.
NOT_WRITTEN = (RESTARTED, PROTECTIVE, "CYCLES_FAILED")
#: What is told once as long as it lasts: who makes it worse meanwhile is told of by the alert that stands.
LASTING = {PROTECTIVE, OBSERVING, SILENCE, LATE, "SNAPSHOT_OLD"}


@dataclass(frozen=True)
class Fault:
    """`do` lets it happen and returns when its cause is over. `shows`: codes of alerts, one of which must tell of it.

    `about`: a word in the text of that alert. Without `shows` nothing has to be seen: nothing is lost by it. `within`: the
    seconds after which it must be told and stand on the page.
    """

    name: str
    do: Callable[[WeekHouse], object]
    shows: Sequence[str] = ()
    about: str = ""
    within: float = 150.0


def _there(house: WeekHouse, name: str) -> None:
    """Wait until a process runs that an earlier fault may have ended."""
    wait_for(lambda: house.processes()[name]["pid"] is not None, AWAY)


def _kill(house: WeekHouse, name: str) -> None:
    _there(house, name)
    with suppress(ProcessLookupError):
        house.kill(name)


def _hang(house: WeekHouse, name: str) -> None:
    _there(house, name)
    with suppress(ProcessLookupError):
        house.freeze(name)


def _frozen(house: WeekHouse, name: str, seconds: float) -> None:
    _there(house, name)
    with suppress(ProcessLookupError), house.frozen(name):
        time.sleep(seconds)


def _away(house: WeekHouse, name: str) -> None:
    _there(house, name)
    with house.kept_away(name):
        time.sleep(AWAY - 6)


def _locked(house: WeekHouse) -> None:
    with house.locked():
        time.sleep(HARMED)


def _harmed(house: WeekHouse, name: str, words: str = "") -> None:
    with house.harmed(name, words):
        time.sleep(HARMED)


def _up_killed(house: WeekHouse) -> None:
    """Only `up` ends; its children notice and follow. Whatever starts it at log-on starts it again."""
    pids = house.pids()
    os.kill(house.process.pid, signal.SIGKILL)
    house.process.wait()
    wait_for(lambda: not any(map(is_there, pids)), AWAY)
    house.start()


def power_cut(frames: int) -> Fault:
    """Everything is killed in one instant, the newest `frames` of the WAL are lost, and `up` starts again."""

    def cut(house: WeekHouse) -> None:
        house.end()
        house.drop_last_frames(frames)
        time.sleep(DARK)
        house.start()

    return Fault(f"power cut, {frames} frames lost", cut, (STARTED,))


def kinds() -> list[Fault]:
    """Every fault there is, but for the power cut, which has its own hour."""
    killed = [
        Fault(f"kill -9 {name}", partial(_kill, name=name), (RESTARTED,), name)
        for name in CHILDREN
    ]
    hanging = [
        Fault(f"{name} hangs", partial(_hang, name=name), (RESTARTED,), name)
        for name in ("redis", "market_data", "gateway-demo", "worker", "beat", "web")
    ]
    frozen = [
        Fault(f"{name} frozen {AWAY:.0f} s", partial(_frozen, name=name, seconds=AWAY), shows)
        for name, shows in (
            ("redis", MISSED),
            ("worker", MISSED),
            ("beat", MISSED),
            ("gateway-demo", (RESTARTED,)),
        )
    ]
    clocks = [
        Fault(f"clock {step:+d} s", partial(_harmed, name=CLOCK, words=str(step)), ("CLOCK_JUMPED", OBSERVING))
        for step in (-30, -3, 3, 30)
    ]  # fmt: skip
    return [
        *killed,
        *hanging,
        *frozen,
        *clocks,
        Fault(
            f"terminal frozen {SILENT:.0f} s",
            partial(_frozen, name="paper_terminal", seconds=SILENT),
            (OBSERVING, "SNAPSHOT_OLD", SILENCE, RESTARTED),
        ),
        Fault("redis kept away", partial(_away, name="redis"), (RESTARTED, PROTECTIVE)),
        Fault("redis emptied", WeekHouse.empty_redis),
        Fault("database locked", _locked, NOT_WRITTEN),
        Fault("database read-only", partial(_harmed, name=READ_ONLY), NOT_WRITTEN),
        Fault("disk full for the database", partial(_harmed, name=FULL), NOT_WRITTEN),
        Fault("kill -9 up", _up_killed, (STARTED,)),
    ]


def deck(chance: random.Random) -> Iterator[Fault]:
    """Yield the faults without an end: every kind once, in an order of the draw, then all of them again."""
    while True:
        cards = kinds()
        chance.shuffle(cards)
        yield from cards


#: What the terminal does wrong from one power cut to the next; the first part of the week it behaves. Not an account or
#: a client that is out of order half of the time (`restart`: every half minute at this speed; `connect_minus_one`: six
#: log-ins refused in a row, forty minutes of the market): the gateway observes then, and other faults are told of as that.
MISBEHAVIOURS = (
    "duplicated,reordered",
    "never_told,garbage_quotes",
    "pushes_dead,answers_late",
    "callback_before_response,delayed,cancel_false_though_done",
    "whole_day_pushed_again,stale_queries",
)
