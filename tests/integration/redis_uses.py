"""What the product does with a Redis besides its tasks: quotes, and nudges of gateways."""

from __future__ import annotations

import threading

from trading.domain.types import Symbol
from trading.market_data.redis_store import RedisQuoteStore
from trading.services.nudges import NudgeListener, Nudger


def quotes_and_nudges_work(url: str) -> None:
    """Read quotes, and wake a listener twice: when it has subscribed, and by a nudge."""
    store = RedisQuoteStore(url, timeout=5.0)
    store.clear()
    assert dict(store.latest([Symbol("600036.SH")])) == {}
    store.close()

    woken = threading.Event()
    listener = NudgeListener(url, 7, woken.set)
    listener.start()
    assert woken.wait(10)
    woken.clear()
    Nudger(url)(7)
    assert woken.wait(10)
    listener.stop()
