"""How the person who looks wants to see the pages."""

from __future__ import annotations

from django import template

from monitoring.services.operator import DEFAULTS, Operator, operator_of

register = template.Library()


@register.simple_tag(takes_context=True)
def operator(context: template.Context) -> Operator:
    """Return the choices of the user of this page; read once for each request."""
    request = context.get("request")
    if request is None or not hasattr(request, "user"):
        return DEFAULTS
    if not hasattr(request, "operator"):
        request.operator = operator_of(request.user)
    found: Operator = request.operator
    return found
