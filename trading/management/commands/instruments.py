"""`manage.py instruments`: what is known of symbols, from a file or as it stands."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from trading.domain.symbols import SymbolError, parse_symbol
from trading.errors import SourceError
from trading.market_data.sources.instruments import read_instruments
from trading.models import Instrument
from trading.services.instruments import InstrumentFact, keep_instruments


class Command(BaseCommand):
    help = (
        "Shows and imports instruments: name, board, category, ST, listing. 查看和导入标的资料。"
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("symbols", nargs="*", help="show these 查看这些标的")
        parser.add_argument("--import", dest="file", type=Path, metavar="FILE", help="a CSV; what a person corrected stays 导入 CSV，人工修正优先")  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["file"] is not None:
                self._import(options["file"])
            symbols = [parse_symbol(text) for text in options["symbols"]]
        except SourceError as problem:
            raise CommandError(f"{problem}. 文件有误，未导入。") from problem
        except SymbolError as problem:
            raise CommandError(f"{problem.text.en} {problem.text.zh}") from problem
        for row in Instrument.objects.filter(pk__in=symbols).order_by("symbol"):
            self.stdout.write(_shown(row))
        if not symbols:
            count = Instrument.objects.count()
            self.stdout.write(f"{count} instruments are known. 已知 {count} 个标的。")

    def _import(self, file: Path) -> None:
        facts = [InstrumentFact(**values) for values in read_instruments(file)]
        kept = keep_instruments(facts, f"file {file.name}", timezone.now())
        self.stdout.write(
            f"{file.name}: {kept.new} new, {kept.changed} changed, {kept.same} as they were."
            f" 新增 {kept.new}，变更 {kept.changed}，未变 {kept.same}。"
        )


def _shown(row: Instrument) -> str:
    parts = [row.symbol, row.name, row.board, row.category, row.settlement]
    parts += ["ST"] if row.special_treatment else []
    parts += [f"listed {row.listed_on}"] if row.listed_on else []
    parts += [f"corrected: {', '.join(sorted(row.corrections))}"] if row.corrections else []
    return "  ".join(part for part in (*parts, row.source) if part)
