"""Django's name for this package."""

from __future__ import annotations

import sqlite3
from functools import lru_cache
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
        from django.db.backends.sqlite3 import base

        features: Any = base.DatabaseWrapper.features_class

        # Django allows SQLite 999 values a statement; SQLite itself 32,766 since 3.32. Fewer, larger upserts.
        if sqlite3.sqlite_version_info >= (3, 32):
            features.max_query_params = 32_766
        _translate_once(base.SQLiteCursorWrapper)


def _translate_once(cursor: Any) -> None:
    """Django puts SQLite's marks into a statement each time it runs; those that run again and again are the same few."""
    translate = cursor.convert_query

    @lru_cache(maxsize=512)
    def known(query: str) -> str:
        return str(translate(None, query))

    def convert_query(self: Any, query: str, *, param_names: Any = None) -> str:
        if param_names is not None or len(query) > _LONG:
            return str(translate(self, query, param_names=param_names))
        return known(query)

    if not getattr(cursor, "translates_once", False):
        cursor.convert_query, cursor.translates_once = convert_query, True


#: Characters. A statement of many rows is not kept: each number of rows is another one.
_LONG = 10_000
