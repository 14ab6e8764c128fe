"""The quotes all processes of one machine share, as each of them opens them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from django.conf import settings

from trading.domain.source_health import Said
from trading.domain.types import Symbol
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

    @cached_property
    def file(self) -> FileQuoteStore:
        return FileQuoteStore(Path(settings.HOME) / FILE)


_of_thread = _OfThread()


def quotes_of_thread() -> QuoteReader:
    """Return the reader of this thread, opened once: a worker's thread runs many ticks."""
    return _of_thread.reader


def said_of_thread(symbols: Iterable[Symbol]) -> Sequence[Said]:
    """Return what each source says of itself (symbol "") and of these symbols. Raises GatewayUnavailable.

    It is in the file alone: for people and the health tick, no decision waits for it.
    """
    return _of_thread.file.said(symbols)


def refused_of_thread() -> set[Symbol]:
    """Return the symbols whose quotes some source has refused. Raises GatewayUnavailable."""
    return _of_thread.file.refused()


def open_quotes_to_write() -> SharedQuotes:
    """Return the writer, for the one process that writes."""
    file = FileQuoteStore(Path(settings.HOME) / FILE, writes=True)
    return SharedQuotes(file, settings.REDIS_URL)
