"""Sends the ticks as beat does, from a thread of the harness: a run that is not about beat saves a process."""

from __future__ import annotations

import logging
import threading

from celery import Celery
from kombu.exceptions import KombuError
from redis import RedisError

log = logging.getLogger(__name__)

#: Task, and real seconds between two of it.
TICKS = {"trading.sync": 1.0, "trading.strategy": 0.5, "grid.tick": 0.5, "trading.orders": 0.5}
#: Seconds a message is any use.
EXPIRES = 2
LOOK = 0.1


class Metronome:
    """Between `start` and `stop` every tick is sent at its period, `times` over."""

    def __init__(self, redis_url: str, times: int = 1) -> None:
        self._app = Celery("metronome", broker=redis_url)
        self._app.conf.update(
            broker_transport_options={"socket_timeout": 1, "socket_connect_timeout": 1},
            task_serializer="json",
            broker_connection_retry=False,
        )
        self.times = times
        self.sent = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metronome")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10)

    def _run(self) -> None:
        due = dict.fromkeys(TICKS, 0.0)
        passed = 0.0
        while not self._over.wait(LOOK):
            passed += LOOK
            for task, period in TICKS.items():
                if passed >= due[task]:
                    due[task] = passed + period
                    self._send(task)

    def _send(self, task: str) -> None:
        try:
            for _ in range(self.times):
                self._app.send_task(task, queue="ticks", expires=EXPIRES, retry=False)
                self.sent += 1
        except (OSError, KombuError, RedisError) as problem:
            log.info("nobody hears of this tick: %s", problem)
