"""Django's name for this package."""

from __future__ import annotations

from django.apps import AppConfig

from trading.apps import spoken


class GridApp(AppConfig):
    """网格"""

    name = "grid"
    verbose_name = spoken("Grid trading", "网格交易")
