"""`manage.py premarket [ACCOUNT]`: whether the session may begin, as it is now; exit code 1 when not."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from grid.management.tables import Output
from monitoring.premarket import Verdict, may_begin
from monitoring.services.premarket import look
from trading.domain.types import AccountMode, Text
from trading.management.language import add_language
from trading.management.people import one_account
from trading.services.calendar import load_calendar
from trading.services.clock import environment_of, read_clocks
from trading.services.shared_quotes import quotes_of_thread

_WORDS = {
    Verdict.OK: Text("ok", "正常"),
    Verdict.WARNING: Text("warning", "注意"),
    Verdict.STOP: Text("STOP", "不可开盘"),
}


class Command(BaseCommand):
    help = "Looks whether the session may begin. 盘前检查。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", nargs="?", help="its name; needed when there are several 账户名称")  # fmt: skip
        add_language(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        account = one_account(options["account"])
        clock = read_clocks().get(environment_of(AccountMode(account.mode)))
        home = Path(settings.HOME)
        items = look(account, timezone.now(), quotes_of_thread(), home, load_calendar(), clock)
        output = Output(self.stdout._out, options["lang"])  # type: ignore[arg-type]
        output.facts(
            (f"{output.word(_WORDS[one.verdict])}  {output.word(one.name)}", output.word(one.text))
            for one in items
        )
        if not may_begin(items):
            text = Text("The session may not begin.", "尚不能开盘。")
            raise CommandError(output.word(text), returncode=1)
        output.say(Text("The session may begin.", "可以开盘。"))
