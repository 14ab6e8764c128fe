"""The fallback as the market data process composes it: the real feed in its own thread, and nobody waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Event
from time import monotonic

import pytest

from tests.tdx_server import How, TdxServer
from trading.domain.types import CHINA, Level, Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.management.background_feed import BackgroundFeed
from trading.management.fallback import fallback_feeds

pytestmark = pytest.mark.unattended

NOW = datetime(2023, 2, 1, 10, tzinfo=CHINA)
PRICE = Decimal("10.00")
QUOTE = Quote(
    Symbol("600036.SH"),
    NOW,
    PRICE,
    PRICE,
    volume=1000,
    bids=(Level(Decimal("9.99"), 100),),
    asks=(Level(Decimal("10.01"), 100),),
)
EARLIER = replace(QUOTE, time=NOW - timedelta(seconds=3))


@pytest.fixture
def server(settings, monkeypatch) -> Iterator[TdxServer]:
    monkeypatch.setattr("trading.market_data.mootdx_feed.OPEN", 0.0)
    settings.FALLBACK_QUOTES = "mootdx"
    with TdxServer() as one:
        settings.MINIQMT_MOOTDX_SERVERS = [one.address]
        yield one


def within(seconds: float, feed: BackgroundFeed) -> Iterator[list[Quote] | GatewayUnavailable]:
    """What each poll says, for so long; none of them may wait."""
    until, pause = monotonic() + seconds, Event()
    while monotonic() < until:
        begun = monotonic()
        try:
            told: list[Quote] | GatewayUnavailable = list(feed.poll(NOW))
        except GatewayUnavailable as problem:
            told = problem
        assert monotonic() - begun < 1
        yield told
        pause.wait(0.02)


def test_quotes_of_a_tdx_server_arrive_through_the_switch_of_the_settings(server):
    server.show([EARLIER])
    [feed] = fallback_feeds()
    with closing(feed):
        feed.subscribe([QUOTE.symbol])
        for told in within(15, feed):
            if told:
                break
            if "quotes" in server.asked:
                server.show([QUOTE])
    assert isinstance(told, list)
    assert (told[0].symbol, told[0].time, told[0].last) == (QUOTE.symbol, NOW, PRICE)


def test_a_server_that_says_nothing_holds_up_nobody_and_is_named(server):
    server.how["greeting"] = How.CLOSED
    [feed] = fallback_feeds()
    with closing(feed):
        feed.subscribe([QUOTE.symbol])
        told = next(one for one in within(15, feed) if isinstance(one, GatewayUnavailable))
    assert server.address in str(told)
