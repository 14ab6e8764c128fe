"""A grid tick as the worker runs it, by number of sessions: milliseconds, reads and writes.

One tick = `run_tick`: clock, lease, quotes from the embedded Redis, fills, rules, orders, one commit, on the SQLite
file with the options of production. Half of the sessions are lot grids, half centred ones. Before each tick every
symbol gets a new quote; 20 % of them move by a cent, the centred sessions of 5 % follow a new valley (their rows
change), and none trades: what an order costs is the same as in the strategy tick.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any

from django.db import connection

from grid.domain.rules import build, parameter_names
from grid.domain.state import SessionStatus, start
from grid.models import GridSession
from grid.selectors import state_columns
from grid.strategy import GRID
from tests.benchmarks.ground import Ground
from tests.benchmarks.measured import Case, Target
from tests.redis_servers import embedded_redis
from trading.domain.types import (
    CHINA,
    AccountMode,
    BookStatus,
    GatewayStatus,
    Level,
    Quote,
    Symbol,
)
from trading.market_data.file_store import FileQuoteStore
from trading.market_data.redis_store import RedisQuoteStore
from trading.market_data.shared_store import FallbackQuotes, SharedQuotes
from trading.models import Account, Position, TradingConfig
from trading.services.runner import run_tick


@dataclass(frozen=True)
class Parameters:
    sessions: tuple[int, ...] = (10, 100, 1_000)
    ticks: int = 40
    warm_up: int = 3


PARAMETERS = Parameters()
QUICK = Parameters(sessions=(10, 40), ticks=2, warm_up=1)

#: Writes asked for; the reads of the smallest case are those of any other (what the tick itself may read:
#: tests/integration/test_queries_of_the_grid_tick.py).
WRITES, ROWS_PER_WRITE = 4, 100

SESSION, BEFORE = date(2026, 8, 10), date(2026, 8, 7)
PERIOD = timedelta(seconds=5)
CENTRE, BELOW, CENT = Decimal(10), Decimal("9.40"), Decimal("0.01")
_PREFIXES = ("600", "601", "603", "000", "002")


def run(ground: Ground, parameters: Parameters) -> Iterator[Case]:
    with embedded_redis(ground.home.parent) as server:
        reads: int | None = None
        for count in parameters.sessions:
            case = _case(ground, server.url, parameters, count, reads)
            reads = reads or int(case.queries["reads"])
            yield case


def _case(
    ground: Ground, url: str, parameters: Parameters, count: int, fewest: int | None
) -> Case:
    ground.fresh()
    market = _Market(ground.home, url, count)
    account = _account(market)
    times, reads, writes, beyond, changed = [], [], [], [], 0
    try:
        for number in range(parameters.warm_up + parameters.ticks):
            market.move(number)
            Account.objects.filter(pk=account).update(
                snapshot_at=market.now, gateway_seen_at=market.now
            )
            statements = _Statements()
            with connection.execute_wrapper(statements):
                began = time.perf_counter()
                assert run_tick(GRID, market.reader, lambda _: None, market.clock) == 1
                passed = (time.perf_counter() - began) * 1000
            if number < parameters.warm_up:
                continue
            times.append(passed)
            reads.append(statements.reads)
            writes.append(statements.writes)
            beyond.append(statements.writes - WRITES - ceil(count / ROWS_PER_WRITE))
        changed = GridSession.objects.filter(tracker="falling").count()
    finally:
        market.close()
    assert changed, "no session follows a valley: the path is wrong"
    return Case(
        f"{count} sessions",
        times,
        queries={"reads": max(reads), "writes": max(writes)},
        facts={"following": changed},
        targets=[
            Target("reads, as with the fewest sessions", max(reads), fewest or max(reads)),
            Target("writes beyond 4 + 1 per 100 sessions", max(beyond), 0),
        ],
    )


class _Statements:
    """Counts what goes to the database."""

    def __init__(self) -> None:
        self.reads = self.writes = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        word = sql.split(None, 1)[0].upper()
        self.reads += word == "SELECT"
        times = ceil(len(params) / ROWS_PER_WRITE) if many else 1
        self.writes += times if word in ("INSERT", "UPDATE", "DELETE") else 0
        return execute(sql, params, many, context)


class _Market:
    """The quotes of so many symbols, and market time, which the benchmark moves."""

    def __init__(self, home: Path, url: str, count: int) -> None:
        self.symbols = [
            Symbol(f"{_PREFIXES[n // 1000]}{n % 1000:03d}." + ("SH" if n < 3000 else "SZ"))
            for n in range(count)
        ]
        self.now = datetime(SESSION.year, SESSION.month, SESSION.day, 10, tzinfo=CHINA)
        self._last = dict.fromkeys(self.symbols, CENTRE)
        # One centred session in ten is below its lower line, deeper with every tick.
        self._falling = self.symbols[1::20] or self.symbols[:1]
        self._writer = SharedQuotes(FileQuoteStore(home / "quotes.sqlite3", writes=True), url)
        self._writer.clear()
        redis = RedisQuoteStore(url, timeout=5.0)
        self.reader = FallbackQuotes(redis, FileQuoteStore(home / "quotes.sqlite3"))

    def clock(self) -> datetime:
        return self.now

    def move(self, number: int) -> None:
        """Let five seconds pass."""
        self.now += PERIOD
        step = CENT if number % 2 else -CENT
        for symbol in self.symbols[number % 5 :: 5]:
            self._last[symbol] += step
        for symbol in self._falling:
            self._last[symbol] = BELOW - CENT * number / 10
        quotes = [self._quote(symbol, last) for symbol, last in self._last.items()]
        self._writer.put("xtquant", quotes, 10, self.now)
        assert not self._writer.problems

    def close(self) -> None:
        assert not self.reader.uses_fallback
        self._writer.close()

    def _quote(self, symbol: Symbol, last: Decimal) -> Quote:
        return Quote(
            symbol=symbol,
            time=self.now - timedelta(seconds=1),
            last=last,
            previous_close=CENTRE,
            open=CENTRE,
            high=max(last, CENTRE),
            low=min(last, CENTRE),
            volume=1_000_000,
            bids=tuple(Level(last - CENT * (depth + 1), 10_000) for depth in range(5)),
            asks=tuple(Level(last + CENT * (depth + 1), 10_000) for depth in range(5)),
            status=BookStatus.CONTINUOUS,
        )


def _account(market: _Market) -> int:
    """Make an armed account that holds every symbol and has a session on each."""
    account = Account.objects.create(
        name="benchmark",
        broker_account_id="8800000001",
        mode=AccountMode.DEMO,
        gateway_status=GatewayStatus.ARMED,
        cash=Decimal(1_000_000),
        total_asset=Decimal(100_000_000),
        previous_total=Decimal(100_000_000),
        previous_total_on=BEFORE,
    )
    TradingConfig.objects.create(account=account, auto_trading_enabled=True, grid_enabled=True)
    Position.objects.bulk_create(
        [
            Position(
                account=account,
                symbol=symbol,
                quantity=1000,
                bought_quantity=1000,
                bought_amount=CENTRE * 1000,
                opened_on=BEFORE,
                base_cost=CENTRE,
                high_since_entry=CENTRE,
                checked_close_on=SESSION,
                broker_quantity=1000,
                broker_sellable=1000,
                broker_cost=CENTRE,
            )
            for symbol in market.symbols
        ],
        batch_size=500,
    )
    GridSession.objects.bulk_create(
        [
            _session(account, symbol, "centred" if number % 2 else "lot", market.now)
            for number, symbol in enumerate(market.symbols)
        ],
        batch_size=200,
    )
    return account.pk


def _session(account: Account, symbol: Symbol, style: str, now: datetime) -> GridSession:
    rules = build(style, {"max_investment": Decimal(20_000)})
    return GridSession(
        account=account,
        symbol=symbol,
        style=style,
        status=SessionStatus.ACTIVE,
        started_at=now,
        base_quantity=1000,
        changed_why="benchmark",
        seen=now,
        exits_seen_at=now,
        checked_close_on=SESSION,
        **{name: getattr(rules, name) for name in parameter_names(style)},
        **state_columns(start(CENTRE)),
    )
