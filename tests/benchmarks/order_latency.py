"""From the commit of an accepted signal to the order at the terminal, through the running stack: milliseconds.

`up` (without web pages) on a session's morning: embedded Redis, paper terminal behind its TCP port, market data,
gateway, worker and beat, each a process. This process makes a signal (a sale by hand of 100 shares) and decides it
in one transaction with the strategy tick's own code; time runs from its commit, just before the nudge is published.
It ends when the terminal tells another program that is connected to it, this one, of the order: so the terminal's own
commit and the way back are in it. One order at a time, fewer than two a second, as the account's pace allows.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from datetime import time as clock_time
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from tests.benchmarks.ground import DATABASE, Ground, wait_for
from tests.benchmarks.measured import Case, Target, percentile
from tests.benchmarks.whole_stack import UP_WITHIN, run_terminal_until_ready, running
from trading.domain.types import (
    CHINA,
    AccountMode,
    GatewayStatus,
    Side,
    SignalKind,
    SignalState,
    Symbol,
)
from trading.management.paper_files import read_token, terminal_address
from trading.market_data.file_store import FileQuoteStore
from trading.market_data.redis_store import RedisQuoteStore
from trading.market_data.shared_store import FallbackQuotes
from trading.models import Account, Order, Signal
from trading.paper import tcp_client
from trading.paper.xttrader import XtQuantTrader, XtQuantTraderCallback
from trading.paper.xttype import StockAccount
from trading.ports import QuoteReader
from trading.services import config
from trading.services.calendar import load_calendar
from trading.services.clock import market_time
from trading.services.nudges import Nudger
from trading.services.quotes import capture
from trading.services.tick import strategy_tick


@dataclass(frozen=True)
class Parameters:
    orders: int = 100
    warm_up: int = 5
    pause: float = 0.7


PARAMETERS = Parameters()
QUICK = Parameters(orders=1, warm_up=0)

#: Milliseconds.
P50, P99 = 20.0, 100.0
#: Symbols of the demo market that reach no rule, and a cost near their price.
HOLDINGS = {
    "601100.SH": "5.20",
    "002100.SZ": "18.60",
    "301100.SZ": "21.50",
    "920100.BJ": "18.00",
    "830100.BJ": "6.75",
    "518100.SH": "5.600",
}
SHARES = 1_000_000
ANSWER_WITHIN = 10.0


def run(ground: Ground, parameters: Parameters) -> Iterator[Case]:
    ground.fresh()
    positions = [f"--position={symbol}:{SHARES}@{cost}" for symbol, cost in HOLDINGS.items()]
    run_terminal_until_ready(ground.home, "--start", _morning().isoformat(), *positions)
    with running(ground.home, "--no-web", "--no-flower") as stack:
        wait_for(stack.all_run, UP_WITHIN, "the start")
        seller = _Seller(ground.home, stack.facts()["redis_url"])
        try:
            wait_for(seller.is_ready, UP_WITHIN, "an armed gateway with quotes")
            times = []
            for number in range(parameters.warm_up + parameters.orders):
                passed = seller.sell(list(HOLDINGS)[number % len(HOLDINGS)])
                if number >= parameters.warm_up:
                    times.append(passed)
                time.sleep(parameters.pause)
        finally:
            seller.close()
    yield Case(
        "commit to terminal",
        times,
        targets=[
            Target("p50", percentile(times, 50), P50),
            Target("p99", percentile(times, 99), P99),
        ],
    )


def _morning() -> datetime:
    """10:00 of the next session, when the demo's script is over."""
    on = load_calendar().next_session(datetime.now(CHINA).date())
    assert on is not None
    return datetime.combine(on, clock_time(10), CHINA).replace(tzinfo=None)


@dataclass
class _Heard(XtQuantTraderCallback):
    """When the terminal told us of each order, by its remark."""

    at: dict[str, float] = field(default_factory=dict)
    news: threading.Event = field(default_factory=threading.Event)

    def on_stock_order(self, order: Any) -> None:
        self.at.setdefault(order.order_remark, time.perf_counter())
        self.news.set()


class _Seller:
    """Decides sales as the worker does, and watches the terminal as another program does."""

    def __init__(self, home: Path, redis_url: str) -> None:
        assert (home / DATABASE).exists()
        self._account = Account.objects.get()
        self._quotes: QuoteReader = FallbackQuotes(
            RedisQuoteStore(redis_url), FileQuoteStore(home / "quotes.sqlite3")
        )
        self._nudge, self._calendar = Nudger(redis_url), load_calendar()
        self._heard, self._committed = _Heard(), 0.0
        tcp_client.use_token(lambda: read_token(home))
        address = terminal_address(home)
        assert address is not None
        self._trader = XtQuantTrader(address, next(_sessions), self._heard)
        self._trader.start()
        assert self._trader.connect() == 0
        assert self._trader.subscribe(StockAccount(self._account.broker_account_id)) == 0

    def close(self) -> None:
        self._trader.stop()
        connections.close_all()

    def is_ready(self) -> bool:
        self._account.refresh_from_db()
        held = self._account.positions.filter(closed_at=None, broker_sellable__gt=0).count()
        armed = self._account.gateway_status == GatewayStatus.ARMED
        return (
            armed
            and held == len(HOLDINGS)
            and len(self._quotes.latest(map(Symbol, HOLDINGS))) == held
        )

    def sell(self, symbol: str) -> float:
        """Return the milliseconds from the commit of a sale to the terminal's word of it."""
        now = market_time(AccountMode.DEMO, timezone.now())
        captured = capture(self._account.pk, self._quotes)
        with transaction.atomic():
            signal = self._signal(symbol, now)
            strategy_tick(self._account.pk, now, captured, self._calendar, self._committed_now)
        signal.refresh_from_db()
        assert signal.state == SignalState.ACCEPTED, (signal.state, signal.denial_code)
        name = Order.objects.get(signal=signal).client_order_id
        deadline = time.monotonic() + ANSWER_WITHIN
        while name not in self._heard.at:
            assert time.monotonic() < deadline, f"the terminal never told of {name}"
            self._heard.news.wait(0.1)
            self._heard.news.clear()
        return (self._heard.at[name] - self._committed) * 1000

    def _committed_now(self, account_id: int) -> None:
        self._committed = time.perf_counter()
        self._nudge(account_id)

    def _signal(self, symbol: str, now: datetime) -> Signal:
        quote = self._quotes.latest([Symbol(symbol)])[Symbol(symbol)]
        return Signal.objects.create(
            account=self._account,
            position=self._account.positions.get(symbol=symbol, closed_at=None),
            symbol=symbol,
            kind=SignalKind.MANUAL,
            side=Side.SELL,
            quantity=100,
            trigger_price=quote.last,
            last=Decimal(quote.last),
            quote_time=quote.time,
            reason_en="benchmark",
            reason_zh="基准测试",
            state=SignalState.PENDING,
            created_at=now,
            held_at=now,
            config_revision=config.load(self._account.pk).revision,
        )


#: The terminal refuses two programs of one session number; gateways count from 100.
_sessions = itertools.count(900)
