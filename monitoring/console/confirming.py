"""What an action of the console asks before it acts."""

from __future__ import annotations

from django.http import HttpRequest

from monitoring.security import step_up
from trading.domain.types import Text


def reauthenticated(request: HttpRequest) -> Text | None:
    """Return why this person has to say again who they are, None while they have just done so."""
    return step_up.problem(request, factor=False)
