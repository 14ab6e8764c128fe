"""The Celery application: `celery -A miniqmt worker`. Tasks are ticks; they carry ids only, as JSON."""

from __future__ import annotations

import gc
import os

from celery import Celery
from celery.signals import worker_init

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
