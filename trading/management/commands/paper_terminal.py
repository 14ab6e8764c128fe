"""`manage.py paper_terminal`: the simulated exchange and its accounts as a process of their own, like the real client."""

from __future__ import annotations

import re
import sqlite3
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from trading.domain.calendar import TradingCalendar
from trading.domain.fees import FeeSchedule
from trading.domain.instruments import Instrument
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import CHINA, AccountMode, Symbol, Text
from trading.errors import SourceError
from trading.management.known_days import calendar_known_on
from trading.management.one_instance import TERMINAL_LOCK, Alive, AlreadyRunning, one_instance
from trading.management.paper_accounts import LaterAccounts, simulated_accounts
from trading.management.paper_files import remove_notice, token_for, write_notice
from trading.management.simulated_time import SimulatedTime
from trading.management.waiting import StopSignal
from trading.market_data.demo import (
    DEMO_STARTS,
    DemoHolding,
    DemoMarket,
    DemoSource,
    demo_holdings,
    demo_instruments,
)
from trading.paper.delivery import Delivery
from trading.paper.exchange import Exchange
from trading.paper.misbehaviours import MINUS_ONE, NAMES, Misbehaviours
from trading.paper.store import Store, StoreError
from trading.paper.tcp import HOST, Server, Source
from trading.paper.terminal import Terminal
from trading.selectors import instruments_of
from trading.services.clock import DEMO, use_real_time
from trading.services.demo import BROKER_ACCOUNT
from trading.services.pace import pace_of

STORE = "paper.sqlite3"
#: The first port tried when none is asked for, and how many after it.
FIRST_PORT, PORTS = 8700, 50
#: Where the clock starts on the first day of a recording: before the opening auction; or before its first quote, by as
#: much real time as the other processes need to be there.
RECORDING_STARTS, LEAD = clock_time(9, 14, 50), timedelta(seconds=10)
_NOON = clock_time(12)

_POSITION = re.compile(r"(?P<symbol>[^:]+):(?P<quantity>[0-9]+)@(?P<cost>[0-9]+(\.[0-9]+)?)")


@dataclass(frozen=True)
class _Market:
    """What is traded, where it comes from, and when it begins unless somebody says otherwise (None: now)."""

    source: Source | None
    instruments: Mapping[Symbol, Instrument]
    holdings: Sequence[DemoHolding] = ()
    starts: datetime | None = None


class Command(BaseCommand):
    help = "Runs the simulated exchange with its accounts. 运行模拟交易终端。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=int, help=f"default: {FIRST_PORT} or the next free one 端口"
        )
        parser.add_argument(
            "--store", type=Path, help=f"default: {STORE} in MINIQMT_HOME 账本文件"
        )
        parser.add_argument(
            "--source",
            default="demo",
            help="demo, none, or a recorded day as for replay (default demo) 行情来源",
        )
        parser.add_argument(
            "--seed", type=int, default=1, help="of the demo market and of --misbehave 种子"
        )
        parser.add_argument(
            "--misbehave",
            default="",
            metavar="NAME[,NAME]",
            help="incidents that may happen, to see what becomes of them; `list` names them 故意异常",
        )
        parser.add_argument(
            "--start", help="market time to begin at, such as 2026-08-10T09:29:50 起始时间"
        )
        parser.add_argument(
            "--speed",
            type=float,
            default=float(settings.MINIQMT_SPEED),
            help="of market time (default: MINIQMT_SPEED, or 1) 倍速",
        )
        parser.add_argument(
            "--account",
            action="append",
            help="opened when the store is empty, repeatable, each with the same cash and holdings (default: the simulated"
            " accounts of the database; those that are added later are opened without holdings) 资金账号，可重复",
        )
        parser.add_argument(
            "--cash", default="1000000", help="yuan of a new account (default 1000000) 初始资金"
        )
        parser.add_argument(
            "--position",
            action="append",
            metavar="SYMBOL:QTY@COST",
            help="holding of a new account, repeatable; default: those of the demo 初始持仓",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        home = Path(settings.HOME)
        try:
            with one_instance(home / TERMINAL_LOCK) as alive:
                self._run(home, options, alive)
        except AlreadyRunning:
            raise _problem(
                f"A paper terminal is already running in {home}; stop it first, or set"
                " MINIQMT_HOME to another folder.",
                f"{home} 中已有模拟终端在运行；请先停止它，或将 MINIQMT_HOME 设为另一个文件夹。",
            ) from None

    def _run(self, home: Path, options: dict[str, Any], alive: Alive) -> None:
        stop = StopSignal()
        calendar = _calendar()
        cash, holdings = _cash(options["cash"]), _holdings(options["position"])
        market = _market(options["source"], options["seed"], calendar)
        instruments = dict(instruments_of([one.symbol for one in holdings or ()]))
        instruments.update(market.instruments)
        with closing(_open_store(options["store"] or home / STORE)) as store:
            exchange = Exchange(calendar, instruments)
            terminal = Terminal(exchange, store, _delivery(options))
            instruments.update(instruments_of(_symbols_in(exchange) - instruments.keys()))
            clock = _clock(options, market, exchange)
            if not exchange.accounts:
                chosen = market.holdings if holdings is None else holdings
                _open_first(exchange, _accounts(options["account"]), cash, chosen, clock())
            later = LaterAccounts(
                exchange.accounts,
                lambda number, fees: exchange.open_account(number, cash, fees),
            )

            def stopping() -> bool:
                alive()
                later.look()
                return stop.asked()

            server = _listen(terminal, token_for(home), clock, market.source, options["port"])
            try:
                server.step()  # a book to trade against before anybody is told that we are here
                write_notice(home, HOST, server.port)
                accounts = ", ".join(exchange.accounts)
                self.stdout.write(
                    f"Paper terminal at {server.address}, account {accounts}, market time"
                    f" {clock():%Y-%m-%d %H:%M:%S}. 模拟终端已启动。"
                )
                if options["misbehave"]:
                    self.stdout.write(
                        f"IT MISBEHAVES ON PURPOSE: {options['misbehave']}. 本终端将故意出现上述异常，仅供测试。"
                    )
                self.stdout.flush()
                server.run(stopping)
            finally:
                server.close()
                remove_notice(home)


def _problem(en: str, zh: str) -> CommandError:
    text = Text(en, zh)
    return CommandError(f"{text.en} {text.zh}")


def _delivery(options: dict[str, Any]) -> Delivery:
    """Return how the terminal behaves: well, or as the named incidents have it."""
    wanted = [name.strip() for name in options["misbehave"].split(",") if name.strip()]
    if not wanted:
        return Delivery()
    known = [
        name for name in NAMES if name != MINUS_ONE
    ]  # that one needs program and twin in one process
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise _problem(
            f"--misbehave knows no {', '.join(unknown)}; the names are {', '.join(known)}.",
            f"--misbehave 不认识 {', '.join(unknown)}；可用名称见上。",
        )
    return Misbehaviours(wanted, options["seed"], speed=options["speed"])


def _calendar() -> TradingCalendar:
    try:
        return calendar_known_on(datetime.now(CHINA).date())
    except (DatabaseError, CalledProcessError):
        raise _problem(
            "The database cannot be read: see DATABASE_URL; a new one needs `python manage.py migrate` first.",
            "无法读取数据库：请检查 DATABASE_URL；新数据库须先运行 `python manage.py migrate`。",
        ) from None


def _accounts(numbers: Sequence[str] | None) -> dict[str, FeeSchedule]:
    """Return the accounts of an empty store: those that were asked for, or the simulated ones of the database."""
    known = simulated_accounts()
    if not numbers:
        return known or {BROKER_ACCOUNT: FeeSchedule()}
    return {number: known.get(number, FeeSchedule()) for number in numbers}


def _holdings(given: Sequence[str] | None) -> list[DemoHolding] | None:
    if given is None:
        return None
    holdings = []
    for text in given:
        found = _POSITION.fullmatch(text)
        try:
            if found is None or not int(found["quantity"]) or not Decimal(found["cost"]):
                raise ValueError(text)
            symbol = parse_symbol(found["symbol"])
        except (SymbolError, ValueError):
            raise _problem(
                f"--position {text!r} is no holding; write it like 600036.SH:1000@35.20.",
                f"--position “{text}”无法识别；请写成 600036.SH:1000@35.20。",
            ) from None
        holdings.append(DemoHolding(symbol, int(found["quantity"]), Decimal(found["cost"])))
    return holdings


def _cash(text: str) -> Decimal:
    try:
        cash = Decimal(text)
    except InvalidOperation:
        cash = Decimal(-1)
    if not cash.is_finite() or cash < 0:
        raise _problem(f"--cash {text!r} is no amount.", f"--cash “{text}”不是金额。")
    return cash


def _market(source: str, seed: int, calendar: TradingCalendar) -> _Market:
    if source == "none":
        return _Market(None, {})
    if source == "demo":
        today = datetime.now(CHINA).date()
        on = today if calendar.is_session(today) else calendar.previous_session(today)
        starts = datetime.combine(on or today, DEMO_STARTS, CHINA)
        market = DemoSource(DemoMarket(calendar, seed))
        return _Market(market, demo_instruments(), demo_holdings(), starts)
    from trading.market_data.playback import RecordingSource  # not needed for the demo
    from trading.market_data.sources import open_source

    try:
        recording = open_source(Path(source))
    except (SourceError, OSError) as problem:
        raise CommandError(str(problem)) from None
    earliest = datetime.combine(recording.sessions[0], RECORDING_STARTS, CHINA)
    lead = pace_of(AccountMode.PAPER).market(LEAD)
    starts = max(earliest, next(recording.quotes()).time - lead)
    return _Market(RecordingSource(recording), instruments_of(recording.symbols), (), starts)


def _clock(options: dict[str, Any], market: _Market, exchange: Exchange) -> Callable[[], datetime]:
    """Return market time: from `--start`, the market's own beginning, or real time; never before what is in the store.

    It is the time of every simulated account. A terminal that comes back goes on with the clock that still runs.
    """
    speed = options["speed"]
    if not 0 < speed <= 1000:
        raise _problem("--speed must be between 0 and 1000.", "--speed 必须大于 0 且不超过 1000。")
    start = market.starts
    if options["start"]:
        try:
            start = datetime.fromisoformat(options["start"])
        except ValueError:
            raise _problem(
                f"--start {options['start']!r} is no time; write it like 2026-08-10T09:29:50.",
                f"--start “{options['start']}”不是时间；请写成 2026-08-10T09:29:50。",
            ) from None
        start = start.replace(tzinfo=CHINA) if start.tzinfo is None else start
    if start is None and speed == 1:
        use_real_time(DEMO)
        return lambda: datetime.now(CHINA)
    clock = SimulatedTime(exchange.calendar, timezone.now)
    clock.begin(
        max(start or datetime.now(CHINA), exchange.now),
        Decimal(str(speed)),
        afresh=bool(options["start"]),
    )
    return clock


def _open_store(path: Path) -> Store:
    try:
        return Store(path)
    except (StoreError, sqlite3.Error, OSError) as problem:
        raise _problem(
            f"The store {path} cannot be opened ({problem}); give another --store, or move it away.",
            f"无法打开账本文件 {path}（{problem}）；请用 --store 另指定文件，或将其移走。",
        ) from None


def _symbols_in(exchange: Exchange) -> set[Symbol]:
    """Return what the accounts of the store hold or have ordered, whatever is traded today."""
    accounts = exchange.accounts.values()
    held = {symbol for account in accounts for symbol in account.positions}
    return held | {order.symbol for account in accounts for order in account.orders.values()}


def _open_first(
    exchange: Exchange,
    accounts: Mapping[str, FeeSchedule],
    cash: Decimal,
    holdings: Sequence[DemoHolding],
    now: datetime,
) -> None:
    """Open accounts in an empty exchange, with holdings of before: they can be sold today.

    They are older than the session before, too: on a day without one a terminal still shows that session, and who held
    nothing in its morning and bought nothing in it would contradict himself.
    """
    before = _session_before(exchange, now.date())
    exchange.advance(datetime.combine(before, _NOON, CHINA))
    bought = _session_before(exchange, before)
    for number, fees in accounts.items():
        exchange.open_account(number, cash, fees)
        for one in holdings:
            exchange.seed_position(number, one.symbol, one.quantity, one.cost, bought)


def _session_before(exchange: Exchange, day: date) -> date:
    return exchange.calendar.previous_session(day) or day - timedelta(days=1)


def _listen(
    terminal: Terminal,
    token: str,
    clock: Callable[[], datetime],
    source: Source | None,
    port: int | None,
) -> Server:
    ports = range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else (port,)
    for one in ports:
        try:
            return Server(terminal, token, clock, source, one)
        except OSError:
            continue
    raise _problem(
        f"Port {ports[0]} is taken; give another --port.",
        f"端口 {ports[0]} 已被占用；请用 --port 指定其他端口。",
    )
