"""A grid tick by number of sessions: milliseconds and SQL statements, on the database Django is set up with.

Before each tick every symbol gets a new quote: a tenth of the sessions follow a new peak, the others stand between
their lines. Needs an empty, migrated database; what it makes it takes away again. Parameters: `sessions`, `ticks`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from grid.models import GridMark, GridSession
from grid.services.sessions import Request, start_session
from grid.services.tick import grid_tick
from trading.domain.types import CHINA, AccountMode, GatewayStatus, Quote, Symbol
from trading.market_data.store import MemoryQuoteStore
from trading.models import Account, Position, TradingConfig, TradingDay
from trading.services.calendar import fill_calendar, load_calendar

DAY, BEFORE = date(2026, 7, 21), date(2026, 7, 20)
CENTRE, PEAK = Decimal(10), Decimal("10.60")


class _Market:
    """An account with `count` holdings, a session on each, and quotes of them all."""

    def __init__(self, count: int) -> None:
        self.now = datetime(2026, 7, 21, 9, 45, tzinfo=CHINA)
        self.store = MemoryQuoteStore()
        self.symbols = [Symbol(f"{600000 + number}.SH") for number in range(count)]
        self.account = Account.objects.create(
            name=f"grid-{count}",
            broker_account_id="8800000001",
            mode=AccountMode.DEMO,
            gateway_status=GatewayStatus.ARMED,
            cash=Decimal(10**9),
            total_asset=Decimal(10**9),
            previous_total=Decimal(10**9),
            snapshot_at=self.now,
        )
        TradingConfig.objects.create(
            account=self.account, auto_trading_enabled=True, grid_enabled=True
        )
        Position.objects.bulk_create(
            Position(
                account=self.account,
                symbol=symbol,
                quantity=1000,
                bought_quantity=1000,
                bought_amount=Decimal(10000),
                opened_on=BEFORE,
                base_cost=CENTRE,
                broker_quantity=1000,
                broker_sellable=1000,
                checked_close_on=DAY,
            )
            for symbol in self.symbols
        )
        for symbol in self.symbols:
            values = {"max_investment": Decimal(20000)}
            request = Request(self.account.pk, symbol, values=values, centre=CENTRE)
            start_session(request, None, self.now, actor="benchmark", why="benchmark")

    def move(self, number: int) -> None:
        """Five seconds later: a new quote of every symbol."""
        self.now += timedelta(seconds=5)
        Account.objects.filter(pk=self.account.pk).update(snapshot_at=self.now)
        quotes = []
        for place, symbol in enumerate(self.symbols):
            rises = place % 10 == 0
            last = (
                PEAK + Decimal(number) / 100
                if rises
                else CENTRE + Decimal((place + number) % 7) / 100
            )
            quotes.append(Quote(symbol, self.now, last, CENTRE))
        self.store.put("xtquant", quotes, 10, self.now)


def measure(count: int, ticks: int) -> dict[str, Any]:
    """Return the figures for `count` sessions."""
    times, worked, statements = [], [], []
    with transaction.atomic():
        market, calendar = _Market(count), load_calendar()
    for number in range(ticks):
        market.move(number)
        sent: list[str] = []

        def note(execute, sql, params, many, context, sent=sent):
            sent.append(sql.split(None, 1)[0])
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            began, used = time.perf_counter(), time.process_time()
            grid_tick(market.account.pk, market.now, market.store, calendar, lambda _: None)
            times.append((time.perf_counter() - began) * 1000)
            worked.append((time.process_time() - used) * 1000)
        statements.append(len(sent))
    followed = GridSession.objects.filter(account=market.account, tracker="rising").count()
    _clean(market.account)
    return {
        "sessions": count,
        "p50_ms": round(statistics.median(times), 1),
        "max_ms": round(max(times), 1),
        "cpu_p50_ms": round(statistics.median(worked), 1),
        "statements": max(statements),
        "followed": followed,
    }


def _clean(account: Account) -> None:
    GridSession.objects.filter(account=account).delete()
    GridMark.objects.filter(pk=account.pk).delete()
    GridSession.history.filter(account=account).delete()
    account.positions.all().delete()
    TradingConfig.objects.filter(account=account).delete()
    with connection.cursor() as cursor:  # the journal only grows through the ORM
        cursor.execute("DELETE FROM trading_event WHERE account_id = %s", [account.pk])
    account.delete()


def run(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures, one per number of sessions; the statements must be the same for all of them."""
    if not TradingDay.objects.exists():
        fill_calendar(date(2026, 1, 1))
    ticks = int(parameters.get("ticks", 20))
    figures = [measure(count, ticks) for count in parameters.get("sessions", (10, 100, 1000))]
    return {"figures": figures, "statements": max(figure["statements"] for figure in figures)}
