"""The whole stack trades on quotes of TDX servers alone: the real client of mootdx, a server on the loopback that
quotes the twin's market, and the twin as the broker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from tests.integration.days import BANK
from tests.tdx_server import How, TdxServer
from tests.world import TODAY, World
from trading.domain.calendar import phase_at
from trading.domain.types import Level, Quote, Symbol
from trading.market_data.mootdx_feed import MootdxFeed, open_feed
from trading.market_data.pump import MarketData
from trading.services.pricing import limits_by_rule

pytestmark = [
    pytest.mark.exits,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]


class TdxWorld(World):
    """A world whose services see no quote of the terminal: the servers show what the exchange does, every few seconds."""

    def __init__(self, feed: MootdxFeed, *servers: TdxServer, every: int = 3) -> None:
        super().__init__(holdings=[(BANK, 1000, "10.00")], settings={"allow_mootdx_trading": "on"})
        self.feed, self.servers, self.every = feed, servers, every
        self.market_data = MarketData([feed], self.store, limits_by_rule(self.calendar))
        self.market_data.subscribe([Symbol(BANK)])

    def _show(self, now: datetime, batch: Sequence[Quote]) -> None:
        self._terminal.feed(batch)
        self._terminal.step(now)
        if now.second % self.every or not phase_at(self.calendar, now).continuous:
            return
        shown = self.exchange.quote_of(Symbol(BANK))
        for server in self.servers:
            server.show([shown] if shown else [])
        self._new_quotes = bool(self.market_data.step(now)) or self._new_quotes


@pytest.fixture
def server() -> Iterator[TdxServer]:
    with TdxServer() as one:
        one.day = TODAY
        yield one


@pytest.fixture
def spare() -> Iterator[TdxServer]:
    with TdxServer() as one:
        one.day = TODAY
        yield one


@pytest.fixture
def feed(server: TdxServer, spare: TdxServer) -> Iterator[MootdxFeed]:
    made = open_feed([server.address, spare.address], pace=0)
    with closing(made):
        yield made


def in_use(world: TdxWorld) -> TdxServer:
    [address] = [str(one.address) for one in world.feed.health() if one.in_use]
    return next(server for server in world.servers if server.address == address)


def sold_by_stop_loss(world: World) -> bool:
    [order] = world.orders()
    return (order.kind, order.state, order.filled_quantity) == ("stop_loss", "filled", 1000)


def test_a_whole_day_is_traded_on_quotes_of_a_tdx_server(feed, server, spare):
    world = TdxWorld(feed, server, spare, every=30)
    world.hold(BANK, "10.00", since="09:30:00", until="11:30:00", every=30)
    world.hold(BANK, "9.80", since="13:00:00", until="14:00:00", every=30)
    world.hold(BANK, "9.20", since="14:00:00", until="14:57:00", every=30)
    world.run()

    assert sold_by_stop_loss(world)
    [order] = world.orders()
    assert world.moment("14:00:00") <= order.approved_at <= world.moment("14:00:35")
    assert [(fill.quantity, fill.price) for fill in world.fills()] == [(1000, Decimal("9.19"))]
    assert world.account.positions.get().quantity == 0
    health = world.market_data.health["mootdx"]
    assert (health.refused, health.failures, feed.refused.total()) == (0, 0, 0)


@pytest.mark.parametrize("how", [How.CLOSED, How.HALF_BODY, How.GARBAGE, How.EMPTY])
def test_a_stop_loss_is_sold_although_the_server_dies_as_the_price_falls(feed, server, spare, how):
    world = TdxWorld(feed, server, spare)
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:00")
    world.hold(BANK, "9.20", since="09:31:00", until="09:33:00")
    world.at("09:30:59", lambda: in_use(world).how.update(quotes=how))
    world.run(until="09:31:30")

    assert sold_by_stop_loss(world)
    assert sorted(one.failures for one in feed.health()) == [0, 1]


def scaled(quote: Quote) -> Quote:
    """A tenth of every price, as for a fund that is read in the wrong unit."""

    def tenth(price: Decimal) -> Decimal:
        return (price / 10).quantize(Decimal("0.01"))

    return replace(
        quote,
        last=tenth(quote.last),
        previous_close=tenth(quote.previous_close),
        open=tenth(quote.open),
        high=tenth(quote.high),
        low=tenth(quote.low),
        bids=tuple(Level(tenth(level.price), level.quantity) for level in quote.bids),
        asks=tuple(Level(tenth(level.price), level.quantity) for level in quote.asks),
    )


LIES = {
    "a crash beyond the limits": lambda quote: replace(quote, last=Decimal("8.00")),
    "no price": lambda quote: replace(quote, last=Decimal(0)),
    "another unit": scaled,
    "a time that stands still": lambda quote: replace(
        quote, last=Decimal("9.20"), time=quote.time.replace(hour=9, minute=30, second=0)
    ),
    "yesterday's afternoon": lambda quote: replace(
        quote, last=Decimal("9.20"), time=quote.time.replace(hour=14, minute=30)
    ),
    "a crossed book": lambda quote: replace(
        quote, last=Decimal("9.20"), bids=(Level(Decimal("10.50"), 100),)
    ),
    "nobody there": lambda quote: replace(quote, last=Decimal("9.20"), bids=(), asks=()),
    "a volume that fell": lambda quote: replace(quote, last=Decimal("9.20"), volume=100),
}


@pytest.mark.parametrize(
    ("lie", "since"),
    [
        *((lie, "09:31:00") for lie in LIES),
        # Told from the start on, nothing has fallen.
        *((lie, "09:30:00") for lie in LIES if lie != "a volume that fell"),
    ],
)
def test_f146_a_lying_server_causes_no_order(feed, server, spare, lie, since):
    world = TdxWorld(feed, server, spare)
    world.hold(BANK, "10.00", since="09:30:00", until="09:33:00")
    world.at(since, lambda: [setattr(one, "lie", LIES[lie]) for one in (server, spare)])
    if since == "09:30:00":
        server.lie = spare.lie = LIES[lie]
    world.run(until="09:32:00")

    assert world.orders() == []


def test_f146_a_server_that_is_still_at_yesterday_causes_no_order_and_says_so(feed, server, spare):
    world = TdxWorld(feed, server, spare)
    world.hold(BANK, "9.20", since="09:30:00", until="09:32:00")
    for one in (server, spare):
        one.show = lambda quotes, one=one: (
            TdxServer.show(one, quotes) or setattr(one, "day", TODAY - timedelta(days=1))
        )
    world.run(until="09:31:30")

    assert world.orders() == []
    assert all(one.failures for one in feed.health())
    assert "at 2023-01-31, not at today" in world.market_data.health["mootdx"].last_failure


def test_the_world_would_sell_on_the_price_the_liars_tell(feed, server, spare):
    """Else the tests above could not fail."""
    world = TdxWorld(feed, server, spare)
    world.hold(BANK, "10.00", since="09:30:00", until="09:33:00")
    lie = lambda quote: replace(quote, last=Decimal("9.20"))  # noqa: E731
    world.at("09:31:00", lambda: [setattr(one, "lie", lie) for one in (server, spare)])
    world.run(until="09:32:00")

    assert [order.kind for order in world.orders()] == ["stop_loss"]
