"""Which accounts need a gateway: read beside the supervisor, which must never wait for a database."""

from __future__ import annotations

from typing import NamedTuple

from trading.domain.types import AccountMode
from trading.models import Account


class Enabled(NamedTuple):
    """An enabled account."""

    pk: int
    name: str
    mode: AccountMode


def enabled_accounts() -> tuple[Enabled, ...]:
    """Read them, in the order in which they were opened; one query. Raises DatabaseError."""
    rows = Account.objects.filter(enabled=True).order_by("pk").values_list("pk", "name", "mode")
    return tuple(Enabled(pk, name, AccountMode(mode)) for pk, name, mode in rows)


class AccountsWatch:
    """`look` reads in one thread, `changed` is asked in another. `known`: what gateways run for already."""

    def __init__(self, known: tuple[Enabled, ...]) -> None:
        self._known = self._seen = known

    def look(self) -> None:
        """Read which accounts are enabled now. Raises DatabaseError."""
        self._seen = enabled_accounts()

    def changed(self) -> tuple[Enabled, ...] | None:
        """Return the accounts when they are others than those that were returned before, else None."""
        seen = self._seen
        if seen == self._known:
            return None
        self._known = seen
        return seen
