"""The pace of an account: simulated ones follow the speed all processes were started with, live ones real time."""

from __future__ import annotations

from django.conf import settings

from trading.domain.pace import Pace
from trading.domain.types import AccountMode
from trading.models import Account
from trading.services.clock import SIMULATED

_REAL = Pace()


def pace_of(mode: AccountMode) -> Pace:
    """Return the pace of accounts of this mode."""
    return Pace(settings.MINIQMT_SPEED) if mode in SIMULATED else _REAL


def pace_of_account(account_id: int) -> Pace:
    """Return the pace of an account; one query."""
    mode = Account.objects.values_list("mode", flat=True).get(pk=account_id)
    return pace_of(AccountMode(mode))
