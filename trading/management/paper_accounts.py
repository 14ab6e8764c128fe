"""The simulated accounts of the database, as the twin opens them: those it begins with, and those added later."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container
from time import monotonic as seconds

from django.db import Error

from trading.domain.fees import FeeSchedule
from trading.models import Account
from trading.services.accounts import fee_schedule
from trading.services.clock import SIMULATED

log = logging.getLogger(__name__)

#: Seconds between two looks at the database.
LOOK_EVERY = 10.0


def simulated_accounts() -> dict[str, FeeSchedule]:
    """Return the numbers of the enabled accounts that live in a simulated market, and what each pays; one query."""
    rows = Account.objects.filter(enabled=True, mode__in=SIMULATED).order_by("pk")
    return {row.broker_account_id: fee_schedule(row) for row in rows}


class LaterAccounts:
    """Has `open_account` open the accounts that are not among `there`. Call `look` between two steps of the twin."""

    def __init__(
        self,
        there: Container[str],
        open_account: Callable[[str, FeeSchedule], None],
        monotonic: Callable[[], float] = seconds,
    ) -> None:
        self._there, self._open, self._monotonic = there, open_account, monotonic
        self._due = float("-inf")

    def look(self) -> None:
        """Read which accounts there are, every ten seconds; a database that is away is asked again then."""
        now = self._monotonic()
        if now < self._due:
            return
        self._due = now + LOOK_EVERY
        try:
            wanted = simulated_accounts()
        except Error as problem:
            log.warning("accounts that were added cannot be seen: %s", problem)
            return
        for number, fees in wanted.items():
            if number not in self._there:
                self._open(number, fees)
                log.warning("opened account …%s", number[-4:])
