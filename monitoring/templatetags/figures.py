"""What only the pages of figures write: charts, results, reports."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django import template

from monitoring.console import chart
from monitoring.results import OUTSIDE
from monitoring.templatetags.console import UNKNOWN, speak, word
from monitoring.templatetags.records import moment
from trading.domain.types import Text

register = template.Library()

register.simple_tag(moment, name="moment_of")


@register.filter
def newest_first(items: Sequence[Any]) -> Sequence[Any]:
    """Turn a sequence round."""
    return tuple(reversed(items))


@register.filter
def mark_words(mark: chart.Mark) -> Text:
    """Say what a mark of a chart is."""
    return chart.words_of(mark)


@register.filter
def gain_short(value: Decimal | None) -> str:
    """Write a profit in whole yuan with its sign, for a narrow cell."""
    if value is None:
        return UNKNOWN
    whole = value.quantize(Decimal(1), ROUND_HALF_UP) + 0
    return f"{whole:+,}" if whole else "0"


@register.filter
def rule_word(rule: str) -> str:
    """Name a rule, and the sales that no order of ours brought."""
    if rule == OUTSIDE:
        return speak(Text("outside this program", "本程序以外"))
    return word(rule)


@register.filter
def times(counts: dict[str, int]) -> int:
    """Return how often altogether."""
    return sum(counts.values())


@register.filter
def of_row(row: dict[str, str]) -> str:
    """Write a sentence that a row keeps in both languages."""
    return speak(Text(row.get("en", ""), row.get("zh", "")))
