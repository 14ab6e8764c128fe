"""`manage.py import_miniqmt PATH`: move in from an installation of the system used before (docs/moving-in.md)."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from grid.management.tables import Output
from monitoring.moving_in.books import SETTING
from monitoring.moving_in.installation import NotAnInstallation, read_installation
from monitoring.moving_in.moving import TABLE, move_in
from monitoring.moving_in.report import WORDS, Outcome, Report
from trading.domain.types import AccountMode, Text
from trading.management.language import add_language
from trading.management.people import actor_of
from trading.services.clock import market_time

_HEADS = (
    Text("What", "类别"),
    Text("Found as", "原名称"),
    Text("Outcome", "结果"),
    Text("Here", "本系统"),
    Text("Why", "说明"),
)
#: What is left out of these parts is a matter of course; `--all` shows it.
_ROUTINE = (SETTING, TABLE)


class Command(BaseCommand):
    help = (
        "Shows what of an existing installation can be imported; --write imports it. "
        "显示原系统中可迁入的内容；加 --write 才写入。"
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="folder with config.py and data 原系统文件夹")
        parser.add_argument("--number", help="broker account, when it has several 资金账号")
        parser.add_argument("--account", help="name of the account here 本系统账户名称")
        parser.add_argument("--write", action="store_true", help="write it; without, only the report 写入")  # fmt: skip
        parser.add_argument("--json", type=Path, help="write the report to a file 报告文件")
        parser.add_argument("--all", action="store_true", help="show settings without counterpart too 显示全部")  # fmt: skip
        add_language(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        now = market_time(AccountMode.PAPER, timezone.now())
        try:
            found = read_installation(options["path"], options["number"])
            report = move_in(
                found,
                options["account"],
                now,
                actor_of("import_miniqmt"),
                write=options["write"],
            )
        except NotAnInstallation as problem:
            raise CommandError(f"{problem.text.en} {problem.text.zh}") from problem
        except OSError as problem:
            raise CommandError(f"{problem.filename}: {problem.strerror}") from problem
        self._show(report, options)
        if options["json"]:
            text = json.dumps(report.as_json(), ensure_ascii=False, indent=1)
            options["json"].write_text(text + "\n", encoding="utf-8", newline="\n")

    def _show(self, report: Report, options: dict[str, Any]) -> None:
        output = Output(self.stdout._out, options["lang"])  # type: ignore[arg-type]
        lines = [
            line
            for line in report.lines
            if options["all"] or line.outcome is not Outcome.LEFT or line.part not in _ROUTINE
        ]
        output.table(
            _HEADS,
            [
                (
                    output.word(line.part),
                    line.source,
                    output.word(WORDS[line.outcome]),
                    line.target,
                    output.word(line.why),
                )
                for line in lines
            ],
        )
        counts = report.count()
        said = ", ".join(f"{output.word(WORDS[one])} {counts[one]}" for one in Outcome)
        output.say(Text(f"{report.account}: {said}", f"{report.account}：{said}"))
        if not options["write"]:
            output.say(
                Text(
                    "Nothing was written; the same with --write does it. --all shows what is not imported, and why.",
                    "尚未写入任何内容；加 --write 才会写入。--all 显示没有对应项的全部设置及原因。",
                )
            )
