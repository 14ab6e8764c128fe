"""What decides is away while holdings fall: Redis, the worker, beat. The gateway sells all the same."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

import redis

from tests.simulation.processes.house import BEAT, REDIS, WORKER
from tests.simulation.processes.stage import Stage
from tests.stack import wait_for

#: Real seconds an outage lasts, and how soon in it a holding that falls must be sold: the gateway notices after four
#: seconds that nobody decides, and then does.
OUTAGE, SOLD = 14.0, 12.0
#: What processes say at the level ERROR while Redis is away.
REDIS_IS_AWAY = (
    r"consumer: Cannot connect to redis",
    r"redis\.exceptions\.(Connection|Timeout)Error",
    r"kombu\.exceptions\.OperationalError",
    r"beat: Connection error",
    r"Message Error",
)


def redis_stopped(stage: Stage) -> None:
    """Redis is asked to stop, and stays away."""
    _ready(stage)
    process = stage.house.processes[REDIS]
    process.kept_away = True
    assert process.popen is not None
    process.popen.send_signal(signal.SIGTERM)
    stage.explain(*REDIS_IS_AWAY)
    _outage(stage, stage.house.away(REDIS))


def redis_killed(stage: Stage) -> None:
    """Redis is killed, and again whenever it starts."""
    _ready(stage)
    stage.explain(*REDIS_IS_AWAY)
    _outage(stage, stage.house.away(REDIS))


def redis_frozen(stage: Stage) -> None:
    """Redis takes connections and answers nothing."""
    _ready(stage)
    stage.explain(*REDIS_IS_AWAY)
    _outage(stage, stage.house.frozen(REDIS))


def redis_emptied(stage: Stage) -> None:
    """FLUSHALL, three times: no truth is in there."""
    _ready(stage)
    client = redis.Redis.from_url(stage.house.redis_url, protocol=2)
    for offset in (60, 90, 120):
        stage.market(offset)
        client.flushall()


def worker_away(stage: Stage) -> None:
    """The worker is killed whenever it starts, or frozen between two writes."""
    _ready(stage)
    frozen = stage.chance.random() < 0.5
    stage.notes["how"] = "frozen" if frozen else "killed"
    _outage(
        stage, stage.house.frozen_between_writes(WORKER) if frozen else stage.house.away(WORKER)
    )


def beat_dead(stage: Stage) -> None:
    """Nobody says when ticks are due."""
    _ready(stage, metronome=False)
    stage.house.start(BEAT)
    stage.until(lambda: stage.house.tick_started() != "None", "a tick of beat's")
    _outage(stage, stage.house.away(BEAT))


def beat_doubled(stage: Stage) -> None:
    """Two schedulers send everything twice."""
    _ready(stage, metronome=False)
    for key in ("beat", "beat2"):
        schedule = ["--pidfile", str(stage.house.home / f"{key}.pid")]
        stage.house.start(BEAT, options=schedule, key=key)
    stage.market(stage.house.market.last_offset)


def _ready(stage: Stage, *, metronome: bool = True) -> None:
    stage.begin(metronome=metronome)
    stage.armed()


def _outage(stage: Stage, away: AbstractContextManager[None]) -> None:
    """Every holding that falls early enough in the outage is sold before it ends."""
    house = stage.house
    began = house.market_now()
    ended = began + timedelta(seconds=OUTAGE * house.speed)
    with away:
        house.wait_for_market(ended)
        for stock in house.market.stocks:
            fell = stock.fell_at(house.market.opens)
            if fell is not None and fell + timedelta(seconds=SOLD * house.speed) < ended:
                _was_sold(stage, stock.symbol, began, fell)
        stage.notes["away"] = stage.passed()
    wait_for(house.is_armed, 30)


def _was_sold(stage: Stage, symbol: str, began: datetime, fell: datetime) -> None:
    sent = stage.house.sent(symbol)
    if not sent:
        stage.missed.append(f"{symbol} fell at {fell:%H:%M:%S} and was not sold in the outage")
    elif fell > began:
        seconds = (sent[0][1] - fell).total_seconds() / stage.house.speed
        stage.notes.setdefault("sold_after", []).append(round(seconds, 1))
