"""Rules with a date: a replay of 2023 uses the rules of 2023."""

from __future__ import annotations

from datetime import date
from typing import TypeVar

Rule = TypeVar("Rule")

#: Marks the row of a rule that held before any date that matters here.
ALWAYS = date.min


def in_force(rows: tuple[tuple[date, Rule], ...], on: date) -> Rule:
    """Return the rule of the last row that took effect on or before `on`; rows are oldest first, from ALWAYS."""
    return next(rule for since, rule in reversed(rows) if since <= on)
