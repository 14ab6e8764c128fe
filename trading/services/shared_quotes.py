"""The quotes all processes of one machine share, as each of them opens them."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path

from django.conf import settings

from trading.market_data.file_store import FileQuoteStore
from trading.market_data.redis_store import RedisQuoteStore
from trading.market_data.shared_store import FallbackQuotes, SharedQuotes
from trading.ports import QuoteReader

FILE = "quotes.sqlite3"


def open_quotes() -> QuoteReader:
    """Return a reader of its own for one thread: Redis first, the file while Redis does not answer in 200 ms."""
    file = FileQuoteStore(Path(settings.HOME) / FILE)
    url = settings.REDIS_URL
    return FallbackQuotes(RedisQuoteStore(url), file) if url else file


class _OfThread(threading.local):
    @cached_property
    def reader(self) -> QuoteReader:
        return open_quotes()


_of_thread = _OfThread()


def quotes_of_thread() -> QuoteReader:
    """Return the reader of this thread, opened once: a worker's thread runs many ticks."""
    return _of_thread.reader


def open_quotes_to_write() -> SharedQuotes:
    """Return the writer, for the one process that writes."""
    file = FileQuoteStore(Path(settings.HOME) / FILE, writes=True)
    return SharedQuotes(file, settings.REDIS_URL)
