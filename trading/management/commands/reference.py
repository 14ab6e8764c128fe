"""`manage.py reference KIND`: reads reference data of the terminal in a process of its own, and says it as JSON lines.

Nobody else may ask the terminal for these: the vendor's library has crashed in such calls, and what it takes with it
must be this process and nothing more. The first line names what was refused; one line per row follows.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from trading.broker import vendor, xt_reference
from trading.domain.reference import Period, Read, to_row
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import Symbol, Text
from trading.errors import GatewayUnavailable
from trading.management.paper_files import read_token, terminal_address
from trading.paper import tcp_client, xtdata

KINDS = ("details", "dates", "calendar", "dividends", "bars")


class Command(BaseCommand):
    help = (
        "Reads reference data of the terminal. 读取终端的基础数据（合约、日历、除权、历史行情）。"
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=KINDS)
        parser.add_argument(
            "symbols", nargs="*", help="symbols; markets for dates and calendar 标的"
        )
        parser.add_argument("--first", type=date.fromisoformat, help="YYYY-MM-DD 起始日")
        parser.add_argument("--last", type=date.fromisoformat, help="YYYY-MM-DD 截止日")
        parser.add_argument("--period", choices=[one.value for one in Period], default="1d")
        parser.add_argument("--paper", action="store_true", help="ask the paper terminal 模拟终端")
        parser.add_argument("--out", type=Path, help="write there instead of here 输出文件")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = _read(_data(options["paper"]), options)
        except (GatewayUnavailable, SymbolError) as problem:
            raise CommandError(str(problem)) from None
        refused = [[*where, count] for where, count in sorted(found.refused.items())]
        # ASCII: a pipe has the console's encoding on a Chinese Windows.
        lines = [json.dumps({"refused": refused})]
        for row in found.rows:
            shown = row.isoformat() if isinstance(row, date) else to_row(row)
            lines.append(json.dumps(shown))
        text = "\n".join(lines)
        if options["out"] is None:
            self.stdout.write(text)
        else:
            options["out"].write_text(f"{text}\n", encoding="utf-8")


def _data(paper: bool) -> Any:
    """Return the terminal's data service."""
    if not paper:
        module: Any = vendor.load("xtdata")
        module.enable_hello = False
        return module
    home = Path(settings.HOME)
    address = terminal_address(home)
    if address is None:
        raise GatewayUnavailable("no paper terminal has been started here 尚未启动模拟终端")
    tcp_client.use_token(lambda: read_token(home))
    try:
        return xtdata.connect_to(address)
    except Exception as problem:  # as the vendor's raises
        raise GatewayUnavailable(str(problem)) from problem


def _read(data: Any, options: dict[str, Any]) -> Read[Any]:
    kind, span = options["kind"], (options["first"], options["last"])
    if kind != "details" and None in span:
        text = Text("--first and --last are needed.", "请填写 --first 与 --last。")
        raise GatewayUnavailable(f"{text.en} {text.zh}")
    if kind in ("dates", "calendar"):
        days: Callable[..., Read[date]] = (
            xt_reference.read_trading_dates if kind == "dates" else xt_reference.read_calendar
        )
        return days(data, (options["symbols"] or ["SH"])[0].upper(), *span)
    symbols: list[Symbol] = [parse_symbol(one) for one in options["symbols"]]
    if not symbols:
        text = Text("Name at least one symbol.", "请至少填写一个标的。")
        raise GatewayUnavailable(f"{text.en} {text.zh}")
    if kind == "details":
        return xt_reference.read_details(data, symbols)
    if kind == "dividends":
        return xt_reference.read_dividends(data, symbols, *span)
    return xt_reference.read_bars(data, symbols, Period(options["period"]), *span)
