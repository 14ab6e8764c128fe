"""`manage.py stage ACCOUNT`: where a broker account stands on its path to live; leads it back. Forward: the console."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from trading.domain.stages import PATH, WORDS, Stage, following
from trading.domain.types import AccountMode, Text
from trading.management.people import actor_of, one_account
from trading.models import Account
from trading.services.caps import caps_in_words, caps_of
from trading.services.corrections import CorrectionError
from trading.services.nudges import Nudger
from trading.services.stages import path_of, step_back


class Command(BaseCommand):
    help = (
        "Shows where an account stands on the path to live, and leads it back at once. Forward: the console's page"
        " “Going live”. 显示账户在上线路径上的阶段；可立即退回。前进请在控制台“上线路径”页面进行。"
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="name of any ledger of it 任一账簿的名称")
        parser.add_argument(
            "--to",
            choices=[stage.value for stage in PATH],
            help="lead it back to this stage 退回到该阶段",
        )
        parser.add_argument("--why", default="", help="the reason, kept in the journal 原因")

    def handle(self, *args: Any, **options: Any) -> None:
        account = one_account(options["account"])
        if account.mode == AccountMode.DEMO:
            raise _problem(
                f"{account.name} is the demo: it is on no path. Open a paper account with your broker's number.",
                f"{account.name} 是演示账户，不在上线路径上。请用券商资金账号建立模拟账户。",
            )
        if options["to"]:
            self._back(account, Stage(options["to"]), options["why"])
        self._show(account)

    def _back(self, account: Account, to: Stage, why: str) -> None:
        path = path_of(account.broker_account_id)
        if PATH.index(to) > PATH.index(path.stage):
            raise _problem(
                "A step forward takes the second factor: use the console's page “Going live”.",
                "前进一步需要第二验证因素：请使用控制台“上线路径”页面。",
            )
        try:
            told = step_back(path, to, why, timezone.now(), actor_of("stage"))
        except CorrectionError as problem:
            raise _problem(problem.text.en, problem.text.zh) from None
        for row in path.ledgers.values():
            Nudger(settings.REDIS_URL)(row.pk)
        self.stdout.write(f"{told.en}\n{told.zh}")

    def _show(self, account: Account) -> None:
        path = path_of(account.broker_account_id)
        en, zh = WORDS[path.stage]
        self.stdout.write(f"{account.masked_number}: {en} {zh}")
        for row in path.ledgers.values():
            stands, rests = WORDS[row.standing], "" if row.enabled else ", rests 停用"
            self.stdout.write(
                f"  {row.name} ({row.mode}): {stands.en} {stands.zh}, {row.trading_state}{rests}"
            )
        caps = caps_of(path.live.pk) if path.stage is Stage.CAPPED and path.live else None
        if caps is not None:
            said = caps_in_words(caps)
            self.stdout.write(f"  caps 实盘上限: {said.en} {said.zh}")
        to = following(path.stage)
        if to is not None:
            self.stdout.write(
                f"Next 下一步: {WORDS[to].en} {WORDS[to].zh}. Its checks: the console's page “Going live”."
                " 检查项见控制台“上线路径”页面。"
            )


def _problem(en: str, zh: str) -> CommandError:
    text = Text(en, zh)
    return CommandError(f"{text.en} {text.zh}")
