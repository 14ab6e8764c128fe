"""Django's name for this package."""

from __future__ import annotations

from django.apps import AppConfig


class MonitoringApp(AppConfig):
    """监控"""

    name = "monitoring"
    verbose_name = "监控"
