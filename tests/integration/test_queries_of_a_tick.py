"""A tick's queries do not grow with the holdings: reads ≤ 12, writes ≤ 4 + one per 100 changed rows (design)."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from math import ceil

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.world import World
from trading.domain.types import Symbol
from trading.models import Denial, Position, Signal
from trading.services.tick import strategy_tick

pytestmark = [pytest.mark.exits, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

BOTH = pytest.mark.parametrize("holdings", [10, 200])
#: What one approved order may cost besides: its number, its key, itself, its event, its signal.
READS_OF_AN_ORDER, WRITES_OF_AN_ORDER = 3, 5


class Busy:
    """An account with many holdings at 09:31, each with quotes and its ex-rights check behind it."""

    def __init__(self, holdings: int, **settings: str) -> None:
        self.symbols = [f"{600000 + number}.SH" for number in range(holdings)]
        self.world = World(
            holdings=[(symbol, 1000, "10.00") for symbol in self.symbols], settings=settings
        )
        for symbol in self.symbols:
            for clock in ("09:30:00", "09:30:30", "09:31:00"):
                self.world.quote(clock, symbol, "10.00")
        self.world.run(until="09:31:02")
        self.now = self.world.moment("09:31:02")
        self.count = holdings

    def tick(self, last: str | None = None, seconds: int = 5) -> tuple[int, int, int]:
        """Run the next tick, with a new quote of every symbol; return its reads, writes and approved orders."""
        store = self.world.store
        self.now = self.now.replace(second=self.now.second + seconds)
        if last is not None:
            quotes = [
                replace(quote, time=self.now, last=Decimal(last))
                for quote in store.latest(Symbol(symbol) for symbol in self.symbols).values()
            ]
            store.put("xtquant", quotes, 10, self.now)
        with CaptureQueriesContext(connection) as captured:
            approved = strategy_tick(
                self.world.account.pk, self.now, store, self.world.calendar, lambda _: None
            )
        reads = writes = 0
        for query in captured:
            word, times = word_of(query["sql"])
            reads += word == "SELECT"
            writes += times if word in ("INSERT", "UPDATE", "DELETE") else 0
        return reads, writes, approved


def word_of(sql: str) -> tuple[str, int]:
    """Return the first word of a statement, and as how many writes it counts.

    Django logs `5 times: UPDATE …` for one that is prepared once and run for many rows: one per hundred of them.
    """
    found = re.match(r"(?:(\d+) times: )?(\w+)", sql)
    assert found is not None
    return found[2].upper(), ceil(int(found[1] or 1) / 100)


@BOTH
def test_a_quiet_tick(holdings):
    reads, writes, _ = Busy(holdings).tick("10.00")
    assert reads <= 4
    assert writes <= 1


@BOTH
def test_a_tick_on_which_every_high_is_new(holdings):
    busy = Busy(holdings)
    reads, writes, _ = busy.tick("10.30")
    assert reads <= 12
    assert writes <= 4 + ceil(holdings / 100)
    assert Position.objects.filter(high_since_entry=Decimal("10.30")).count() == holdings


@BOTH
def test_a_tick_on_which_every_stop_is_reached_with_auto_trading_off(holdings):
    busy = Busy(holdings, auto_trading_enabled="off")
    reads, writes, _ = busy.tick("9.20")
    assert reads <= 12
    assert writes <= 4 + ceil(3 * holdings / 100)  # a signal, a denial and an alarm each
    assert Signal.objects.filter(state="denied").count() == holdings
    assert Denial.objects.filter(cleared_at=None).count() == holdings
    reads, writes, _ = busy.tick("9.20")
    assert reads <= 12
    assert writes <= 1
    reads, writes, _ = busy.tick("10.00")
    assert reads <= 12
    reads, writes, _ = busy.tick("10.00")
    assert Denial.objects.filter(cleared_at=None).count() == 0


@BOTH
def test_a_tick_on_which_every_stop_is_reached(holdings):
    busy = Busy(holdings)
    reads, writes, approved = busy.tick("9.20")
    assert approved == 10
    assert Signal.objects.count() == holdings
    assert reads <= 12 + READS_OF_AN_ORDER * approved
    assert writes <= 4 + ceil(2 * holdings / 100) + WRITES_OF_AN_ORDER * approved


@BOTH
def test_a_tick_on_which_every_holding_wants_an_add_on(holdings):
    busy = Busy(holdings, add_on_enabled="on", max_total_position_ratio="1", buy_amount="2000")
    reads, writes, approved = busy.tick("9.28")
    assert approved > 0
    assert reads <= 12 + (READS_OF_AN_ORDER + 1) * approved
    assert writes <= 4 + ceil(2 * holdings / 100) + WRITES_OF_AN_ORDER * approved


@BOTH
def test_the_first_tick_of_a_morning(holdings):
    """Every holding becomes fresh, and is checked for ex-rights."""
    busy = Busy(holdings)
    Position.objects.update(behind=True, checked_close_on=None)
    reads, writes, _ = busy.tick("10.00")
    assert reads <= 12
    assert writes <= 4 + ceil(2 * holdings / 100)
    assert not Position.objects.filter(behind=True).exists()


@BOTH
def test_a_tick_on_which_every_quote_went_stale(holdings):
    busy = Busy(holdings)
    reads, writes, _ = busy.tick(seconds=20)
    assert reads <= 12
    assert writes <= 4 + ceil(holdings / 100)
    assert Position.objects.filter(behind=True).count() == holdings


@BOTH
def test_the_first_tick_of_a_minute(holdings):
    """The instruments are read again: all at once."""
    busy = Busy(holdings)
    reads, writes, _ = busy.tick("10.00", seconds=57)
    assert busy.now.second == 59
    busy.now = busy.now.replace(minute=busy.now.minute + 1, second=0)
    reads, writes, _ = busy.tick("10.00")
    assert reads <= 5
    assert writes <= 1
