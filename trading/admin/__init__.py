"""Django admin: reading everything, changing little, and only through services."""

from __future__ import annotations

from django.contrib import admin

from trading.admin import (
    access,
    accounts,
    books,
    config,
    ledger,
    market,
    quote_sources,
    unknown,
    watch,
)
from trading.models.fields import both

admin.site.site_header = both("miniqmt administration", "miniqmt 管理")
admin.site.site_title = "miniqmt"
admin.site.enable_nav_sidebar = False  # the width belongs to the lists

__all__ = [
    "access",
    "accounts",
    "books",
    "config",
    "ledger",
    "market",
    "quote_sources",
    "unknown",
    "watch",
]
