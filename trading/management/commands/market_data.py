"""`manage.py market_data`: the one process that reads quotes from a terminal and stores them for all others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from trading.broker import vendor
from trading.domain.calendar import MarketPhase, TradingCalendar, phase_at
from trading.domain.types import AccountMode, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.management.change_watch import ChangeWatch
from trading.management.fallback import fallback_feeds
from trading.management.known_days import calendar_known_on
from trading.management.one_instance import (
    MARKET_DATA_LOCK,
    Alive,
    AlreadyRunning,
    one_instance,
)
from trading.management.paper_files import read_token, terminal_address
from trading.management.quote_line import Line, QuoteLine
from trading.management.quote_sources import QuoteSources
from trading.management.waiting import StopSignal, await_database
from trading.market_data.xtquant_feed import CANARIES
from trading.models import Account
from trading.paper import tcp_client, xtdata
from trading.selectors import wanted_quotes
from trading.services.calendar import load_calendar
from trading.services.clock import market_time
from trading.services.pace import pace_of
from trading.services.pricing import limits_by_rule
from trading.services.quote_sources import quotes_mode
from trading.services.shared_quotes import open_quotes_to_write

log = logging.getLogger(__name__)

#: Seconds between two steps while the exchange is open and while it is closed, and between two looks at the accounts.
OPEN, CLOSED, LOOK_AGAIN = 0.5, 5.0, 5.0
#: The shortest pause, in a fast market.
SHORTEST = 0.1


class Command(BaseCommand):
    help = "Reads quotes and stores them for all processes. 运行行情进程。"
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        home = Path(settings.HOME)
        try:
            with one_instance(home / MARKET_DATA_LOCK) as alive:
                self._run(home, alive)
        except AlreadyRunning:
            raise _problem(
                f"The market data process is already running in {home}.",
                f"{home} 中的行情进程已在运行。",
            ) from None
        except DatabaseError:
            raise _problem(
                "The database cannot be read: see DATABASE_URL; a new one needs `python manage.py migrate` first.",
                "无法读取数据库：请检查 DATABASE_URL；新数据库须先运行 `python manage.py migrate`。",
            ) from None

    def _run(self, home: Path, alive: Alive) -> None:
        stop = StopSignal()
        await_database()
        calendar = calendar_known_on(timezone.localdate())
        mode = quotes_mode()
        with closing(open_quotes_to_write()) as store:
            line = QuoteLine(_opener(mode, home))
            sources = QuoteSources(line, store, limits_by_rule(calendar), fallback_feeds())
            with closing(sources):
                # The twin's market has none of them.
                interest = _Interest(CANARIES if mode is AccountMode.LIVE else ())
                self.stdout.write("Market data is running. 行情进程已启动。")
                self.stdout.flush()
                began = ChangeWatch((calendar, mode), lambda: (load_calendar(), quotes_mode()))
                while not stop.asked():
                    alive()
                    if began.changed():
                        raise _problem(
                            "The trading days, or whose market the quotes are of, have changed: a new process begins with it.",
                            "交易日历或行情所属市场已变更：将由新进程按新情况运行。",
                        )
                    stop.wait(_step(sources, interest, mode, calendar))


class _Interest:
    """The symbols that enabled accounts hold, trade, wait for or watch; read again every few seconds.

    `all_trade_on_any`: whether every one of them may trade on quotes of the fallback, too. `always`: symbols that trade
    every few seconds. With them among the others, silence is the line's, not that of a holding that is suspended.
    """

    def __init__(self, always: Iterable[Symbol] = ()) -> None:
        self._always = frozenset(always)
        self._read_at = float("-inf")
        self.symbols: frozenset[Symbol] = frozenset()
        self.all_trade_on_any = False

    def read(self, at: float) -> frozenset[Symbol]:
        if at - self._read_at >= LOOK_AGAIN:
            symbols, self.all_trade_on_any = wanted_quotes()
            symbols = symbols.union(self._always)
            if symbols != self.symbols:
                self.symbols = symbols
            self._read_at = at
        return self.symbols


def _step(
    sources: QuoteSources, interest: _Interest, mode: AccountMode, calendar: TradingCalendar
) -> float:
    close_old_connections()
    try:
        before, at = sources.problem, time.monotonic()
        symbols = interest.read(at)
        # Last of all: in a fast market quotes that come after it would lie in the future.
        now = market_time(mode, timezone.now())
        phase = phase_at(calendar, now)
        sources.step(
            symbols,
            now,
            at,
            trading=phase.continuous,
            patient=interest.all_trade_on_any,
            pace=pace_of(mode),
        )
        if sources.problem != before:
            log.warning("quotes: %s", sources.problem or "they come again")
    except GatewayUnavailable as problem:
        log.warning("quotes: %s", problem)
        return OPEN
    except DatabaseError:
        log.exception("the accounts cannot be read")
        return OPEN
    return CLOSED if phase is MarketPhase.CLOSED else _pause(mode)


def _pause(mode: AccountMode) -> float:
    """A fast market has as many quotes in a shorter time."""
    return max(OPEN / pace_of(mode).market(timedelta(seconds=1)).total_seconds(), SHORTEST)


def _opener(mode: AccountMode, home: Path) -> Callable[[], Line]:
    if mode is not AccountMode.LIVE:
        tcp_client.use_token(lambda: read_token(home))
        return lambda: _TwinLine(home)
    try:
        module = vendor.load("xtdata")
    except GatewayUnavailable as problem:
        if (
            not settings.FALLBACK_QUOTES
            or Account.objects.filter(enabled=True, mode=AccountMode.LIVE).exists()
        ):
            raise CommandError(str(problem)) from None
        return _no_terminal(str(problem))
    return lambda: _QmtLine(module)


def _no_terminal(why: str) -> Callable[[], Line]:
    """A shadow may live on the second source alone: there is a line, and it is down."""

    def away() -> Line:
        raise ConnectionError(why)

    return away


class _TwinLine:
    """The quotes of the paper terminal that runs here now."""

    def __init__(self, home: Path) -> None:
        address = terminal_address(home)
        if address is None:
            raise ConnectionError("no paper terminal has been started here")
        self._data = xtdata.connect_to(address)
        self._client = self._data.connect()

    @property
    def is_open(self) -> bool:
        return self._client.is_connected()

    def subscribe_whole_quote(self, code_list: list[str], callback: Callable[[Any], None]) -> Any:
        return self._data.subscribe_whole_quote(code_list, callback)

    def get_full_tick(self, code_list: list[str]) -> Mapping[str, Any]:
        return self._data.get_full_tick(code_list)

    def close(self) -> None:
        self._data.disconnect()


class _QmtLine:
    """The quotes of the real terminal: the vendor's module finds it by itself.

    Each call of the module connects again in silence when the connection was lost, and its subscriptions are gone
    then: the line is as open as the connection it began with, and whoever opens the next one subscribes anew.
    """

    def __init__(self, module: Any) -> None:
        self._xtdata = module
        module.enable_hello = False  # it asks the terminal who it is, and prints it
        self._client = module.reconnect()

    @property
    def is_open(self) -> bool:
        return bool(self._client.is_connected())

    def subscribe_whole_quote(self, code_list: list[str], callback: Callable[[Any], None]) -> Any:
        return self._xtdata.subscribe_whole_quote(code_list, callback)

    def get_full_tick(self, code_list: list[str]) -> Any:
        return self._xtdata.get_full_tick(code_list)

    def close(self) -> None:
        self._xtdata.disconnect()


def _problem(en: str, zh: str) -> CommandError:
    text = Text(en, zh)
    return CommandError(f"{text.en} {text.zh}")
