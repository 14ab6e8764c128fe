"""The accounts a person is limited to, on the admin's pages: lists, filters, forms and actions (services/reach.py)."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import get_language

from trading.models import Account
from trading.services.reach import ONLY_LOOK, Reach, path_of, reach_of


class SeenAccounts(admin.RelatedFieldListFilter):
    """A filter by account offers those that are seen."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        reach = reach_of(request.user)
        only = {} if reach.seen is None else {"pk__in": reach.seen}
        return field.get_choices(include_blank=False, limit_choices_to=only)


class WithinReach:
    """A page of rows: those of accounts that are seen; changed are those of accounts that are traded."""

    model: Any

    def reach(self, request: HttpRequest) -> Reach:
        return reach_of(request.user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.reach(request).rows(super().get_queryset(request))  # type: ignore[misc]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [_filter(one) for one in super().get_list_filter(request)]  # type: ignore[misc]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **more: Any) -> Any:
        if db_field.related_model is Account:
            more["queryset"] = self.reach(request).tradable(Account.objects.order_by("name"))
        return super().formfield_for_foreignkey(db_field, request, **more)  # type: ignore[misc]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A row of an account may be added by whoever trades one; an account itself, or what all share, by no limited one."""
        if not super().has_add_permission(request):  # type: ignore[misc]
            return False
        reach = self.reach(request)
        return reach.is_everything or (
            path_of(self.model) not in (None, "pk") and reach.has_any_to_trade
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._reaches(request, obj)  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._reaches(request, obj)  # type: ignore[misc]

    def _reaches(self, request: HttpRequest, obj: Any) -> bool:
        reach = self.reach(request)
        if reach.is_everything:
            return True
        return path_of(self.model) is not None if obj is None else reach.changes(obj)


class HouseOnly(WithinReach):
    """A page of what concerns the whole house: a person with a limit does not have it."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.reach(request).is_everything and super().has_module_permission(request)  # type: ignore[misc]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.reach(request).is_everything and super().has_view_permission(request, obj)  # type: ignore[misc]


def _filter(one: Any) -> Any:
    is_account = isinstance(one, str) and one.rpartition("__")[2] == "account"
    return (one, SeenAccounts) if is_account else one


def within_reach(
    page: admin.ModelAdmin, request: HttpRequest, rows: QuerySet[Any]
) -> QuerySet[Any]:
    """Return the rows this person may act on; that there were others is told."""
    reach = reach_of(request.user)
    if reach.is_everything:
        return rows
    kept = reach.tradable(rows)
    if kept.count() < rows.count():
        page.message_user(request, ONLY_LOOK.in_language(get_language() or "en"), messages.ERROR)
    return kept
