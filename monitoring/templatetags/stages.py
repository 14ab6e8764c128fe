"""What only the pages of the path to live write."""

from __future__ import annotations

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from monitoring.templatetags.console import speak
from trading.domain.types import Text

register = template.Library()


@register.filter
def told(text: Text) -> SafeString:
    """Write a sentence in the reader's language; what stands between `…` is code."""
    parts = speak(text).split("`")
    written = (
        format_html("<code>{}</code>", part) if number % 2 else part
        for number, part in enumerate(parts)
    )
    return format_html_join("", "{}", ((part,) for part in written))
