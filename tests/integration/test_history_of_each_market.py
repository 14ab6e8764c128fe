"""An invented market plays real codes, and days that are yet to come: its history is nobody else's."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from tests.integration.scenes import codes
from tests.world import World
from trading.domain import daily
from trading.domain.types import CHINA, AccountMode, BookStatus, Quote, Symbol
from trading.market_data.store import MemoryQuoteStore
from trading.models import Account, Close, DailyBar, Position, TradingConfig
from trading.services import indicators
from trading.services.calendar import load_calendar
from trading.services.clock import DEMO, LIVE, market_of_history
from trading.services.daily_bars import keep_bars
from trading.services.sync import sync_tick

pytestmark = [
    pytest.mark.exits,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]

MIGRATION = import_module("trading.migrations.0012_history_of_each_market")
FUND, YESTERDAY = Symbol("513100.SH"), date(2023, 1, 31)


def closes_its_books(mode: AccountMode, last: str) -> None:
    """An account of this mode ends the session before, in whose market the fund closed at `last`."""
    account = Account.objects.create(
        name=str(mode), broker_account_id=str(mode), mode=mode, total_asset=Decimal(1000)
    )
    TradingConfig.objects.create(account=account)
    Position.objects.create(
        account=account, symbol=FUND, life=1, quantity=1000, bought_quantity=1000,
        bought_amount=Decimal(1900), opened_on=date(2023, 1, 3), base_cost=Decimal("1.9"),
        high_since_entry=Decimal("1.95"),
    )  # fmt: skip
    at = datetime.combine(YESTERDAY, time(15), CHINA)
    price, store = Decimal(last), MemoryQuoteStore()
    quote = Quote(FUND, at, price, price, volume=1000, status=BookStatus.CLOSED)
    store.put("xtquant", [quote], 10, at)
    closed = datetime.combine(YESTERDAY, time(15, 35, 10), CHINA)
    sync_tick(account.pk, closed, store, load_calendar())


def morning_at(price: str) -> World:
    """The next morning of an account in the simulated market, which closed at 1.900: what its rules do at a price."""
    world = World(holdings=[(FUND, 1000, "1.900")])
    lives = Position.objects.filter(account=world.account)
    world.at(
        "09:20:00",
        lambda: lives.update(opened_on=date(2023, 1, 3), checked_close_on=YESTERDAY),
    )
    tick, now = Decimal("0.001"), Decimal(price)
    bids = [(str(now - tick * step), 100_000) for step in (1, 2, 3)]
    book: dict[str, Any] = {
        "bids": bids,
        "asks": [(str(now + tick), 100_000)],
        "previous_close": "1.900",
    }
    world.hold(FUND, price, since="09:30:00", until="09:32:00", **book)
    world.run(until="09:31:30")
    return world


@pytest.mark.parametrize(("price", "sold"), [("1.730", [1000]), ("1.900", [])])
@pytest.mark.parametrize("elsewhere", [None, "2.800", "1.500"])
@pytest.mark.parametrize("first", [True, False])
def test_f085_a_close_of_another_market_scales_no_cost(elsewhere, price, sold, first):
    if elsewhere and first:
        closes_its_books(AccountMode.LIVE, elsewhere)
    closes_its_books(AccountMode.PAPER, "1.900")
    if elsewhere and not first:
        closes_its_books(AccountMode.SHADOW, elsewhere)
    world = morning_at(price)
    assert [order.quantity for order in world.orders()] == sold
    assert "EX_RIGHTS_SCALE" not in codes(world)


def test_f085_shadow_and_live_share_the_real_market():
    closes_its_books(AccountMode.SHADOW, "1.900")
    closes_its_books(AccountMode.LIVE, "1.900")
    closes_its_books(AccountMode.PAPER, "2.800")
    found = Close.objects.values_list("environment", "close")
    assert sorted(found) == [(DEMO, Decimal("2.8")), (LIVE, Decimal("1.9"))]


@pytest.mark.parametrize(
    ("modes", "environment"),
    [
        (["live"], LIVE),
        (["shadow", "live"], LIVE),
        (["demo"], DEMO),
        (["paper", "live"], DEMO),  # nobody knows whose they are
        ([], DEMO),
    ],
)
def test_a_close_from_before_belongs_to_the_only_market_there_was(modes, environment):
    for mode in modes:
        Account.objects.create(name=mode, broker_account_id=mode, mode=mode)
    Close.objects.create(environment=DEMO, symbol=FUND, on=YESTERDAY, close=Decimal("1.9"))
    MIGRATION.give_to_its_market(apps, SimpleNamespace(connection=connection))
    assert Close.objects.get().environment == environment


def bar_from(source: str) -> None:
    price = Decimal("1.9")
    DailyBar.objects.create(
        environment=DEMO, symbol=FUND, on=YESTERDAY, open=price, high=price, low=price, close=price,
        volume=100, amount=Decimal(190), source=source,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("modes", "source", "environment"),
    [
        (["live"], "TDX servers", LIVE),
        (["paper", "live"], "file 513100.day", LIVE),
        (["paper", "live"], "quotes, live", LIVE),
        (["paper", "live"], "quotes, paper", DEMO),
        (["paper", "live"], "quotes, demo", DEMO),
        (["demo"], "TDX servers", DEMO),  # they were shown there until now
        ([], "TDX servers", LIVE),
    ],
)
def test_a_bar_from_before_belongs_to_the_market_of_its_source(modes, source, environment):
    for mode in modes:
        Account.objects.create(name=mode, broker_account_id=mode, mode=mode)
    bar_from(source)
    MIGRATION.give_to_its_market(apps, SimpleNamespace(connection=connection))
    assert DailyBar.objects.get().environment == environment


def test_a_bar_of_each_market_has_indicators_of_its_own():
    day = daily.DailyBar(FUND, YESTERDAY, *[Decimal("1.9")] * 4, 100, Decimal(190))
    other = replace(day, open=Decimal(3), high=Decimal(3), low=Decimal(3), close=Decimal(3))
    calendar, now = load_calendar(), datetime.combine(YESTERDAY, time(16), CHINA)
    keep_bars([day], "quotes, live", calendar, now, LIVE)
    keep_bars([other], "quotes, paper", calendar, now, DEMO)
    assert indicators.are_missing()
    indicators.update(indicators.series_with_bars(), calendar)
    assert not indicators.are_missing()
    for market, close in ((LIVE, "1.9"), (DEMO, "3")):
        [value] = indicators.indicators_on(market, [FUND], [YESTERDAY]).values()
        assert value.close == Decimal(close)
    keep_bars([replace(day, volume=200)], "quotes, live", calendar, now, LIVE)
    assert [one.environment for one in indicators.series_with_bars(DEMO)] == [DEMO]
    assert list(indicators.indicators_on(DEMO, [FUND], [YESTERDAY]))
    assert not indicators.indicators_on(LIVE, [FUND], [YESTERDAY])


@pytest.mark.parametrize(
    ("modes", "market"), [([], LIVE), (["demo"], DEMO), (["paper", "shadow"], LIVE)]
)
def test_imported_prices_are_the_real_markets_unless_all_is_simulated(modes, market):
    for mode in modes:
        Account.objects.create(name=mode, broker_account_id=mode, mode=mode)
    assert market_of_history() == market
