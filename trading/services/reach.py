"""Which accounts a person sees and trades: asked here, whatever page, list, stream, address or token it is about.

A role says what somebody may do; a reach says where. Without a limit it is everywhere. A limited person changes nothing
that all accounts share, and what belongs to no account is shown only where it tells nothing of one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import ForeignKey, Model, QuerySet

from trading.domain.types import Symbol, Text
from trading.models import Account, AccountAccess, AccountLimit
from trading.selectors import symbols_of_interest

Row = TypeVar("Row", bound=Model)
#: Rows without an account or a symbol that everybody may see who has the permission: they tell nothing of an account.
_SHARED = frozenset({"trading.TradingDay", "grid.GridTemplate", "django_celery_beat.PeriodicTask"})

ONLY_LOOK = Text(
    "You may look at this account, not act on it. Nothing was done.",
    "您只能查看该账户，不能操作。未执行任何操作。",
)


@dataclass(frozen=True, slots=True)
class Reach:
    """The accounts (keys) somebody sees, and of these trades. `seen` None: all there are and will be, to trade."""

    seen: frozenset[int] | None = None
    traded: frozenset[int] = frozenset()

    @property
    def is_everything(self) -> bool:
        return self.seen is None

    @property
    def tag(self) -> str:
        """A name of it, for what is kept of answers."""
        if self.seen is None:
            return "all"
        return (
            " ".join(f"{one}{'t' * (one in self.traded)}" for one in sorted(self.seen)) or "none"
        )

    @property
    def has_any_to_trade(self) -> bool:
        return self.seen is None or bool(self.traded)

    def sees(self, account_id: int | None) -> bool:
        """Whether what is of this account is shown; None: of the house."""
        return self.seen is None or account_id in self.seen

    def trades(self, account_id: int | None) -> bool:
        """Whether this account may be acted on; None: whether what all share may be changed."""
        return self.seen is None or account_id in self.traded

    def rows(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """Return those rows, of any table, that are shown."""
        if self.seen is None:
            return rows
        path = path_of(rows.model)
        if path is not None:
            return rows.filter(**{f"{path}__in": self.seen})
        if any(field.name == "symbol" for field in rows.model._meta.concrete_fields):
            return rows.filter(symbol__in=self.symbols() or ())
        return rows if rows.model._meta.label in _SHARED else rows.none()

    def tradable(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """Return those rows that may be acted on."""
        if self.seen is None:
            return rows
        path = path_of(rows.model)
        return rows.none() if path is None else rows.filter(**{f"{path}__in": self.traded})

    def changes(self, row: Model) -> bool:
        """Whether this row may be changed: that it is of an account that is traded."""
        if self.seen is None:
            return True
        account: Any = row
        for step in (path_of(type(row)) or "").split("__"):
            if step == "pk":
                break
            account = getattr(account, step, None)
        return isinstance(account, Account) and account.pk in self.traded

    def symbols(self) -> set[Symbol] | None:
        """Return what is held, traded, gridded or watched in the accounts that are seen; None: it does not matter."""
        if self.seen is None:
            return None
        return {symbol for one in self.seen for symbol in symbols_of_interest(one)}


def within(reach: Reach, symbols: Collection[Symbol] | None) -> Collection[Symbol] | None:
    """Return those of these symbols (None: of all that are wanted) that are of accounts that are seen."""
    known = reach.symbols()
    return symbols if known is None else known if symbols is None else known & set(symbols)


EVERYTHING, NOTHING = Reach(), Reach(frozenset())


def reach_of(user: AbstractBaseUser | AnonymousUser | None) -> Reach:
    """Return somebody's reach; read once for this value of the user, which lives as long as a request."""
    if user is None or user.pk is None:
        return NOTHING
    kept: Reach | None = getattr(user, "_reach", None)
    if kept is None:
        kept = reaches([user])[user.pk]
        user._reach = kept  # type: ignore[union-attr]
    return kept


def reaches(users: Collection[Any]) -> Mapping[int, Reach]:
    """Return the reach of each user by key: two queries, however many there are. No limit holds for a superuser."""
    limited = {user.pk for user in users if not user.is_superuser}
    if limited:
        limits = AccountLimit.objects.filter(pk__in=limited)
        limited = set(limits.values_list("pk", flat=True))
    rows = AccountAccess.objects.filter(limit__in=limited) if limited else ()
    found: dict[int, list[AccountAccess]] = {pk: [] for pk in limited}
    for row in rows:
        found[row.limit_id].append(row)
    return {user.pk: _reach(found[user.pk]) if user.pk in found else EVERYTHING for user in users}


def _reach(rows: Collection[AccountAccess]) -> Reach:
    return Reach(
        frozenset(row.account_id for row in rows),
        frozenset(row.account_id for row in rows if row.may_trade),
    )


@cache
def path_of(model: type[Model]) -> str | None:
    """Return the way from a row to its account as queries write it; None: it has none."""
    return _path(model, ())


def _path(model: type[Model], before: tuple[type[Model], ...]) -> str | None:
    if model is Account:
        return "pk"
    links = [
        (field.name, field.related_model)
        for field in model._meta.concrete_fields
        if isinstance(field, ForeignKey)
    ]
    for name, to in links:
        if to is Account:
            return name
    for name, to in links:
        if to not in (model, *before):
            further = _path(to, (*before, model))
            if further is not None:
                return f"{name}__{further}"
    return None
