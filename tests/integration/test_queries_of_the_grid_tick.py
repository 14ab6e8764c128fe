"""What a grid tick asks of the database: the same few statements for ten sessions and for two hundred."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import ceil

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from grid.models import GridSession
from grid.services.sessions import Request, start_session
from grid.services.tick import grid_tick
from tests.integration.grid_days import grid_world
from trading.domain.symbols import parse_symbol
from trading.domain.types import Symbol

pytestmark = [pytest.mark.django_db, pytest.mark.grid, pytest.mark.usefixtures("calendar")]

BOTH = pytest.mark.parametrize("sessions", [10, 200])


class Busy:
    """An account with one holding and one session of each symbol, all of them followed up to now."""

    def __init__(self, sessions: int, style: str = "centred", **settings: str) -> None:
        self.symbols = [f"{600000 + number}.SH" for number in range(sessions)]
        holdings = [(symbol, 1000, "10.00") for symbol in self.symbols]
        self.world = grid_world(holdings=holdings, settings=settings, cash="100000000")
        for clock in ("09:30:00", "09:30:03", "09:31:00"):
            for symbol in self.symbols:
                self.world.quote(clock, symbol, "10.00")
        self.world.run(until="09:31:02")
        self.now = self.world.moment("09:31:02")
        for symbol in self.symbols:
            request = Request(
                self.world.account.pk,
                symbol,
                style=style,
                values={"max_investment": Decimal(20000)},
                centre=Decimal(10),
            )
            start_session(request, None, self.now, actor="tester", why="a test")

    def tick(self, last: str) -> tuple[int, int, int]:
        """Run the next tick, with a new quote of every symbol; return its reads, writes and approved orders."""
        store = self.world.store
        self.now = self.now.replace(second=self.now.second + 5)
        known = store.latest(Symbol(parse_symbol(symbol)) for symbol in self.symbols)
        quotes = [replace(one, time=self.now, last=Decimal(last)) for one in known.values()]
        store.put("xtquant", quotes, 10, self.now)
        with CaptureQueriesContext(connection) as captured:
            approved = grid_tick(
                self.world.account.pk, self.now, store, self.world.calendar, lambda _: None
            )
        words = [query["sql"].split()[0].upper() for query in captured]
        writes = sum(words.count(word) for word in ("INSERT", "UPDATE", "DELETE"))
        return words.count("SELECT"), writes, approved


@BOTH
@pytest.mark.parametrize("style", ["centred", "lot"])
def test_a_quiet_tick(sessions, style):
    reads, writes, approved = Busy(sessions, style).tick("10.00")
    assert reads <= 12
    assert writes <= 1 + ceil(sessions / 500)
    assert approved == 0


@BOTH
def test_a_tick_on_which_every_session_arms_and_one_on_which_it_follows_its_peak(sessions):
    busy = Busy(sessions)
    for price in ("10.60", "10.70"):
        reads, writes, _ = busy.tick(price)
        assert reads <= 12
        assert writes <= 1 + ceil(sessions / 500)
    assert GridSession.objects.filter(extreme=Decimal("10.70")).count() == sessions


@BOTH
def test_a_tick_on_which_every_session_triggers_with_auto_trading_off(sessions):
    busy = Busy(sessions, auto_trading_enabled="off")
    busy.tick("10.60")
    reads, writes, approved = busy.tick("10.54")
    assert approved == 0
    assert GridSession.objects.filter(said_code="AUTO_OFF", tracker="idle").count() == sessions
    assert reads <= 16
    assert writes <= 4 + ceil(3 * sessions / 100)


@BOTH
def test_a_tick_on_which_every_session_is_refused_by_its_own_rules(sessions):
    busy = Busy(sessions)
    busy.tick("10.60")
    reads, writes, _ = busy.tick("10.00")
    assert GridSession.objects.filter(said_code="BEYOND_LINE").count() == sessions
    assert reads <= 12
    assert writes <= 1 + ceil(sessions / 500)


def test_quotes_of_a_symbol_that_went_stale_wait_until_it_is_fresh_again():
    busy = Busy(10)
    busy.tick("10.00")
    store, early = busy.world.store, busy.now
    quotes = store.latest(Symbol(parse_symbol(symbol)) for symbol in busy.symbols).values()
    peak = [replace(one, time=early, last=Decimal("10.90")) for one in quotes]
    store.put("xtquant", peak, 10, early + timedelta(seconds=1))
    busy.now = early + timedelta(seconds=25)  # nothing was fed for 24 s
    arguments = busy.world.account.pk, busy.now, store, busy.world.calendar
    grid_tick(*arguments, lambda _: None)
    assert GridSession.objects.filter(behind=True, tracker="idle").count() == 10
    busy.tick("10.88")
    assert GridSession.objects.filter(behind=False, extreme=Decimal("10.90")).count() == 10
