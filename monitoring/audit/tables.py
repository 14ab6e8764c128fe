"""Which rows are audit rows, and each as text that is the same on every database."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import Field, Model

from monitoring.models import AuditForm, AuditLink
from trading.models import Event, Fill, FormerFill, OrderEvent, TradingConfig

#: Every decision of a person is an event of the journal; configuration keeps its versions; the admin its log.
CHAINED: Sequence[type[Model]] = (
    *(Event, TradingConfig.history.model, LogEntry),
    *(OrderEvent, Fill, FormerFill),
)
#: What the database itself refuses to change or delete. Fills and moves are chained alone: a fill is bound later to its
#: order, and retention or a person's repair of the books must not depend on a trigger.
PROTECTED: Sequence[type[Model]] = (
    *(Event, TradingConfig.history.model, LogEntry),
    *(AuditForm, AuditLink),
)
#: Columns that are filled in after the row was written.
_LATER: dict[type[Model], Collection[str]] = {Fill: {"order", "position"}}


def columns_of(model: type[Model]) -> list[str]:
    """Return the columns that never change, by name."""
    later = _LATER.get(model, ())
    return sorted(field.name for field in model._meta.concrete_fields if field.name not in later)


def canonical(row: Model, columns: Collection[str]) -> str:
    """Return a row as text: its table, and these columns."""
    values = {name: _value(row, row._meta.get_field(name)) for name in columns}  # type: ignore[arg-type]
    said = {"table": row._meta.db_table, **values}
    return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def _value(row: Model, field: Field[Any, Any]) -> Any:
    value = field.value_from_object(row)
    if value is None or isinstance(value, bool | int | list | dict):
        return value
    return field.value_to_string(row)
