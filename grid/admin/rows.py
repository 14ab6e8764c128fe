"""Grid fills and ex-rights adjustments: to read."""

from __future__ import annotations

from django.contrib import admin

from grid.models import GridAdjustment, GridTrade
from trading.admin.base import Readable


@admin.register(GridTrade)
class GridTradeAdmin(Readable):
    """Every fill of every session, with what it realised."""

    list_display = ("at", "session", "side", "quantity", "price", "fees", "realised")
    list_filter = ("side", "session__account")
    search_fields = ("session__symbol",)
    date_hierarchy = "at"
    ordering = ("-pk",)
    list_select_related = ("session",)


@admin.register(GridAdjustment)
class GridAdjustmentAdmin(Readable):
    """Corporate actions sessions went through."""

    list_display = ("on", "session", "factor", "share_ratio", "at")
    search_fields = ("session__symbol",)
    ordering = ("-pk",)
    list_select_related = ("session",)
