"""`manage.py export [FOLDER]`: fills, orders, day reports and the history of settings as CSV files."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from grid.management.tables import Output
from monitoring.care.errors import NothingDone
from monitoring.care.export import WORDS, Wanted, export
from trading.domain.types import CHINA, Text
from trading.management.language import add_language
from trading.management.people import one_account


class Command(BaseCommand):
    help = (
        "Writes fills, orders, results and settings as CSV. 导出成交、委托、每日盈亏和配置历史。"
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "folder", nargs="?", help="default: exports/… in MINIQMT_HOME 目标文件夹"
        )
        parser.add_argument("--account", help="only this one 仅该账户")
        parser.add_argument(
            "--since", type=date.fromisoformat, metavar="YYYY-MM-DD", help="起始日"
        )
        parser.add_argument(
            "--until", type=date.fromisoformat, metavar="YYYY-MM-DD", help="截止日"
        )
        add_language(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        output = Output(self.stdout._out, options["lang"])  # type: ignore[arg-type]
        account = one_account(options["account"]).pk if options["account"] else None
        stamp = f"{timezone.now().astimezone(CHINA):%Y%m%d-%H%M%S}"
        folder = Path(options["folder"] or Path(settings.HOME) / "exports" / stamp)
        try:
            written = export(folder, Wanted(account, options["since"], options["until"]))
        except NothingDone as problem:
            raise CommandError(output.word(problem.text)) from None
        output.table(
            (Text("file", "文件"), Text("rows", "行数"), Text("what", "内容")),
            ((one.path, one.rows, output.word(WORDS[one.path.name])) for one in written),
        )
