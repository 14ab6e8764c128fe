"""What only the pages of the records write."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from monitoring.templatetags.console import UNKNOWN
from trading.domain.types import CHINA
from trading.services.reach import Reach

register = template.Library()


@register.filter
def day(at: datetime) -> str:
    """Write the day of a moment in China: `2026-01-31`."""
    return f"{at.astimezone(CHINA):%Y-%m-%d}"


@register.simple_tag
def moment(at: datetime | None) -> SafeString | str:
    """Write a time in China with its day and seconds: `01-31 09:30:05`; the year is its title."""
    if at is None:
        return UNKNOWN
    local = at.astimezone(CHINA)
    return format_html(
        '<time datetime="{}" title="{}">{} {}</time>',
        local.isoformat(timespec="seconds"),
        f"{local:%Y-%m-%d %H:%M:%S}",
        f"{local:%m-%d}",
        f"{local:%H:%M:%S}",
    )


@register.filter
def traded_in(account_id: int, reach: Reach) -> bool:
    """Whether somebody of this reach may act on this account."""
    return reach.trades(account_id)


@register.filter
def countdown(seconds: int) -> str:
    """Write a number of seconds as minutes and seconds: `4:05`."""
    return f"{seconds // 60}:{seconds % 60:02d}"
