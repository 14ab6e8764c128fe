"""The ticks as Celery tasks: no arguments, no retry; the next tick is the retry (docs/adr/0002).

A task's `spec` says when it could have any use; while it has none, beat does not send it (miniqmt/beat.py).
"""

from __future__ import annotations

import threading
from functools import cached_property

from celery import Task, shared_task
from django.conf import settings
from django.db import DatabaseError, connections
from django.utils import timezone

from trading.services.daily_round import after_the_close
from trading.services.nudges import Nudger
from trading.services.plug_ins import PLUG_INS
from trading.services.reference_round import before_the_open
from trading.services.runner import ORDERS, STRATEGY, SYNC, TickSpec, run_tick
from trading.services.shared_quotes import quotes_of_thread


class _Tools(threading.local):
    """What a tick needs from outside, opened once per thread of the worker."""

    @cached_property
    def nudge(self) -> Nudger:
        return Nudger(settings.REDIS_URL)


_tools = _Tools()


def run_in_worker(spec: TickSpec) -> None:
    """Run one tick with the quotes and the nudge of this thread of the worker."""
    try:
        run_tick(spec, quotes_of_thread(), _tools.nudge, timezone.now)
    finally:
        close_broken_connections()


def close_broken_connections() -> None:
    """Connections serve many tasks (CELERY_DB_REUSE_MAX); a broken one must not fail the next task too."""
    for connection in connections.all(initialized_only=True):
        if connection.errors_occurred:
            connection.close()


@shared_task(name="trading.sync", base=Task, spec=SYNC)
def sync() -> None:
    """Project the newest broker snapshot into accounts and positions."""
    run_in_worker(SYNC)


@shared_task(name="trading.strategy", base=Task, spec=STRATEGY)
def strategy() -> None:
    """Quotes → signals → risk → orders."""
    run_in_worker(STRATEGY)


@shared_task(name="trading.orders", base=Task, spec=ORDERS)
def orders() -> None:
    """Timeouts, cancels, re-orders, the end of old signals."""
    run_in_worker(ORDERS)


@shared_task(name="trading.plug_ins", base=Task, spec=PLUG_INS)
def plug_ins() -> None:
    """Advice of the strategy plug-ins → risk → orders."""
    run_in_worker(PLUG_INS)


@shared_task(
    name="trading.indicators", autoretry_for=(DatabaseError,), retry_backoff=5, max_retries=2
)
def indicators() -> None:
    """After the close: the session's daily bars, and a child that counts the indicators."""
    try:
        after_the_close(timezone.now(), quotes_of_thread())
    finally:
        close_broken_connections()


@shared_task(
    name="trading.reference", autoretry_for=(DatabaseError,), retry_backoff=5, max_retries=2
)
def reference() -> None:
    """Before the open: what the real terminal states of instruments, limits, days and ex-rights."""
    try:
        before_the_open(timezone.now())
    finally:
        close_broken_connections()
