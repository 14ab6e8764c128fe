"""What people and exchanges do: a kill file between claim and call, a client that refuses, the end of the day."""

from __future__ import annotations

import subprocess
import sys

from tests.simulation.processes.house import GATEWAY, PAPER
from tests.simulation.processes.points import Death
from tests.simulation.processes.stage import Stage
from tests.stack import OPENING, ROOT, set_clock, surroundings, wait_for

#: Six minutes before the exchange closes; what is not sold by then rests until its day ends.
AFTERNOON = {"opens": OPENING.replace(hour=14, minute=54), "falls": 7, "until": 165, "lasts": 500}
#: Real seconds between the claim of an order and the last check before it is sent.
PAUSE = 1.5
SUBMITTING = "SELECT 1 FROM trading_order WHERE state = 'submitting'"


def kill_file(stage: Stage) -> None:
    """A person stops everything by a file just when an order is about to go out; the gateway dies letting it go."""
    number = stage.chance.randint(1, 3)
    faults = f"gateway.claimed:{number}:delay:{PAUSE},desk.dropped:1:kill"
    stage.begin([Death(GATEWAY, "desk.dropped", (faults,))])
    stage.armed()
    house = stage.house
    claims = "SELECT COUNT(*) FROM trading_order WHERE epoch > 0"
    stage.until(
        lambda: house.rows(SUBMITTING) and house.rows(claims)[0][0] >= number, "a claimed order"
    )
    file = house.home / "KILL"
    file.write_text("the campaign\n", encoding="utf-8")
    since = house.market_now()
    stage.until(lambda: GATEWAY in stage.died(), "the death of the gateway", 20)
    stage.until(lambda: house.rows(HALTED), "a halted account")
    stage.pause(stage.chance.uniform(0, 3))
    stage.silent.append((since, house.market_now()))
    file.unlink()
    _resume(stage)


HALTED = "SELECT 1 FROM trading_account WHERE trading_state = 'halted'"


def _resume(stage: Stage) -> None:
    """A person resumes with a reason."""
    command = ("-m", "django", "halt", "--resume", "--why", "the campaign goes on")
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=surroundings(stage.house.home),
        capture_output=True,
        timeout=60,
    )
    if done.returncode:
        stage.missed.append(f"resume: {done.stderr.decode(errors='replace')[-300:]}")


def refusals(stage: Stage) -> None:
    """The client refuses orders without a word, and the gateway dies when it writes that down; then all is well."""
    options = ["--misbehave", "silent_refusal", "--seed", str(stage.chance.randint(1, 10_000))]
    death = Death(GATEWAY, "execution.rejected", ("execution.rejected:1:kill",))
    stage.begin([death], terminal=options)
    stage.wait_for_faults(20)
    terminal = stage.house.processes[PAPER]
    terminal.command = terminal.command[: -len(options)]
    stage.house.kill(PAPER)


def day_end(stage: Stage) -> None:
    """The day ends with orders that rest; the gateway dies when it ends them. The day's books are signed off."""
    point = stage.chance.choice(["desk.day_ended", "moves.updated"])
    stage.begin()
    stage.armed()
    house = stage.house
    stage.market(6 * 60 + 10)
    stage.unsold.update(stock.symbol for stock in house.market.stocks)
    house.processes[GATEWAY].faults = [f"{point}:1:kill"]
    house.kill(GATEWAY)
    set_clock(house.home, house.market.opens.replace(hour=15, minute=35, second=5), house.speed)
    stage.until(lambda: house.rows(SIGNED), "books signed off", 60)
    wait_for(house.is_armed, 30)


SIGNED = "SELECT 1 FROM trading_daybooks WHERE signed_at IS NOT NULL"
