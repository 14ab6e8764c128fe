"""The Celery application: `celery -A miniqmt worker`. Tasks are ticks; they carry ids only, as JSON."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "miniqmt.settings")
app = Celery("miniqmt")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
