"""Instruments and the calendar."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from trading.admin.base import ReadOnly
from trading.models import Instrument, TradingDay


@admin.register(Instrument)
class InstrumentAdmin(admin.ModelAdmin):
    """What the sources say of a symbol; a person may correct its name, its ST mark and its settlement."""

    list_display = ("symbol", "name", "board", "category", "settlement", "special_treatment")
    list_filter = ("board", "category", "settlement", "special_treatment")
    search_fields = ("symbol", "name")
    readonly_fields = (
        *("symbol", "board", "category"),
        *("listed_on", "delisting_from", "index_board"),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(TradingDay)
class TradingDayAdmin(ReadOnly, admin.ModelAdmin):
    """Known days; one the calendar does not know can be added, none changed."""

    list_display = ("on", "is_session", "source")
    list_filter = ("is_session", "source")
    date_hierarchy = "on"
    ordering = ("-on",)
    fields = ("on", "is_session")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("trading.add_tradingday"))

    def save_model(self, request: HttpRequest, obj: TradingDay, form: Any, change: bool) -> None:
        obj.source = f"by hand: {request.user.get_username()}"[:32]
        super().save_model(request, obj, form, change)
