"""The Celery application: `celery -A miniqmt worker`. Tasks are ticks; they carry ids only, as JSON."""

from __future__ import annotations

import gc
import logging
import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    celeryd_init,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_init,
)
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from monitoring import log_files
from monitoring.task_times import NAME, TaskTimes
from trading.management.progress import WORKER_FINISHED, mark

log = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "miniqmt.settings")
app = Celery("miniqmt")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def let_garbage_wait(**_: object) -> None:
    """Look for garbage rarely: a tick makes hundreds of thousands of objects, and all of them go when it ends.

    As Python does it by itself, a tick of thousands of holdings spends a third of its time looking through them. What
    became garbage when it was old already waits for the third generation's turn: that one is to come within hours.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 10)


@worker_init.connect
def show_progress(**_: object) -> None:
    """Tell `up` of every task that was finished: a worker that hangs is started again."""
    finished = Path(settings.HOME) / WORKER_FINISHED
    task_postrun.connect(lambda **_: mark(finished), weak=False)


@worker_init.connect
def take_times(**_: object) -> None:
    """Keep how long each task takes, for /metrics."""
    times = TaskTimes(Path(settings.HOME) / NAME)
    task_prerun.connect(lambda task_id, **_: times.begin(task_id), weak=False)
    task_postrun.connect(lambda task_id, task, **_: times.end(task_id, task.name), weak=False)


@setup_logging.connect
def keep_our_logging(loglevel: int = logging.WARNING, **_: object) -> None:
    """Celery would take our handlers away and put its own in their place; `-l info` shows more in the console."""
    log_files.show_from(loglevel)


@worker_init.connect
def tell_what_ticks_decide(**_: object) -> None:
    """Let every line of a task carry its number, and write a line for what a tick has decided."""
    from structlog.contextvars import bind_contextvars, clear_contextvars

    from monitoring.decisions import Decisions  # models: the apps are loaded by now

    decisions = Decisions()

    def begin(task_id: str = "", task: Any = None, **_: object) -> None:
        clear_contextvars()
        bind_contextvars(tick=task_id, task=getattr(task, "name", ""))

    def end(task: Any = None, **_: object) -> None:
        try:
            if getattr(task, "spec", None) is not None:
                decisions.tell()
        except (DatabaseError, InterfaceError) as problem:
            log.warning("what was decided is not in the log: %s", problem)
        finally:
            clear_contextvars()

    task_prerun.connect(begin, weak=False)
    task_postrun.connect(end, weak=False)


@celeryd_init.connect
@beat_init.connect
def _needs_redis(**_: object) -> None:
    """Say what is missing: without an address Celery would look for another broker, for ever."""
    if not settings.REDIS_URL:
        raise SystemExit(
            "There is no Redis to talk to: set REDIS_URL, or start `python manage.py up`, and start this again."
            " 没有可用的 Redis：请设置 REDIS_URL，或先运行 `python manage.py up`，然后重新启动本进程。"
        )
