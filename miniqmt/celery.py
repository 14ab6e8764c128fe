"""The Celery application: `celery -A miniqmt worker`. Tasks are ticks; they carry ids only, as JSON."""

from __future__ import annotations

import gc
import os
from pathlib import Path

from celery import Celery
from celery.signals import beat_init, celeryd_init, task_postrun, task_prerun, worker_init
from django.conf import settings

from monitoring.task_times import NAME, TaskTimes
from trading.management.progress import WORKER_FINISHED, mark

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "miniqmt.settings")
app = Celery("miniqmt")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def let_garbage_wait(**_: object) -> None:
    """Look for garbage rarely: a tick makes hundreds of thousands of objects, and all of them go when it ends.

    As Python does it by itself, a tick of thousands of holdings spends a third of its time looking through them.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


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


@celeryd_init.connect
@beat_init.connect
def _needs_redis(**_: object) -> None:
    """Say what is missing: without an address Celery would look for another broker, for ever."""
    if not settings.REDIS_URL:
        raise SystemExit(
            "There is no Redis to talk to: set REDIS_URL, or start `python manage.py up`, and start this again."
            " 没有可用的 Redis：请设置 REDIS_URL，或先运行 `python manage.py up`，然后重新启动本进程。"
        )
