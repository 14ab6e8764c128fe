"""`manage.py account_copy ACCOUNT`: copies what the real account holds, for its shadow; it reads and nothing else."""

from __future__ import annotations

import csv
import os
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from trading.broker import vendor
from trading.broker.reading import AccountReading
from trading.broker.userdata import GATEWAY_SESSIONS, first_session, folder_problem
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import AccountMode, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.management.people import actor_of, one_account
from trading.models import Account, AccountCopy
from trading.services.clock import market_time
from trading.services.corrections import CorrectionError
from trading.services.shadow import Holding, keep_copy


class Command(BaseCommand):
    help = (
        "Copies cash and holdings of the real account for its shadow; only reads. "
        "为影子账户复制真实账户的资金与持仓；只读。"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="any ledger of it 任一账簿的名称")
        parser.add_argument(
            "--file",
            type=Path,
            help="CSV with the columns symbol, quantity, cost (UTF-8), instead of QMT 持仓文件，代替 QMT",
        )
        parser.add_argument("--cash", help="usable cash in yuan, with --file 可用资金（元）")

    def handle(self, *args: Any, **options: Any) -> None:
        account = one_account(options["account"])
        if account.mode == AccountMode.DEMO:
            raise _problem("The demo has no real account.", "演示账户没有对应的真实账户。")
        if options["file"] is None:
            source, cash, holdings = AccountCopy.Source.TERMINAL, *_from_terminal(account)
        else:
            source = AccountCopy.Source.FILE
            cash, holdings = _cash(options["cash"]), _from_file(options["file"])
        real = timezone.now()
        now = market_time(AccountMode(account.mode), real)
        try:
            keep_copy(account, source, cash, holdings, real, now, actor_of("account_copy"))
        except CorrectionError as problem:
            raise _problem(problem.text.en, problem.text.zh) from None
        self.stdout.write(
            f"{account.masked_number}: {cash:,.2f} yuan, {len(holdings)} holdings."
            f" 资金 {cash:,.2f} 元，持仓 {len(holdings)} 个。"
        )


def _from_terminal(account: Account) -> tuple[Decimal, Sequence[Holding]]:
    folder = account.terminal_folder or os.environ.get("MINIQMT_QMT_PATH", "")
    wrong = folder_problem(folder)
    if wrong is not None:
        raise _problem(
            f"{wrong.en} Without QMT: --file and --cash.",
            f"{wrong.zh}没有 QMT 时：--file 与 --cash。",
        )
    try:
        library = vendor.load("xttrader"), vendor.load("xttype")
        session = first_session(account.pk) + GATEWAY_SESSIONS
        number = account.broker_account_id
        line = AccountReading(*library, folder, session, number, time.sleep, time.monotonic)
        read = line.read()
    except GatewayUnavailable as problem:
        raise _problem(f"Nothing was copied: {problem}.", f"未复制：{problem}。") from None
    return read.cash, [(one.symbol, one.quantity, one.cost) for one in read.holdings]


def _cash(text: str | None) -> Decimal:
    cash = _number(text or "")
    if cash is None:
        raise _problem(
            f"--cash is {text!r}: write the usable cash in yuan, such as 50000.00.",
            f"--cash 为“{text}”：请填写可用资金（元），例如 50000.00。",
        )
    return cash


def _from_file(path: Path) -> list[Holding]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [_row(path, line, row) for line, row in enumerate(csv.DictReader(file), 2)]
    except (OSError, UnicodeDecodeError) as problem:
        raise _problem(
            f"{path} cannot be read: {problem}.", f"无法读取 {path}：{problem}。"
        ) from None


def _row(path: Path, line: int, row: dict[str, str | None]) -> Holding:
    said = {name: (row.get(name) or "").strip() for name in ("symbol", "quantity", "cost")}
    quantity, cost = said["quantity"], _number(said["cost"])
    try:
        symbol = Symbol(parse_symbol(said["symbol"]))
        if not quantity.isdecimal() or cost is None:
            raise ValueError(quantity)
    except (SymbolError, ValueError):
        raise _problem(
            f"{path.name}, line {line}: {said} is no holding; write it like 600036,1000,35.20 under the heading"
            " symbol,quantity,cost. Nothing was copied.",
            f"{path.name} 第 {line} 行：{said} 无法识别；表头为 symbol,quantity,cost，每行如 600036,1000,35.20。未复制。",
        ) from None
    return symbol, int(quantity), cost


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _problem(en: str, zh: str) -> CommandError:
    text = Text(en, zh)
    return CommandError(f"{text.en} {text.zh}")
