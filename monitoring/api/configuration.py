"""Reads of the settings and of their history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from monitoring.api.operations import Call
from monitoring.api.problems import spoken
from monitoring.api.reading import Within
from monitoring.api.shapes import Value
from monitoring.console.paging import PAGE
from trading.domain.types import Text
from trading.errors import ConfigError
from trading.models import TradingConfig
from trading.services import config
from trading.services.setting_help import GROUPS


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its value now, its range and what it does."""

    name: str
    group: Text
    label: Text
    value: Value
    range: Text
    effect: Text


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of an account. A change names the `revision` it saw. `problem`: why they cannot be used, null = they
    can."""

    account: int
    revision: int
    changed_why: str
    problem: Text | None
    settings: tuple[Setting, ...]


def configuration(call: Call) -> Configuration:
    """Return the settings of an account."""
    return configuration_of(call.row)


def configuration_of(row: TradingConfig) -> Configuration:
    """Return the settings in a row."""
    problem = None
    try:
        config.settings_of(row)
    except ConfigError as wrong:
        problem = config.explain(wrong)
    return Configuration(
        account=row.pk,
        revision=row.revision,
        changed_why=row.changed_why,
        problem=problem,
        settings=tuple(
            Setting(name, group, _label(name), getattr(row, name), help_.range, help_.effect)
            for group, members in GROUPS.items()
            for name, help_ in members.items()
        ),
    )


def _label(name: str) -> Text:
    field = TradingConfig._meta.get_field(name)
    return spoken(lambda: field.verbose_name)  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which page: the `next` of the one before."""

    after: Annotated[int, Within(1, 2**63 - 1)] | None = None


@dataclass(frozen=True, slots=True)
class SettingChange:
    """What one setting was and became."""

    name: str
    label: Text
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class Revision:
    """One change: by whom (null: the program), why, and what. The first one has changed nothing."""

    revision: int
    at: datetime
    who: str | None
    why: str
    changes: tuple[SettingChange, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The changes of an account's settings, newest first."""

    items: tuple[Revision, ...]
    next: int | None


def history(call: Call) -> History:
    """List the changes of an account's settings."""
    rows = TradingConfig.history.filter(account_id=call.account.pk)
    if call.query.after is not None:
        rows = rows.filter(history_id__lt=call.query.after)
    found = list(rows.select_related("history_user").order_by("-history_id")[: PAGE + 1])
    pairs = zip(found[:PAGE], [*found[1:], None], strict=False)
    return History(
        tuple(_revision(row, before) for row, before in pairs),
        found[PAGE - 1].history_id if len(found) > PAGE else None,
    )


def _revision(row: Any, before: Any) -> Revision:
    names = config.setting_names() if before is not None else ()
    return Revision(
        revision=row.revision,
        at=row.history_date,
        who=None if row.history_user is None else row.history_user.get_username(),
        why=row.changed_why,
        changes=tuple(
            SettingChange(name, _label(name), getattr(before, name), getattr(row, name))
            for name in names
            if getattr(before, name) != getattr(row, name)
        ),
    )
