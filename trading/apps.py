"""Django's name for this package."""

from __future__ import annotations

import sqlite3
from typing import Any

from django.apps import AppConfig
from django.utils.functional import lazy
from django.utils.translation import get_language

from trading.domain.types import Text


def _name(en: str, zh: str) -> str:
    return Text(en, zh).in_language(get_language() or "en")


#: An app's name in the reader's language.
spoken = lazy(_name, str)


class TradingApp(AppConfig):
    """交易"""

    name = "trading"
    verbose_name = spoken("Trading", "交易")

    def ready(self) -> None:
        from django.db.backends.sqlite3.base import DatabaseWrapper

        features: Any = DatabaseWrapper.features_class

        # Django allows SQLite 999 values a statement; SQLite itself 32,766 since 3.32. Fewer, larger upserts.
        if sqlite3.sqlite_version_info >= (3, 32):
            features.max_query_params = 32_766
