"""Who is limited to which accounts: given by whoever looks after users, and by nobody who is limited himself."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from trading.admin.reach import HouseOnly
from trading.models import AccountAccess, AccountLimit
from trading.models.fields import both

#: Whoever may look after users.
CHANGE, VIEW = "auth.change_user", "auth.view_user"


class LimitForm(forms.ModelForm):
    """For whom a limit makes sense."""

    class Meta:
        model = AccountLimit
        fields = ("user",)
        help_texts = {
            "user": both(
                "Sees the accounts below and no other one, in every page, list, stream and by every token. Without any"
                " account: none at all. Deleting the limit gives all accounts back.",
                "仅可查看下列账户：适用于所有页面、列表、实时数据与令牌。未列出任何账户时一个也看不到。删除此范围即恢复全部账户。",
            )
        }

    def clean_user(self) -> Any:
        user = self.cleaned_data["user"]
        if user.is_superuser:
            raise ValidationError(
                both(
                    f"{user} is a superuser, for whom no limit holds: take that away first.",
                    f"{user} 是超级用户，账户范围对其无效：请先取消其超级用户身份。",
                )
            )
        return user


class AccessInline(admin.TabularInline):
    """The accounts of one person."""

    model = AccountAccess
    extra = 1

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(VIEW))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(CHANGE))

    has_add_permission = has_delete_permission = has_change_permission


@admin.register(AccountLimit)
class AccountLimitAdmin(HouseOnly, admin.ModelAdmin):
    """One row for each limited user; the admin's log, and with it the audit chain, keeps every change."""

    form = LimitForm
    inlines = (AccessInline,)
    list_display = ("user", "named")
    list_select_related = ("user",)

    @admin.display(description=both("accounts", "账户"))
    def named(self, row: AccountLimit) -> str:
        return str(row).partition(": ")[2]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("user",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, VIEW)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, CHANGE)

    has_change_permission = has_delete_permission = has_add_permission

    def _may(self, request: HttpRequest, permission: str) -> bool:
        return self.reach(request).is_everything and bool(request.user.has_perm(permission))
