"""Quotes of the fallback are shown; they trade only where the account says so, and what is wanted is always asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from grid.services.sessions import Request, start_session
from tests.integration.days import BANK, by_hand
from tests.world import World
from trading.domain.source_health import FALLBACK
from trading.domain.types import CHINA, Side, Symbol
from trading.management.quote_line import QuoteLine
from trading.management.quote_sources import QuoteSources
from trading.market_data.store import MemoryQuoteStore
from trading.models import Account, Order, Position, Signal, TradingConfig, WatchedSymbol
from trading.ports import Claimed, OrderRequest
from trading.selectors import wanted_quotes
from trading.services.calendar import load_calendar
from trading.services.sync import sync_tick

pytestmark = [pytest.mark.exits, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


def served_by_the_fallback(
    world: World, since: str = "09:31:00", until: str = "09:33:00"
) -> World:
    """In [since, until) all quotes come from the fallback."""
    [feed] = world.market_data.feeds
    name = feed.name
    # An action happens at the end of its second: the first quotes of the fallback come after it.
    world.at(since, lambda: setattr(feed, "name", FALLBACK))
    world.at(until, lambda: setattr(feed, "name", name))
    return world


def a_fall(**settings: str) -> World:
    world = World(holdings=[(BANK, 1000, "10.00")], settings=settings)
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:03")
    return served_by_the_fallback(world)


def test_a_stop_reached_in_quotes_of_the_fallback_waits_for_the_terminals():
    world = a_fall()
    world.hold(BANK, "9.20", since="09:31:03", until="09:33:03")
    world.hold(BANK, "9.22", since="09:33:03", until="09:34:00")
    seen: list[int] = []
    world.at("09:33:00", lambda: seen.append(len(world.signals()) + len(world.orders())))
    world.run(until="09:33:30")
    assert seen == [0]
    [signal] = world.signals()
    assert signal.created_at >= world.moment("09:33:03")
    assert [order.state for order in world.orders()] == ["filled"]


def test_where_the_fallback_may_trade_its_quotes_are_decided_on():
    world = a_fall(allow_mootdx_trading="on")
    world.hold(BANK, "9.20", since="09:31:03", until="09:32:00")
    world.run(until="09:31:30")
    assert [order.state for order in world.orders()] == ["filled"]


def test_what_only_the_fallback_saw_moves_no_level():
    world = a_fall()
    world.hold(BANK, "10.90", since="09:31:03", until="09:33:03")  # arms a take-profit
    world.hold(BANK, "10.05", since="09:33:03", until="09:34:00")  # and falls back from it
    world.run(until="09:33:50")
    assert world.position(BANK).high_since_entry < 10.10
    assert not world.position(BANK).armed
    assert world.signals() == []


def test_a_persons_order_waits_with_a_denial_in_plain_words():
    world = a_fall()
    world.hold(BANK, "10.00", since="09:31:03", until="09:34:00")
    by_hand(world, "09:31:20", Side.SELL, BANK, 500, "10.00")
    world.run(until="09:33:30")
    [denial] = world.denials()
    assert denial.code == "QUOTE_SOURCE"
    assert "may not trade" in denial.text_en
    assert "备用行情" in denial.text_zh
    assert denial.cleared_at is not None
    assert [(order.quantity, order.state) for order in world.orders()] == [(500, "filled")]


def test_an_order_decided_before_the_fallback_came_is_not_sent_on_its_quotes():
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, "9.20", since="09:30:00", until="09:32:00")
    served_by_the_fallback(world, "09:31:00")
    asked: list[str | None] = []

    def ask() -> None:
        [order] = world.orders()
        request = OrderRequest(
            order.client_order_id, Symbol(BANK), Side.SELL, order.quantity, order.price
        )
        claimed = Claimed(order.pk, request)
        asked.append(world.gateway._desk.objection(claimed, world.moment(clocks[len(asked)])))

    clocks = ("09:30:50", "09:31:20")
    for clock in clocks:
        world.at(clock, ask)
    world.run(until="09:31:20")
    assert asked == [None, "QUOTE_SOURCE"]


# --- what is asked for --------------------------------------------------------------------------

HELD, ORDERED, SIGNALLED, WATCHED, GRIDDED, LATER = (
    Symbol(f"60001{number}.SH") for number in (0, 1, 2, 5, 6, 8)
)  # fmt: skip
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=CHINA)


class OneLine:
    """A line to a terminal that notes what is asked of it."""

    def __init__(self) -> None:
        self.is_open = True
        self.codes: list[str] = []

    def subscribe_whole_quote(self, code_list: list[str], callback: Callable[[Any], None]) -> int:
        self.codes += code_list
        return 1

    def get_full_tick(self, code_list: list[str]) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        self.is_open = False


def hold(account: Account, symbol: Symbol) -> None:
    Position.objects.create(
        account=account,
        symbol=symbol,
        quantity=100,
        bought_quantity=100,
        bought_amount=Decimal(1000),
        opened_on=NOW.date(),
        life=1,
    )


def test_f133_whatever_is_held_traded_gridded_or_watched_is_asked_for_at_once_and_after_a_reconnect():
    account = Account.objects.create(name="one", broker_account_id="8800123456", mode="demo")
    TradingConfig.objects.create(account=account)
    hold(account, HELD)
    WatchedSymbol.objects.create(account=account, symbol=WATCHED, added_at=NOW)
    Signal.objects.create(
        account=account, symbol=SIGNALLED, kind="manual", side="buy", quantity=100, state="pending",
        created_at=NOW, held_at=NOW, trigger_price=Decimal("9.90"),
        last=Decimal("9.90"), quote_time=NOW, config_revision=1,
    )  # fmt: skip
    world_order = {
        "account": account, "client_order_id": "T000000001", "decision_key": "a test",
        "trade_date": NOW.date(), "symbol": ORDERED, "side": "buy", "kind": "manual",
        "purpose": "manual", "quantity": 100, "price": Decimal("9.90"), "state": "submitted",
        "chain_quantity": 100, "config_revision": 1, "expires_at": NOW,
        "approved_at": NOW,
    }  # fmt: skip
    Order.objects.create(**world_order)
    grid = Request(
        account.pk, GRIDDED, values={"max_investment": Decimal(20000)}, centre=Decimal(10)
    )
    start_session(grid, None, NOW, actor="me", why="a test")
    wanted = {HELD, ORDERED, SIGNALLED, WATCHED, GRIDDED}
    assert wanted_quotes() == (wanted, False)

    lines: list[OneLine] = []

    def open_line() -> OneLine:
        lines.append(OneLine())
        return lines[-1]

    sources = QuoteSources(QuoteLine(open_line), MemoryQuoteStore())

    def step(at: float) -> None:
        sources.step(wanted_quotes()[0], NOW + timedelta(seconds=at), at, trading=True)

    step(0.0)
    hold(account, LATER)  # bought during the day
    step(5.0)
    assert [sorted(line.codes) for line in lines] == [sorted({*wanted, LATER})]
    step(6.0)
    assert len(lines[0].codes) == 6  # and nothing twice
    lines[0].is_open = False
    step(7.0)
    assert sorted(lines[1].codes) == sorted({*wanted, LATER})
    sources.close()


def test_a_snapshot_dated_by_a_clock_that_was_ahead_is_replaced_at_once():
    account = Account.objects.create(
        name="one", broker_account_id="8800123456", mode="demo", snapshot_at=NOW
    )
    TradingConfig.objects.create(account=account)
    for ahead, asked in ((5, False), (3600, True)):
        Account.objects.update(
            snapshot_at=NOW + timedelta(seconds=ahead - 5), snapshot_wanted_at=None
        )
        sync_tick(account.pk, NOW, MemoryQuoteStore(), load_calendar())
        account.refresh_from_db()
        assert (account.snapshot_wanted_at is not None) is asked
