"""What only the pages of figures write: charts, results, reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template

from monitoring.console import chart
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
