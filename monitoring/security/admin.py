"""Users and their roles: nobody makes himself more than he is, and whoever acted once is never deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from monitoring.security import lockout, second_factor
from monitoring.security.sessions import end_sessions
from trading.admin.base import ask_and_act, say
from trading.admin.reach import HouseOnly
from trading.domain.types import Text
from trading.models.fields import both

_CHANGE = ["change"]
for model in (User, Group, TOTPDevice, StaticDevice):
    admin.site.unregister(model)  # Django's own pages would let an administrator make a superuser


@admin.register(User)
class PeopleAdmin(HouseOnly, UserAdmin):
    """An administrator looks after everybody but superusers, and gives roles, not single rights."""

    list_display = ("username", "roles", "is_active", "is_staff", "is_superuser", "second_factor")
    list_filter = ("is_active", "groups")
    filter_horizontal = ("groups",)
    actions = ("unlock", "end_all_sessions", "remove_second_factor")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What somebody did names them for ever: switch a user off (`active`) instead."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_above = obj is not None and obj.is_superuser and not request.user.is_superuser
        return not is_above and super().has_change_permission(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        given = super().get_fieldsets(request, obj)
        if request.user.is_superuser or obj is None:
            return given
        kept = {"is_superuser", "user_permissions"}
        return [
            (title, {**options, "fields": [one for one in options["fields"] if one not in kept]})
            for title, options in given
        ]

    @admin.display(description=both("roles", "角色"))
    def roles(self, row: User) -> str:
        return ", ".join(row.groups.values_list("name", flat=True)) or "-"

    @admin.display(description=both("second factor", "第二验证因素"), boolean=True)
    def second_factor(self, row: User) -> bool:
        return second_factor.is_on(row)

    @admin.action(
        description=both("Lift the lock of the log-in", "解除登录锁定"), permissions=_CHANGE
    )
    def unlock(self, request: HttpRequest, rows: QuerySet[User]) -> HttpResponse | None:
        title = Text("Lift the lock of the log-in", "解除登录锁定")
        return self._for_each(request, rows, title, lambda row: lockout.lift(row.username))

    @admin.action(description=both("End all sessions", "结束全部会话"), permissions=_CHANGE)
    def end_all_sessions(self, request: HttpRequest, rows: QuerySet[User]) -> HttpResponse | None:
        title = Text("End all sessions: they have to log in again", "结束全部会话：须重新登录")
        mine, now = request.session.session_key, timezone.now()
        return self._for_each(
            request, rows, title, lambda row: end_sessions(row.pk, now, but=mine) > 0
        )

    @admin.action(
        description=both("Remove the second factor", "移除第二验证因素"), permissions=_CHANGE
    )
    def remove_second_factor(
        self, request: HttpRequest, rows: QuerySet[User]
    ) -> HttpResponse | None:
        title = Text(
            "Remove the second factor: phone and recovery codes are lost",
            "移除第二验证因素：适用于手机与恢复码均丢失的情况",
        )
        return self._for_each(request, rows, title, second_factor.remove)

    def _for_each(
        self,
        request: HttpRequest,
        rows: QuerySet[User],
        title: Text,
        change: Callable[[User], bool],
    ) -> HttpResponse | None:
        def act(row: User, answers: dict[str, Any]) -> bool | Text:
            if not self.has_change_permission(request, row):
                return Text(f"{row}: only a superuser may.", f"{row}：仅超级用户可以操作。")
            changed = change(row)
            if changed:
                self.log_change(request, row, f"{say(title)}: {answers['why']}")
            return changed

        return ask_and_act(self, request, rows, title, act)


@admin.register(Group)
class RolesAdmin(HouseOnly, GroupAdmin):
    """Roles are read; only a superuser adds groups of another making."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)
