"""The rows of the holdings, a thousand at once: what seldom changes is kept by its content, what follows the price is
written without a template, which costs ten times as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from monitoring.console.parts import hole
from monitoring.console.values import AccountView, HoldingView
from monitoring.templatetags.console import (
    gain,
    gain_percent,
    percent,
    price,
    say,
    trend,
    word,
)
from trading.domain.protection import Protection
from trading.domain.types import Symbol, Text

register = template.Library()

#: Rows that are kept; about a kilobyte each.
KEPT = 8_192


@dataclass(frozen=True, slots=True)
class _Row:
    """All of a row but the figures that follow the price. `old_since`: the time of a quote that is not fresh."""

    pk: int
    symbol: Symbol
    name: str
    quantity: int
    sellable: int | None
    cost: Decimal | None
    fresh: bool
    old_since: datetime | None
    is_continuous: bool
    status: Protection
    words: Text


@register.simple_tag(takes_context=True)
def holding(context: template.Context, one: HoldingView, account: AccountView) -> SafeString:
    """Put a row and its figures among the context's `frames`, and its place here (see `part`)."""
    frames, pk = context["frames"], one.pk
    for name, html in _figures(one):
        frames[f"{name}-{pk}"] = f'<span id="{name}-{pk}" class="num{html}</span>'
    row = _Row(
        pk, one.symbol, one.name, one.quantity, one.sellable, one.cost, one.fresh,
        None if one.fresh else one.quote_at, account.phase.continuous, one.status, one.words,
    )  # fmt: skip
    may_trade = account.may_act and bool(context["perms"]["trading"].get("trade_account"))
    frames[f"holding-{pk}"] = _row(row, may_trade, get_language() or "en")
    return mark_safe(hole(f"holding-{pk}"))


@register.simple_tag
def place(name: str, pk: int) -> SafeString:
    """Leave a hole for a figure of a row."""
    return mark_safe(hole(f"{name}-{pk}"))


@lru_cache(maxsize=KEPT)
def _row(row: _Row, may_trade: bool, language: str) -> str:
    # The language is the one that is active; it is an argument so that each has a row of its own.
    context = {"row": row, "may_trade": may_trade}
    return render_to_string("monitoring/holding_row.html", context).strip()


def _figures(one: HoldingView) -> tuple[tuple[str, str], ...]:
    """Return what stands in the five figures, from the end of their class on. Numbers and words of ours: nothing to escape."""
    kind = f" <small>{word(one.sale_kind)}</small>" if one.sale_kind else ""
    reached = (
        f' <small class="mark bad">{say("reached", "已触及")}</small>' if one.is_reached else ""
    )
    return (
        ("price", f' {trend(one.change)}"><b>{price(one.last)}</b>{_small(one.change)}'),
        ("profit", f' {trend(one.profit)}">{gain(one.profit)}{_small(one.profit_ratio)}'),
        ("high", f'">{price(one.high)}'),
        ("sale", f'"><b>{price(one.sale_price)}</b>{kind}'),
        ("distance", f'">{percent(one.distance)}{reached}'),
    )


def _small(ratio: Decimal | None) -> str:
    return "" if ratio is None else f" <small>{gain_percent(ratio)}</small>"
