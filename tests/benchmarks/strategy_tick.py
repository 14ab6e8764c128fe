"""A strategy tick as the worker runs it, by number of holdings: milliseconds, reads and writes.

One tick = `run_tick`: clock, lease, quotes from the embedded Redis, decisions, orders, one commit, on the SQLite file
with the options of production (WAL, synchronous FULL). Before each tick every holding gets a new quote; 20 % of them
are at a new high, 1 % (at least one) fall through their stop-loss and become signals, and as many of those orders as
the pace of the account allows. What a tick made is taken away before the next one, outside the measured time. Reads
and writes are SQL statements of one tick; what an order itself needs (3 and 5 at most) is not in them. `CPU p50` is
the same tick in CPU time of this process: on a machine that others use it says what the tick itself costs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any

from django.db import connection

from miniqmt.celery import let_garbage_wait
from tests.audit import unprotected
from tests.benchmarks.ground import Ground
from tests.benchmarks.measured import Case, Target, percentile
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
from trading.models import Account, Order, Position, TradingConfig
from trading.services.runner import STRATEGY, run_tick


@dataclass(frozen=True)
class Parameters:
    holdings: tuple[int, ...] = (10, 100, 1_000, 5_000)
    all_high: tuple[int, ...] = (5_000,)
    ticks: int = 40
    warm_up: int = 3
    new_highs: float = 0.20
    signals: float = 0.01


PARAMETERS = Parameters()
QUICK = Parameters(holdings=(10,), all_high=(10,), ticks=2, warm_up=1)

#: Milliseconds asked for: at so many holdings, an ordinary tick; at 5,000, one on which all highs are new.
P50 = {1_000: 60.0, 5_000: 250.0}
P50_ALL_HIGH = {5_000: 500.0}
READS, WRITES, ROWS_PER_WRITE = 12, 4, 100
#: What one approved order may cost besides: tests/integration/test_queries_of_a_tick.py.
READS_OF_AN_ORDER, WRITES_OF_AN_ORDER = 3, 5

SESSION = date(2026, 8, 10)
BEFORE = date(2026, 8, 7)
PERIOD = timedelta(seconds=5)
COST, STOPPED, CENT = Decimal(10), Decimal("9.20"), Decimal("0.01")
_PREFIXES = ("600", "601", "603", "000", "002")
#: What a tick writes besides positions, children first.
_MADE = (
    "trading_denial",
    "trading_orderevent",
    "trading_order",
    "trading_signal",
    "trading_event",
)


def run(ground: Ground, parameters: Parameters) -> Iterator[Case]:
    let_garbage_wait()  # as the worker does at its start
    with embedded_redis(ground.home.parent) as server:
        for count in parameters.holdings:
            yield _case(ground, server.url, parameters, count, parameters.new_highs)
        for count in parameters.all_high:
            yield _case(ground, server.url, parameters, count, 1.0)


def _case(ground: Ground, url: str, parameters: Parameters, count: int, highs: float) -> Case:
    ground.fresh()
    market = Market(ground.home, url, count)
    account = HoldingAccount(market)
    times, cpu, reads, writes, orders, beyond = [], [], [], [], [], []
    signals = 0 if highs == 1 else max(1, round(count * parameters.signals))
    try:
        for number in range(parameters.warm_up + parameters.ticks):
            changed = market.move(number, highs, signals)
            account.prepare(market.now)
            statements = _Statements()
            with connection.execute_wrapper(statements):
                began, worked = time.perf_counter(), time.process_time()
                assert run_tick(STRATEGY, market.reader, lambda _: None, market.clock) == 1
                passed = (time.perf_counter() - began) * 1000
                worked = (time.process_time() - worked) * 1000
            made = Order.objects.count()
            account.clean()
            if number < parameters.warm_up:
                continue
            times.append(passed)
            cpu.append(worked)
            orders.append(made)
            reads.append(statements.reads - READS_OF_AN_ORDER * made)
            writes.append(statements.writes - WRITES_OF_AN_ORDER * made)
            # A signal that waits is a signal and a denial.
            beyond.append(writes[-1] - WRITES - ceil((changed + 2 * signals) / ROWS_PER_WRITE))
    finally:
        market.close()
    name = f"{count} holdings" + (", all highs new" if highs == 1 else "")
    limit = (P50_ALL_HIGH if highs == 1 else P50).get(count)
    return Case(
        name,
        times,
        queries={"reads": max(reads), "writes": max(writes)},
        facts={"signals": signals, "orders": max(orders), "CPU p50": percentile(cpu, 50)},
        targets=[
            *([Target("p50", percentile(times, 50), limit)] if limit else []),
            Target("reads", max(reads), READS),
            Target("writes beyond 4 + 1 per 100 changed rows", max(beyond), 0),
        ],
    )


class _Statements:
    """Counts what goes to the database; cheaper than Django's own log, which would count as the tick's time."""

    def __init__(self) -> None:
        self.reads = self.writes = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        word = sql.split(None, 1)[0].upper()
        self.reads += word == "SELECT"
        # A prepared statement that is run for many rows counts once per hundred of them, as many upserts would.
        times = ceil(len(params) / ROWS_PER_WRITE) if many else 1
        self.writes += times if word in ("INSERT", "UPDATE", "DELETE") else 0
        return execute(sql, params, many, context)


class Market:
    """The quotes of so many symbols, and market time, which the benchmark moves."""

    def __init__(self, home: Path, url: str, count: int) -> None:
        self.symbols = [
            Symbol(f"{_PREFIXES[n // 1000]}{n % 1000:03d}." + ("SH" if n < 3000 else "SZ"))
            for n in range(count)
        ]
        self.now = datetime(SESSION.year, SESSION.month, SESSION.day, 10, tzinfo=CHINA)
        self._last = dict.fromkeys(self.symbols, COST)
        self._writer = SharedQuotes(FileQuoteStore(home / "quotes.sqlite3", writes=True), url)
        self._writer.clear()
        # A busy machine must not make the tick read the file instead: that would be another benchmark.
        redis = RedisQuoteStore(url, timeout=5.0)
        self.reader = FallbackQuotes(redis, FileQuoteStore(home / "quotes.sqlite3"))

    def clock(self) -> datetime:
        return self.now

    def move(self, number: int, highs: float, signals: int) -> int:
        """Let five seconds pass; returns how many holdings are at a new high."""
        self.now += PERIOD
        parts = max(1, round(1 / highs))
        risen = self.symbols[number % parts :: parts]
        self._last.update((symbol, self._last[symbol] + CENT) for symbol in risen)
        shown = dict(self._last)
        first = number * signals % len(self.symbols)
        fallen = (self.symbols + self.symbols)[first : first + signals]
        shown.update(dict.fromkeys(fallen, STOPPED))
        quotes = [self.quote(symbol, last) for symbol, last in shown.items()]
        self.tell(quotes)
        return len(risen)

    def tell(self, quotes: Sequence[Quote]) -> None:
        """Write quotes of now, as the market data process does."""
        self._writer.put("xtquant", quotes, 10, self.now)
        assert not self._writer.problems

    def close(self) -> None:
        assert not self.reader.uses_fallback
        self._writer.close()

    def quote(self, symbol: Symbol, last: Decimal) -> Quote:
        """Return a quote of a second ago with five levels."""
        bids = tuple(Level(last - CENT * (depth + 1), 10_000) for depth in range(5))
        asks = tuple(Level(last + CENT * (depth + 1), 10_000) for depth in range(5))
        return Quote(
            symbol=symbol,
            time=self.now - timedelta(seconds=1),
            last=last,
            previous_close=COST,
            open=COST,
            high=max(last, COST),
            low=min(last, COST),
            volume=1_000_000,
            bids=bids,
            asks=asks,
            status=BookStatus.CONTINUOUS,
        )


class HoldingAccount:
    """An armed account that holds every symbol of a market."""

    def __init__(self, market: Market) -> None:
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
        TradingConfig.objects.create(account=account, auto_trading_enabled=True)
        self.pk = account.pk
        Position.objects.bulk_create(_positions(account, market.symbols), batch_size=500)

    def prepare(self, now: datetime) -> None:
        """What the gateway does meanwhile: it is there, and its snapshot is young."""
        Account.objects.filter(pk=self.pk).update(snapshot_at=now, gateway_seen_at=now)

    def clean(self) -> None:
        """Take away what a tick made, so that the next one finds the same work."""
        with unprotected(), connection.cursor() as cursor:
            for table in _MADE:
                cursor.execute(f"DELETE FROM {table}")


def _positions(account: Account, symbols: Sequence[Symbol]) -> list[Position]:
    one = Position(
        account=account,
        quantity=1000,
        bought_quantity=1000,
        bought_amount=COST * 1000,
        opened_on=BEFORE,
        base_cost=COST,
        high_since_entry=COST,
        checked_close_on=SESSION,
        broker_quantity=1000,
        broker_sellable=1000,
        broker_cost=COST,
    )
    fields = {field.name: getattr(one, field.name) for field in Position._meta.concrete_fields}
    del fields["id"], fields["symbol"]
    return [Position(**fields, symbol=symbol) for symbol in symbols]
