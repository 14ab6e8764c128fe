"""What one operation of the API is, and what it is called with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from monitoring.console.access import VIEW
from monitoring.console.values import Console
from monitoring.services.api_tokens import Scope
from trading.domain.types import Text
from trading.models import Account
from trading.services.reach import Reach


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name`: as the journal keeps it; `scopes` None: a session, which may whatever its user may; `reach`: on
    which accounts."""

    user: User
    name: str
    scopes: frozenset[Scope] | None
    permissions: frozenset[str]
    bucket: str
    reach: Reach


@dataclass(frozen=True, slots=True)
class Target:
    """The row a path names, and whose account it is of."""

    row: Any
    account: Account


def never(account: Account) -> bool:
    """It makes trading safer on no account."""
    return False


def always(account: Account) -> bool:
    """It makes trading safer on every account."""
    return True


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked. `query`, `body`: values of the operation's types; `real`: real time; `console` may be asked
    for the newest value; `target`: what the path names, for operations that have one."""

    caller: Caller
    path: Mapping[str, Any]
    query: Any
    body: Any
    real: datetime
    console: Callable[[], Console]
    target: Target | None = None

    @property
    def account(self) -> Account:
        """The account the path is about."""
        assert self.target is not None
        return self.target.account

    @property
    def row(self) -> Any:
        """The row the path names."""
        assert self.target is not None
        return self.target.row


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the table.

    `path`: as the document writes it, with `{pk}` for numbers of rows and `{symbol}` for symbols. `answer`, `query`,
    `body`: types, the last two None without any. `target`: loads what the path names. `of_console`: the answer comes
    from the console's value and the address alone, so that it is written once a second for all. `trades`: can lead to
    an order or end one, so it needs an Idempotency-Key, and on live accounts more than a scope. `risky`: needs the
    latter alone. `calms`: whether it makes trading safer on an account; a session then needs the password alone, as on
    the page.
    """

    name: str
    method: str
    path: str
    summary: Text
    answer: Any
    handler: Callable[[Call], Any]
    scope: Scope = Scope.READ
    permissions: tuple[str, ...] = (VIEW,)
    query: type | None = None
    body: type | None = None
    target: Callable[[Mapping[str, Any], Reach], Target] | None = None
    of_console: bool = False
    trades: bool = False
    risky: bool = False
    calms: Callable[[Account], bool] = never

    @property
    def changes(self) -> bool:
        return self.method != "GET"
