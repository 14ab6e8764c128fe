"""The Celery application: `celery -A miniqmt worker`. Tasks are ticks; they carry ids only, as JSON."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "miniqmt.settings")
app = Celery("miniqmt")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
@beat_init.connect
def _needs_redis(**_: Any) -> None:
    """Say what is missing: without an address Celery would look for another broker, for ever."""
    if not settings.REDIS_URL:
        raise SystemExit(
            "There is no Redis to talk to: set REDIS_URL, or start `python manage.py up`, and start this again."
            " 没有可用的 Redis：请设置 REDIS_URL，或先运行 `python manage.py up`，然后重新启动本进程。"
        )
