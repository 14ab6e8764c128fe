"""Nudges over Redis: "something was committed for this account". They carry no truth; losing one costs a second."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

#: Seconds Redis has to take a nudge.
TIMEOUT = 0.2
#: Seconds a listener waits for a message, and before it tries a silent Redis again.
LISTEN, TRY_AGAIN = 1.0, 2.0


def channel_of(account_id: int) -> str:
    """Return the channel of an account's gateway."""
    return f"miniqmt:nudge:{account_id}"


class Nudger:
    """Publishes nudges. One that cannot be published is logged and forgotten: the gateway polls."""

    def __init__(self, url: str) -> None:
        self._redis = _connect(url, TIMEOUT) if url else None

    def __call__(self, account_id: int) -> None:
        if self._redis is None:
            return
        try:
            self._redis.publish(channel_of(account_id), "")
        except redis.RedisError as problem:
            log.warning("no nudge for account %s: %s", account_id, problem)


class NudgeListener:
    """Calls `wake` from a thread of its own for every nudge; while Redis is silent nothing is called."""

    def __init__(self, url: str, account_id: int, wake: Callable[[], None]) -> None:
        self._url, self._channel, self._wake = url, channel_of(account_id), wake
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nudges", daemon=True)

    def start(self) -> None:
        """Begin to listen; does nothing where there is no Redis."""
        if self._url:
            self._thread.start()

    def stop(self) -> None:
        """Stop listening; does not wait for the thread, which ends with the process."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                with _connect(self._url, LISTEN) as client, client.pubsub() as line:
                    self._listen(line)
            except redis.RedisError as problem:
                log.info("nudges: %s", problem)
                self._over.wait(TRY_AGAIN)

    def _listen(self, line: Any) -> None:
        line.subscribe(self._channel)
        while not self._over.is_set():
            message = line.get_message(timeout=LISTEN)
            # Having subscribed counts as one: what was said before it was not heard.
            if message is not None and message["type"] in ("message", "subscribe"):
                self._wake()


def _connect(url: str, timeout: float) -> Any:
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
