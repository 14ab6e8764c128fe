"""Every revision of an account's settings: who changed what, when and why; any two of them side by side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from monitoring.console.typed_settings import Change, changes_of, values_of
from trading.domain.types import Text
from trading.models import TradingConfig

#: Revisions of one page.
PAGE = 30
#: The column's greatest number.
LARGEST = 2_147_483_647
_PROGRAM = Text("the program", "程序")


@dataclass(frozen=True, slots=True)
class Version:
    """One revision. `pk`: its number in the history; `changes`: from the one before it; `is_present`: it counts now."""

    pk: int
    revision: int
    at: datetime
    who: Text
    why: str
    changes: tuple[Change, ...]
    is_first: bool
    is_present: bool


@dataclass(frozen=True, slots=True)
class History:
    """The newest first. `older`: where the next page begins, None = this is the last."""

    versions: tuple[Version, ...]
    older: int | None


def versions_of(row_pk: int) -> QuerySet[Any]:
    """Return the stored revisions of an account, the newest first."""
    rows: QuerySet[Any] = TradingConfig.history.filter(account_id=row_pk)
    return rows.select_related("history_user").order_by("-history_id")


def history_of(row: TradingConfig, before: int | None = None) -> History:
    """Return one page of the revisions, those older than the history's number `before`. One query."""
    rows = versions_of(row.pk)
    if before is not None:
        rows = rows.filter(history_id__lt=before)
    found = list(rows[: PAGE + 1])
    shown = [
        _version(row, one, found[place + 1] if place + 1 < len(found) else None)
        for place, one in enumerate(found[:PAGE])
    ]
    return History(tuple(shown), shown[-1].pk if len(found) > PAGE else None)


def version_of(row: TradingConfig, stored: Any) -> Version:
    """Return one stored revision by itself."""
    return _version(row, stored, None)


def _version(row: TradingConfig, stored: Any, before: Any) -> Version:
    user = stored.history_user
    name = "" if user is None else user.get_username()
    return Version(
        pk=stored.history_id,
        revision=stored.revision,
        at=stored.history_date,
        who=Text(name, name) if name else _PROGRAM,
        why=stored.changed_why,
        changes=() if before is None else tuple(changes_of(before, values_of(stored))),
        is_first=before is None,
        is_present=stored.revision == row.revision,
    )


def stored_at(row: TradingConfig, revision: int) -> Any:
    """Return the newest stored row of a revision, None when there is none."""
    if revision > LARGEST:
        return None
    return versions_of(row.pk).filter(revision=revision).first()
