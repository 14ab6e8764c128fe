"""Instruments and the calendar."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from trading.admin.base import Readable, ReadOnly, actor_of
from trading.admin.reach import WithinReach
from trading.domain.types import Symbol
from trading.models import DailyBar, DailyIndicator, Instrument, TradingDay
from trading.models.fields import both
from trading.services.calendar import DISPUTED, HAND, settle_day
from trading.services.instruments import FIELDS, correct_instrument, release_corrections


@admin.register(Instrument)
class InstrumentAdmin(WithinReach, admin.ModelAdmin):
    """What the sources say of a symbol. A person may correct it: no source changes that field from then on."""

    list_display = (
        *("symbol", "name", "board", "category", "settlement", "risk_warning"),
        *("listed_on", "source", "corrected"),
    )
    list_filter = ("board", "category", "settlement", "special_treatment")
    search_fields = ("symbol", "name")
    fields = ("symbol", *FIELDS, "source", "updated_at", "corrected")
    readonly_fields = ("symbol", "source", "updated_at", "corrected")
    actions = ("release",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(
        description=Instrument._meta.get_field("special_treatment").verbose_name,
        ordering="special_treatment",
    )
    def risk_warning(self, row: Instrument) -> str:
        """A red cross would say that something is wrong with all the others."""
        return "ST" if row.special_treatment else "-"

    @admin.display(description=both("corrected by hand", "人工修正"))
    def corrected(self, row: Instrument) -> str:
        names = (
            (Instrument._meta.get_field(name).verbose_name, by)  # type: ignore[union-attr]
            for name, by in sorted(row.corrections.items())
        )
        return "; ".join(f"{name} ({by})" for name, by in names) or "-"

    def save_model(self, request: HttpRequest, obj: Instrument, form: Any, change: bool) -> None:
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name in FIELDS}
        correct_instrument(Symbol(obj.symbol), changes, actor_of(request), timezone.now())

    @admin.action(
        description=both("Let the sources count again", "取消人工修正"), permissions=["change"]
    )
    def release(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        for row in queryset:
            release_corrections(Symbol(row.symbol), actor_of(request), timezone.now())


@admin.register(TradingDay)
class TradingDayAdmin(WithinReach, ReadOnly, admin.ModelAdmin):
    """Known days. One the calendar does not know can be added, one that is disputed decided; no other is changed."""

    list_display = ("on", "is_session", "source")
    list_filter = ("is_session", "source")
    date_hierarchy = "on"
    ordering = ("-on",)
    fields = ("on", "is_session")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = request.user.has_perm("trading.add_tradingday")
        return self.reach(request).is_everything and bool(may)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        disputed = obj is not None and obj.source.startswith(DISPUTED)
        may = request.user.has_perm("trading.change_tradingday")
        return disputed and self.reach(request).is_everything and bool(may)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("on",)

    def save_model(self, request: HttpRequest, obj: TradingDay, form: Any, change: bool) -> None:
        if change:
            settle_day(obj.on, obj.is_session, actor_of(request))
            return
        obj.source = f"{HAND}: {actor_of(request)}"[:32]
        super().save_model(request, obj, form, change)


@admin.register(DailyBar)
class DailyBarAdmin(Readable):
    """Completed sessions as they were traded."""

    list_display = (
        *("symbol", "on", "open", "high", "low", "close", "previous_close"),
        *("volume", "amount", "environment", "source"),
    )
    list_filter = ("environment",)
    list_select_related = ()
    search_fields = ("symbol",)
    date_hierarchy = "on"
    ordering = ("-on", "symbol")


@admin.register(DailyIndicator)
class DailyIndicatorAdmin(Readable):
    """MACD(12, 26, 9) and moving averages after each session, counted by `manage.py indicators`."""

    list_display = (
        *("symbol", "on", "close", "dif", "dea_", "histogram", "ma10", "ma20", "ma30", "ma60"),
        *("sessions", "environment"),
    )
    list_filter = ("environment",)
    list_select_related = ()
    search_fields = ("symbol",)
    date_hierarchy = "on"
    ordering = ("-on", "symbol")

    @admin.display(description="DIF")
    def dif(self, row: DailyIndicator) -> str:
        return f"{row.ema12 - row.ema26:.4f}"

    @admin.display(description="DEA", ordering="dea")
    def dea_(self, row: DailyIndicator) -> str:
        return f"{row.dea:.4f}"

    @admin.display(description="MACD")
    def histogram(self, row: DailyIndicator) -> str:
        return f"{2 * (row.ema12 - row.ema26 - row.dea):.4f}"
