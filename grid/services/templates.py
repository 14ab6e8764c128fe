"""Templates of users: kept, changed and deleted whole, validated by building the rules; the built-in ones stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from grid.domain.rules import build
from grid.domain.templates import TEMPLATES
from grid.models import GridTemplate
from grid.selectors import templates
from grid.services.sessions import SessionRefused
from trading.domain.settings import SettingError
from trading.domain.types import Text

#: Any budget large enough shows whether the rest of a template is in order.
_ENOUGH = Decimal(10) ** 8


def checked(style: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a template keeps of these parameters: numbers as text, no money. Raises SessionRefused."""
    kept = {name: value for name, value in values.items() if name != "max_investment"}
    try:
        rules = build(style, {**kept, "max_investment": _ENOUGH})
    except SettingError as problem:
        raise SessionRefused(problem.text, problem.field) from problem
    shown = {name: getattr(rules, name) for name in kept}
    return {name: one if isinstance(one, int) else str(one) for name, one in shown.items()}


def save_template(name: str, style: str, values: Mapping[str, Any], now: datetime) -> GridTemplate:
    """Keep parameters (without `max_investment`) under a name of the user's. Raises SessionRefused."""
    if name in templates():
        raise SessionRefused(
            Text(f"name is {name}, a template that exists", f"name 为 {name}，该模板已存在"),
            "name",
        )
    row: GridTemplate = GridTemplate.objects.create(
        name=name, style=style, values=checked(style, values), created_at=now
    )
    return row


def change_template(name: str, values: Mapping[str, Any]) -> GridTemplate:
    """Replace the parameters of a user's template; sessions that began with it keep theirs. Raises SessionRefused."""
    with transaction.atomic():
        row = _own(name)
        row.values = checked(row.style, values)
        row.save(update_fields=["values"])
    return row


def delete_template(name: str) -> None:
    """Delete a user's template; sessions that began with it go on. Raises SessionRefused."""
    with transaction.atomic():
        _own(name).delete()


def _own(name: str) -> GridTemplate:
    if name in TEMPLATES:
        raise SessionRefused(
            Text(
                f"name is {name}, a built-in template: make one of your own from it",
                f"name 为 {name}，内置模板不可修改：请另建模板",
            ),
            "name",
        )
    row = GridTemplate.objects.select_for_update().filter(name=name).first()
    if row is None:
        raise SessionRefused(
            Text(
                f"name is {name}, expected a template of your own: see `grid templates`",
                f"name 为 {name}，应为已有的自建模板：见 `grid templates`",
            ),
            "name",
        )
    return row
