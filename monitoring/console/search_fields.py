"""Fields of the pages' filters, and what their words select."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.db.models import Q

from trading.models.fields import both

_ALL = both("all", "全部")
_REFUSED = both("“%(value)s” is none of the choices.", "“%(value)s”不在可选范围内。")


def choice(label: Any, options: Iterable[Any], nothing: Any = _ALL) -> forms.ChoiceField:
    """A choice that may be left open; `nothing` is what it then says."""
    return forms.ChoiceField(
        label=label,
        required=False,
        choices=[("", nothing), *options],
        error_messages={"invalid_choice": _REFUSED},
    )


def containing(words: str, *fields: str) -> Q:
    """Select rows that have these words in any of the fields, however they are written."""
    said = Q()
    for field in fields:
        said |= Q(**{f"{field}__icontains": words})
    return said
