"""`manage.py quotes [SYMBOL…]`: what each source of quotes says now, and why one is taken and another not."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import CHINA, Text
from trading.errors import GatewayUnavailable
from trading.management.language import add_language
from trading.services.clock import market_time
from trading.services.quote_sources import Overview, overview, quotes_mode
from trading.services.shown_sources import shown


class Command(BaseCommand):
    help = "Shows what each source of quotes says. 查看各行情源的行情与状态。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "symbols", nargs="*", help="none: those in trouble 省略则只列有异常的标的"
        )
        add_language(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        self._language = options["lang"]
        mode = quotes_mode()
        now = market_time(mode, timezone.now())
        try:
            symbols = [parse_symbol(text) for text in options["symbols"]]
            found = overview(now, mode, symbols or None, trouble_only=not symbols)
        except SymbolError as problem:
            raise CommandError(f"{problem.text.en} {problem.text.zh}") from problem
        except GatewayUnavailable as problem:
            raise CommandError(str(problem)) from problem
        if not found.noted:
            raise CommandError(
                "The market data process has noted nothing yet: is it running? 行情进程尚无记录：是否在运行？"
            )
        self._say(
            f"Market time {now.astimezone(CHINA):%m-%d %H:%M:%S}",
            f"市场时间 {now.astimezone(CHINA):%m-%d %H:%M:%S}",
        )
        self._silence(found)
        for line in found.sources:
            self._source(shown(line, self._language))
        for one in found.symbols:
            self.stdout.write(f"\n{one.symbol} {one.name}".rstrip())
            for line in one.lines:
                self._line(shown(line, self._language))
            if not one.lines:
                self._say("  no source has said anything yet", "  尚无任何行情源的记录")
        if not symbols and not found.symbols:
            self._say("No symbol is in trouble.", "没有异常标的。")

    def _silence(self, found: Overview) -> None:
        if found.silent_since is not None:
            at = f"{found.silent_since.astimezone(CHINA):%m-%d %H:%M:%S}"
            self._say(
                f"Nothing was noted since {at}: what follows is old.",
                f"自 {at} 起没有更新，以下内容已过时。",
            )

    def _source(self, line: Mapping[str, str]) -> None:
        self._say(
            f"{line['source']}: {line['word']}; calls answered {line['answered']}, last delivery {line['time']}"
            f" ({line['age']} ago), accepted {line['total']}, refused {line['refusals']}",
            f"{line['source']}：{line['word']}；请求成功 {line['answered']}，最近送达 {line['time']}"
            f"（{line['age']}前），接受 {line['total']}，拒收 {line['refusals']}",
        )

    def _line(self, line: Mapping[str, str]) -> None:
        mark = "*" if line["chosen"] else " "
        self._say(
            f"{mark} {line['source']}: {line['last']} ({line['book']}) at {line['time']}, {line['age']} old;"
            f" {line['word']}, latency {line['latency']}, accepted {line['accepted']} in 5 min,"
            f" refused since start {line['refusals']}",
            f"{mark} {line['source']}：{line['last']}（{line['book']}）{line['time']}，{line['age']}前；"
            f"{line['word']}，延迟 {line['latency']}，5 分钟接受 {line['accepted']}，"
            f"启动以来拒收 {line['refusals']}",
        )
        self.stdout.write(f"    {line['why']}")

    def _say(self, en: str, zh: str) -> None:
        self.stdout.write(Text(en, zh).in_language(self._language))
