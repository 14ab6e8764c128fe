"""`manage.py halt [ACCOUNT]`: stop sending orders, or only buying; resume; cancel everything."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from trading.domain.types import AccountMode, Text, TradingState
from trading.management.people import actor_of
from trading.models import Account
from trading.services import kill_switch
from trading.services.clock import market_time
from trading.services.corrections import CorrectionError
from trading.services.nudges import Nudger

_DONE = {
    TradingState.HALTED: Text("halted: nothing is sent but cancels", "已停止：只发撤单"),
    TradingState.REDUCING: Text("reducing: sales go on, no buying", "只减仓：继续卖出，不再买入"),
    TradingState.ACTIVE: Text("active again", "已恢复交易"),
}


class Command(BaseCommand):
    help = (
        "Halts one account or all of them; without a database it leaves the file KILL. "
        "停止一个或全部账户的委托；数据库不可用时放置 KILL 文件。"
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", nargs="?", help="name of the account, else all 账户名称")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--reduce", action="store_true", help="only stop buying 只减仓")
        what.add_argument("--resume", action="store_true", help="trade again 恢复交易")
        what.add_argument(
            "--cancel-all", action="store_true", help="cancel every order, halt nothing 全部撤单"
        )
        parser.add_argument("--why", required=True, help="the reason, kept in the journal 原因")

    def handle(self, *args: Any, **options: Any) -> None:
        name, why = options["account"], options["why"]
        try:
            accounts = _accounts(name)
            problems = [self._act(account, options) for account in accounts]
        except DatabaseError as problem:
            if options["reduce"] or options["resume"] or options["cancel_all"]:
                raise CommandError(
                    f"The database does not answer 数据库无应答: {problem}"
                ) from None
            path = kill_switch.place_kill_file(name, why)
            self.stdout.write(
                f"The database does not answer; the file {path.name} now stops all sending. "
                f"数据库无应答；文件 {path.name} 已停止一切委托。"
            )
            return
        if any(problems):
            raise CommandError(" ".join(filter(None, problems)))

    def _act(self, account: Account, options: dict[str, Any]) -> str:
        """Do it for one account; return what was in the way, in both languages."""
        now, actor = market_time(AccountMode(account.mode), timezone.now()), actor_of("halt")
        try:
            if options["cancel_all"]:
                count = kill_switch.cancel_all(account, options["why"], now, actor)
                done = Text(f"{count} cancels asked for", f"已请求撤单 {count} 笔")
            else:
                state = _state(options)
                kill_switch.switch(account, state, options["why"], now, actor)
                done = _DONE[state]
        except CorrectionError as problem:
            return f"{account.name}: {problem.text.en} {problem.text.zh}"
        self.stdout.write(f"{account.name}: {done.en} {done.zh}")
        Nudger(settings.REDIS_URL)(account.pk)
        return ""


def _state(options: dict[str, Any]) -> TradingState:
    if options["resume"]:
        return TradingState.ACTIVE
    return TradingState.REDUCING if options["reduce"] else TradingState.HALTED


def _accounts(name: str | None) -> list[Account]:
    rows = list(Account.objects.filter(**({} if name is None else {"name": name})).order_by("pk"))
    if not rows:
        raise CommandError(
            "There is no account. 没有账户。"
            if name is None
            else f"There is no account named {name!r}. 没有名为“{name}”的账户。"
        )
    return rows
