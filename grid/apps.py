"""Django's name for this package."""

from __future__ import annotations

from django.apps import AppConfig


class GridApp(AppConfig):
    """网格"""

    name = "grid"
    verbose_name = "网格"
