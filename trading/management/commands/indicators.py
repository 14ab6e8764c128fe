"""`manage.py indicators`: daily bars in, daily indicators out. The only place that loads pandas; it ends when done."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from trading.domain.daily import DailyBar
from trading.domain.symbols import SymbolError, parse_series
from trading.domain.types import Symbol
from trading.errors import GatewayUnavailable, SourceError
from trading.market_data.mootdx_history import open_history
from trading.market_data.sources.daily import UNITS, read_daily
from trading.market_data.tdx_local import local_daily_bars
from trading.services import indicators
from trading.services.calendar import load_calendar
from trading.services.clock import market_of_history
from trading.services.daily_bars import keep_bars
from trading.services.indicators import Series


class Command(BaseCommand):
    help = "Imports daily bars and counts MACD and moving averages. 导入日线并计算 MACD 与均线。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("symbols", nargs="*", help="all with bars when none is named 默认全部")
        parser.add_argument(
            "--import", dest="files", type=Path, nargs="+", default=[], metavar="FILE",
            help="first keep the bars of these .day or CSV files 先导入日线文件",
        )  # fmt: skip
        parser.add_argument("--symbol", default="", help="whose bars these are, where the file does not say 文件未注明时的代码")  # fmt: skip
        parser.add_argument("--volume-in", choices=list(UNITS), default="shares", help="what a CSV counts volume in 成交量单位")  # fmt: skip
        parser.add_argument(
            "--fetch", type=int, default=0, metavar="DAYS",
            help="first fetch so many daily bars: of the local TDX that is set, else of TDX servers 先获取日线",
        )  # fmt: skip
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--verify", action="store_true", help="compare what is stored with the bars, change nothing 核对，不修改")  # fmt: skip
        what.add_argument("--rebuild", action="store_true", help="count everything again 全部重算")

    def handle(self, *args: Any, **options: Any) -> None:
        self._calendar, self._market = load_calendar(), market_of_history()
        try:
            for file in options["files"]:
                self._import(file, options["symbol"], options["volume_in"])
            named = [Series(self._market, parse_series(text)) for text in options["symbols"]]
            if options["fetch"]:
                known = named or indicators.series_with_bars(self._market)
                self._fetch([one.symbol for one in known], options["fetch"])
        except SourceError as problem:
            raise CommandError(f"{problem}. 文件有误，未导入。") from problem
        except SymbolError as problem:
            raise CommandError(f"{problem.text.en} {problem.text.zh}") from problem
        except (GatewayUnavailable, ValueError) as problem:
            raise CommandError(f"{problem}. 未能获取日线。") from problem
        wanted = named or indicators.series_with_bars()
        if options["verify"]:
            self._verify(wanted)
            return
        count = indicators.rebuild if options["rebuild"] else indicators.update
        written = count(wanted, self._calendar)
        self.stdout.write(
            f"{written} rows of {len(wanted)} symbols. {len(wanted)} 个标的，写入 {written} 行。"
        )

    def _fetch(self, symbols: list[Symbol], days: int) -> None:
        if settings.MINIQMT_MOOTDX_FOLDER:
            for symbol in symbols:
                self._keep(local_daily_bars(symbol, days), "local TDX", symbol)
            return
        with open_history() as history:
            for symbol in symbols:
                self._keep(history.daily_bars(symbol, days), "TDX servers", symbol)

    def _import(self, file: Path, symbol: str, volume_in: str) -> None:
        bars = read_daily(file, symbol, volume_in)
        self._keep(bars, f"file {file.name}", file.name)

    def _keep(self, bars: list[DailyBar], source: str, name: str) -> None:
        kept = keep_bars(bars, source, self._calendar, timezone.now(), self._market)
        self.stdout.write(
            f"{name}: {kept.changed} new or changed, {kept.same} known, {kept.refused} refused"
            f" (no session, or not over). 新增或变更 {kept.changed}，已有 {kept.same}，拒绝 {kept.refused}。"
        )

    def _verify(self, wanted: list[Series]) -> None:
        differing = {one: days for one in wanted if (days := indicators.wrong(one, self._calendar))}  # fmt: skip
        for series, days in differing.items():
            self.stdout.write(f"{series.symbol}: {len(days)} rows differ, from {days[0]} on")
        if differing:
            raise CommandError(
                "Stored indicators are not what the bars give: run `manage.py indicators --rebuild`."
                " 指标与日线不符：请运行 `manage.py indicators --rebuild`。"
            )
        self.stdout.write(f"{len(wanted)} symbols, bit for bit. {len(wanted)} 个标的，逐位一致。")  # fmt: skip
