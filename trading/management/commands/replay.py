"""`manage.py replay SOURCE…`: recorded days through the real services, on a database of their own."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from trading.domain.types import Text
from trading.errors import SourceError
from trading.management.language import add_language
from trading.replay import arguments
from trading.replay.arguments import OptionError
from trading.replay.balance import ImbalanceError
from trading.replay.guests import guests
from trading.replay.progress import shown
from trading.replay.report import Report
from trading.replay.result import json_bytes
from trading.replay.run import play

#: Exit codes: the recorded data is wrong, or the books do not balance; the command was typed wrong.
BAD_DATA, BAD_OPTION = 1, 2
#: Columns of a table that goes to a file or a pipe.
WIDTH = 160


class Command(BaseCommand):
    help = "Plays recorded days through the real services. 用真实服务回放历史行情。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source",
            nargs="+",
            type=Path,
            help="CSV, ZIP, file of a local TDX, or directory (docs/replay-sources.md) 数据",
        )
        parser.add_argument(
            "--position",
            action="append",
            default=[],
            metavar="SYMBOL:QTY@COST",
            help="a holding bought the session before, repeatable 期初持仓",
        )
        parser.add_argument(
            "--cash", default="1000000", help="yuan at the start (default 1000000) 期初资金"
        )
        parser.add_argument(
            "--config",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="a setting, repeatable 配置项",
        )
        parser.add_argument(
            "--corporate-actions", type=Path, metavar="FILE", help="ex-rights events 除权除息"
        )
        parser.add_argument(
            "--label",
            choices=("start", "end"),
            default="start",
            help="what a bar's time names K线时间",
        )
        for guest in guests():
            parser.add_argument(
                guest.option,
                action="append",
                default=[],
                dest=guest.key,
                metavar=guest.metavar,
                help=guest.help,
            )
        parser.add_argument("--no-skip", action="store_true", help="run every tick 不跳过任何轮次")
        parser.add_argument(
            "--json", type=Path, metavar="FILE", help="write the result here 结果写入文件"
        )
        add_language(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        # What a live gateway logs of its day is no news here; the result tells it.
        logging.getLogger("trading").setLevel(logging.ERROR)
        language = options["lang"]
        try:
            plan = arguments.plan(
                sources=options["source"],
                positions=options["position"],
                cash=options["cash"],
                settings=options["config"],
                corporate_actions=options["corporate_actions"],
                label=options["label"],
                skip=not options["no_skip"],
                output=options["json"],
                wishes={guest.key: options[guest.key] for guest in guests()},
            )
            with shown(Console(file=_stream(self.stderr)), language) as progress:
                result = play(plan.recordings, plan.options, progress)
        except OptionError as problem:
            raise CommandError(
                f"{problem.text.en} {problem.text.zh}", returncode=BAD_OPTION
            ) from problem
        except SourceError as problem:
            raise CommandError(str(problem), returncode=BAD_DATA) from problem
        except ImbalanceError as problem:
            raise CommandError(
                f"{problem.text.en} {problem.text.zh}", returncode=BAD_DATA
            ) from problem
        self._warn(plan.warnings, language)
        if options["json"] is not None:
            options["json"].write_bytes(json_bytes(result))
        Report(_console(_stream(self.stdout)), language).show(result)

    def _warn(self, warnings: tuple[Text, ...], language: str) -> None:
        for warning in warnings:
            self.stderr.write(warning.in_language(language))


def _stream(wrapper: Any) -> IO[str]:
    """Return what Django's wrapper writes to; rich ends its lines itself."""
    stream: IO[str] = wrapper._out
    return stream


def _console(stream: Any) -> Console:
    terminal = stream.isatty()
    return Console(file=stream, width=None if terminal else WIDTH, highlight=False)
