"""The watch list, and what came along from a former system."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from trading.admin.base import Readable, actor_of, market_now, say
from trading.admin.reach import WithinReach
from trading.domain.stock_pool import Entry
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import Symbol
from trading.models import FormerFill, FormerHolding, WatchedSymbol
from trading.models.fields import both
from trading.selectors import instruments_of
from trading.services import watch_list


class WatchForm(forms.ModelForm):
    """A symbol as a person writes it: 600036, SH600036 or 600036.SH."""

    class Meta:
        model = WatchedSymbol
        fields = ("account", "symbol", "note")

    def clean_symbol(self) -> Symbol:
        try:
            return parse_symbol(self.cleaned_data["symbol"])
        except SymbolError as problem:
            raise forms.ValidationError(say(problem.text)) from problem


@admin.register(WatchedSymbol)
class WatchedSymbolAdmin(WithinReach, admin.ModelAdmin):
    """Symbols are added and removed here; files by `manage.py watch import` and `export`."""

    form = WatchForm
    list_display = ("symbol", "name", "account", "note", "added_at")
    list_filter = ("account",)
    search_fields = ("symbol", "note")
    list_select_related = ("account",)
    readonly_fields = ("added_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WatchedSymbol]:
        rows = super().get_queryset(request)
        self._names = instruments_of([Symbol(row.symbol) for row in WatchedSymbol.objects.all()])
        return rows

    @admin.display(description=both("name", "名称"))
    def name(self, row: WatchedSymbol) -> str:
        return self._names[Symbol(row.symbol)].name

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: WatchedSymbol, form: Any, change: bool
    ) -> None:
        entry = Entry(Symbol(obj.symbol), obj.note)
        account = obj.account
        watch_list.watch(account.pk, [entry], market_now(account), actor_of(request))
        saved = WatchedSymbol.objects.get(account=account, symbol=obj.symbol)
        obj.pk, obj.added_at = saved.pk, saved.added_at

    def delete_model(self, request: HttpRequest, obj: WatchedSymbol) -> None:
        account = obj.account
        symbols = [Symbol(obj.symbol)]
        watch_list.unwatch(account.pk, symbols, market_now(account), actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[WatchedSymbol]) -> None:
        for row in queryset.select_related("account"):
            self.delete_model(request, row)


@admin.register(FormerHolding)
class FormerHoldingAdmin(Readable):
    """Exit state that waits for its holding, or was taken over."""

    list_display = (
        *("symbol", "account", "quantity", "base_cost", "high_since_entry"),
        *("first_take_profit_done", "armed", "exit_enabled", "adopted_at"),
    )
    list_filter = ("account", ("adopted_at", admin.EmptyFieldListFilter))
    search_fields = ("symbol",)
    ordering = ("account", "symbol")


@admin.register(FormerFill)
class FormerFillAdmin(Readable):
    """Fills of the former system: to read, counted nowhere."""

    list_display = (
        *("at", "account", "symbol", "name", "side", "quantity", "price", "amount"),
        *("commission", "strategy"),
    )
    list_filter = ("account", "side", "strategy")
    search_fields = ("symbol", "name")
    date_hierarchy = "at"
    ordering = ("-at",)
