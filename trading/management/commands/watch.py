"""`manage.py watch …`: the watch list of an account (docs/operations.md)."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from trading.domain.stock_pool import Entry, StockPoolError, format_stock_pool, parse_stock_pool
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import AccountMode, Symbol, Text
from trading.management.people import actor_of, one_account
from trading.selectors import instruments_of
from trading.services import watch_list
from trading.services.clock import market_time
from trading.services.corrections import CorrectionError

#: A stock pool is small; a larger file is none.
_LARGEST = 1_000_000


class Command(BaseCommand):
    help = "Shows and changes the watch list. 查看和修改自选列表。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        todo = parser.add_subparsers(dest="todo", required=True, metavar="COMMAND")

        def command(name: str, help_: str) -> ArgumentParser:
            made: ArgumentParser = todo.add_parser(name, help=help_)
            made.add_argument("--account", help="its name; needed when there are several 账户名称")
            return made

        command("list", "what is watched 查看")
        made = command("add", "watch symbols 加入")
        made.add_argument("symbols", nargs="+")
        made.add_argument("--note", default="", help="a note beside each 备注")
        command("remove", "watch them no more 移除").add_argument("symbols", nargs="+")
        made = command("import", "add what a stock_pool.json names 导入")
        made.add_argument("file", type=Path)
        made.add_argument("--replace", action="store_true", help="remove what it lacks 移除其中没有的")  # fmt: skip
        command("export", "write a stock_pool.json 导出").add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        self._account = one_account(options["account"])
        self._now = market_time(AccountMode(self._account.mode), timezone.now())
        try:
            getattr(self, f"_{options['todo']}")(options)
        except (CorrectionError, StockPoolError, SymbolError) as problem:
            raise CommandError(f"{problem.text.en} {problem.text.zh}") from problem
        except OSError as problem:
            raise CommandError(
                f"{problem.filename}: {problem.strerror}; name a file that can be used. 请指定可用的文件。"
            ) from problem

    def _list(self, options: dict[str, Any]) -> None:
        found = watch_list.entries(self._account.pk)
        names = instruments_of([entry.symbol for entry in found])
        for symbol, note in found:
            self.stdout.write(f"{symbol}  {names[symbol].name}  {note}".rstrip())
        self.stdout.write(f"{len(found)} watched. 共 {len(found)} 个自选标的。")

    def _add(self, options: dict[str, Any]) -> None:
        symbols = [parse_symbol(text) for text in options["symbols"]]
        self._watch([Entry(symbol, options["note"][:100]) for symbol in symbols])

    def _import(self, options: dict[str, Any]) -> None:
        with options["file"].open(encoding="utf-8") as stream:
            text = stream.read(_LARGEST)
        self._watch(parse_stock_pool(text), replace=options["replace"])

    def _watch(self, wanted: list[Entry], *, replace: bool = False) -> None:
        outcome = watch_list.watch(
            self._account.pk, wanted, self._now, actor_of("watch"), replace=replace
        )
        self._say(outcome)

    def _remove(self, options: dict[str, Any]) -> None:
        symbols: list[Symbol] = [parse_symbol(text) for text in options["symbols"]]
        self._say(watch_list.unwatch(self._account.pk, symbols, self._now, actor_of("watch")))

    def _export(self, options: dict[str, Any]) -> None:
        found = watch_list.entries(self._account.pk)
        options["file"].write_text(format_stock_pool(found), encoding="utf-8", newline="\n")
        self.stdout.write(f"{len(found)} symbols written. 已写出 {len(found)} 个标的。")

    def _say(self, outcome: watch_list.Outcome) -> None:
        added, known, removed = map(len, outcome)
        text = Text(
            f"{added} added, {known} known already, {removed} removed.",
            f"加入 {added} 个，已有 {known} 个，移除 {removed} 个。",
        )
        self.stdout.write(f"{text.en} {text.zh}")
