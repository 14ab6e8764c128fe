"""`manage.py open_books ACCOUNT --why REASON`: open the books on what a terminal shows that contradicts itself."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from trading.domain.types import AccountMode
from trading.management.people import actor_of
from trading.models import Account
from trading.services.adoption import accept_opening
from trading.services.clock import market_time
from trading.services.corrections import CorrectionError


class Command(BaseCommand):
    help = (
        "Opens an account's books although its terminal contradicts itself; look at the terminal first. "
        "客户端数据自相矛盾时仍建立账簿；请先核对客户端。"
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="name of the account 账户名称")
        parser.add_argument("--why", required=True, help="the reason, kept in the journal 原因")

    def handle(self, *args: Any, **options: Any) -> None:
        account = Account.objects.filter(name=options["account"]).first()
        if account is None:
            raise CommandError(
                f"There is no account named {options['account']!r}. 没有名为“{options['account']}”的账户。"
            )
        now = market_time(AccountMode(account.mode), timezone.now())
        try:
            accept_opening(account, options["why"], now, actor_of("open_books"))
        except CorrectionError as problem:
            raise CommandError(f"{problem.text.en} {problem.text.zh}") from None
        self.stdout.write(
            f"{account.name}: the gateway opens the books when two readings say the same, within ten minutes. "
            "网关将在十分钟内、两次读取一致后建立账簿。"
        )
