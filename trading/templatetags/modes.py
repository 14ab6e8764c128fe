"""Which markets the enabled accounts live in: nobody may take an invented price for a real one."""

from __future__ import annotations

from django import template

from trading.models import Account

register = template.Library()


@register.simple_tag
def account_modes() -> list[tuple[str, str]]:
    """Return (mode, its name in the reader's language) of the enabled accounts, each once."""
    modes = Account.objects.filter(enabled=True).order_by("mode").values_list("mode", flat=True)
    names = dict(Account._meta.get_field("mode").choices or ())
    return [(mode, str(names[mode])) for mode in modes.distinct()]
