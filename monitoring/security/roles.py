"""Five roles as Django groups: who may look, operate, trade, set limits, and look after users.

They are made, and brought back to exactly this, whenever the database is migrated, which `up` does at its start; rights
beyond them are given to a user, or by groups of your own (docs/security.md has the table).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Q

_OURS = ("trading", "grid", "monitoring")
#: What everybody may who has a role: read every page. `app.codename`; of our own apps every `view_` besides.
_VIEWING = ("django_celery_beat.view_periodictask",)
_OPERATING = ("monitoring.operate",)
_TRADING = (
    "trading.trade_account",
    *(f"trading.{verb}_watchedsymbol" for verb in ("add", "change", "delete")),
)
_RISK = (
    "trading.change_tradingconfig",
    "trading.release_account",
    *("trading.change_instrument", "trading.add_tradingday", "trading.change_tradingday"),
)
_ADMIN = (
    *(*_OPERATING, *_TRADING, *_RISK),
    *("trading.add_account", "trading.change_account"),
    *("auth.view_user", "auth.add_user", "auth.change_user", "auth.view_group"),
    *(f"monitoring.{verb}_alertchannel" for verb in ("add", "change", "delete")),
    *("monitoring.add_apitoken", "admin.view_logentry"),
)


class Role(StrEnum):
    """The group's name, in both languages: Django shows it as it is."""

    VIEWER = "Viewer 查看者"
    OPERATOR = "Operator 运维员"
    TRADER = "Trader 交易员"
    RISK = "Risk manager 风控员"
    ADMIN = "Administrator 管理员"


#: What each role may do beyond viewing.
MORE: dict[Role, tuple[str, ...]] = {
    Role.VIEWER: (),
    Role.OPERATOR: _OPERATING,
    Role.TRADER: _TRADING,
    Role.RISK: _RISK,
    Role.ADMIN: _ADMIN,
}


def make_roles(using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """Make the groups, each with exactly its rights. Django calls it after a migration."""
    viewing = set(_permissions(using, _VIEWING)) | set(
        Permission.objects.using(using).filter(
            content_type__app_label__in=_OURS, codename__startswith="view_"
        )
    )
    for role, names in MORE.items():
        group, _made = Group.objects.using(using).get_or_create(name=role)
        group.permissions.set(viewing | set(_permissions(using, names)))


def _permissions(using: str, names: Iterable[str]) -> Iterable[Permission]:
    wanted = Q(pk=None)
    for name in names:
        app, _, codename = name.partition(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    return Permission.objects.using(using).filter(wanted)
