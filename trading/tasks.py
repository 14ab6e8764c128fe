"""The ticks as Celery tasks: no arguments, no retry; the next tick is the retry (docs/adr/0002)."""

from __future__ import annotations

import threading
from functools import cached_property

from celery import shared_task
from django.conf import settings
from django.db import connections
from django.utils import timezone

from trading.ports import QuoteReader
from trading.services.nudges import Nudger
from trading.services.runner import ORDERS, STRATEGY, SYNC, TickSpec, run_tick
from trading.services.shared_quotes import open_quotes


class _Tools(threading.local):
    """What a tick needs from outside, opened once per thread of the worker."""

    @cached_property
    def quotes(self) -> QuoteReader:
        return open_quotes()

    @cached_property
    def nudge(self) -> Nudger:
        return Nudger(settings.REDIS_URL)


_tools = _Tools()


def run_in_worker(spec: TickSpec) -> None:
    """Run one tick with the quotes and the nudge of this thread of the worker."""
    try:
        run_tick(spec, _tools.quotes, _tools.nudge, timezone.now)
    finally:
        # Connections serve many tasks (CELERY_DB_REUSE_MAX); a broken one must not fail the next tick too.
        for connection in connections.all(initialized_only=True):
            if connection.errors_occurred:
                connection.close()


@shared_task(name="trading.sync")
def sync() -> None:
    """Project the newest broker snapshot into accounts and positions."""
    run_in_worker(SYNC)


@shared_task(name="trading.strategy")
def strategy() -> None:
    """Quotes → signals → risk → orders."""
    run_in_worker(STRATEGY)


@shared_task(name="trading.orders")
def orders() -> None:
    """Timeouts, cancels, re-orders, the end of old signals."""
    run_in_worker(ORDERS)
