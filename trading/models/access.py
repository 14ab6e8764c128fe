"""Who is limited to some accounts: without a row here a user's roles hold for all of them."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from trading.models.accounts import Account
from trading.models.fields import both


class AccountLimit(models.Model):
    """This user has to do with the accounts named here, and with no other one: none named, none at all."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=both("user", "用户"),
        on_delete=models.CASCADE,
        related_name="account_limit",
        primary_key=True,
    )

    class Meta:
        verbose_name = both("limit to accounts", "账户范围")
        verbose_name_plural = both("limits to accounts", "账户范围")

    def __str__(self) -> str:
        """Say it whole: the admin's log and the alert keep this text."""
        rows = self.accounts.select_related("account").order_by("account__name")
        named = [f"{row.account.name} ({'trade' if row.may_trade else 'view'})" for row in rows]
        return f"{self.user}: {', '.join(named) or 'no account'}"


class AccountAccess(models.Model):
    """One account of a limited user: to look at, and to trade as far as the user's roles go."""

    limit = models.ForeignKey(AccountLimit, on_delete=models.CASCADE, related_name="accounts")
    account = models.ForeignKey(
        Account, verbose_name=both("account", "账户"), on_delete=models.CASCADE, related_name="+"
    )
    may_trade = models.BooleanField(
        both("may trade", "可交易"),
        default=False,
        help_text=both(
            "Off: looks only, whatever the roles say. On: may do there what the roles say.",
            "关闭：无论角色如何，仅可查看。开启：可按其角色在该账户操作。",
        ),
    )

    class Meta:
        verbose_name = both("account", "账户")
        verbose_name_plural = both("accounts", "账户")
        constraints = [
            models.UniqueConstraint(fields=["limit", "account"], name="account_reached_once")
        ]

    def __str__(self) -> str:
        return self.account.name
