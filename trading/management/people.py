"""Who runs a command, and which account it is about."""

from __future__ import annotations

import getpass

from django.core.management.base import CommandError

from trading.models import Account


def actor_of(command: str) -> str:
    """Return who runs this command, as the journal keeps it."""
    try:
        return f"{getpass.getuser()} ({command})"[:64]
    except (ImportError, KeyError, OSError):
        return f"manage.py {command}"


def one_account(name: str | None) -> Account:
    """Return the account of this name, or the only one there is. Raises CommandError."""
    rows = list(Account.objects.filter(**({} if name is None else {"name": name})).order_by("pk"))
    if len(rows) == 1:
        return rows[0]
    names = ", ".join(Account.objects.values_list("name", flat=True)) or "-"
    raise CommandError(
        f"Name one account with --account; there are: {names}. 请用 --account 指定账户，现有：{names}。"
    )
