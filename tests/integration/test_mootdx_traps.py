"""Whatever a TDX server says: what passes the feed and the gate is a quote that may be decided on.

The traps are those of recorded A-share data: auction books, sealed limits, lunch, emptied pushes, volumes that fall,
repeated and standing times, wrong units, float noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.tdx_server import TdxServer
from trading.domain.types import CHINA, ZERO, BookStatus, Level, Limits, Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.market_data.mootdx_feed import open_feed
from trading.market_data.pump import MarketData
from trading.market_data.store import MemoryQuoteStore

pytestmark = [pytest.mark.unattended]

BANK = Symbol("600036.SH")
TICK = Decimal("0.01")
LIMITS = Limits(Decimal("11.00"), Decimal("9.00"))
START = datetime(2023, 2, 1, 9, 20, tzinfo=CHINA)
#: The rest of an auction without a price, as level 2.
UNMATCHED = Level(ZERO, 5_000)


def true(at: datetime, price: Decimal, volume: int) -> Quote:
    """What the exchange would say in continuous trading."""
    return Quote(
        symbol=BANK,
        time=at,
        last=price,
        previous_close=Decimal("10.00"),
        open=Decimal("10.00"),
        high=max(price, Decimal("10.00")),
        low=min(price, Decimal("10.00")),
        volume=volume,
        amount=price * volume,
        bids=tuple(Level(price - TICK * depth, 1000) for depth in range(1, 6)),
        asks=tuple(Level(price + TICK * depth, 1000) for depth in range(1, 6)),
    )


def auction(quote: Quote) -> Quote:
    both = (Level(quote.last, 800), UNMATCHED)
    return replace(
        quote, last=ZERO, open=ZERO, high=ZERO, low=ZERO, volume=0, bids=both, asks=both
    )


TRAPS: dict[str, Callable[[Quote], Quote]] = {
    "none": lambda quote: quote,
    "an auction's book": auction,
    "sealed at the limit": lambda quote: replace(quote, last=Decimal("11.00"), asks=()),
    "no price": lambda quote: replace(quote, last=ZERO),
    "emptied after the close": lambda quote: replace(
        quote, volume=0, amount=ZERO, bids=(), asks=()
    ),
    "a volume that fell": lambda quote: replace(quote, volume=quote.volume // 1000 * 100),
    "a volume in shares": lambda quote: replace(quote, volume=quote.volume * 100),
    "a crossed book": lambda quote: replace(quote, bids=(Level(quote.last + TICK * 3, 100),)),
    "tenfold": lambda quote: replace(quote, last=quote.last * 10),
    "a stale previous close": lambda quote: replace(quote, previous_close=Decimal("9.60")),
    "below the limit": lambda quote: replace(quote, last=Decimal("8.99")),
    "a negative price, as after an adjustment": lambda quote: replace(quote, last=-quote.last),
    "the same time again": lambda quote: replace(quote, time=quote.time.replace(second=0)),
    "yesterday's close": lambda quote: replace(quote, time=quote.time.replace(hour=15, minute=0)),
    "a time that stands": lambda quote: replace(quote, time=quote.time.replace(hour=9, minute=25)),
}

answers = st.lists(
    st.tuples(
        st.sampled_from(sorted(TRAPS)),
        st.sampled_from([3, 6, 60, 600, 3600]),
        st.integers(-95, 95),
    ),
    min_size=3,
    max_size=12,
)


@settings(max_examples=60)
@given(answers=answers, other_day=st.sampled_from([False] * 5 + [True]))
def test_no_quote_with_a_trap_of_recorded_data_passes_into_a_decision(answers, other_day):
    store = MemoryQuoteStore()
    with TdxServer() as server:
        feed = open_feed([server.address], pace=0)
        data = MarketData([feed], store, lambda quote, now: LIMITS)
        data.subscribe([BANK])
        now, volume = START, 100_000
        passed: list[tuple[datetime, Quote]] = []
        for trap, seconds, ticks in answers:
            now += timedelta(seconds=seconds)
            volume += 1000
            quote = TRAPS[trap](true(now, Decimal("10.00") + TICK * ticks, volume))
            server.show([quote])
            server.day = START.date() - timedelta(days=other_day)
            feed._day = None  # a day is asked again every 15 s of real time
            before = store.latest([BANK]).get(BANK)
            data.step(now)
            after = store.latest([BANK]).get(BANK)
            if after is not None and after is not before:
                passed.append((now, after))
        feed.close()

    event("something passed" if passed else "nothing passed")
    assert not (other_day and passed)
    for now, quote in passed:
        assert_may_be_decided_on(quote, now)
    volumes = [quote.volume for _, quote in passed]
    times = [quote.time for _, quote in passed]
    assert volumes == sorted(volumes)
    assert times == sorted(times)


def assert_may_be_decided_on(quote: Quote, now: datetime) -> None:
    assert LIMITS.down <= quote.last <= LIMITS.up  # type: ignore[operator]
    assert quote.last == quote.last.quantize(TICK)
    assert quote.time.date() == now.date()
    assert quote.time <= now + timedelta(seconds=2)
    assert all(level.price > 0 and level.quantity > 0 for level in (*quote.bids, *quote.asks))
    if quote.status is BookStatus.CONTINUOUS:
        clock = quote.time.time()
        assert time(9, 30) <= clock < time(11, 30) or time(13) <= clock < time(14, 57)
        assert quote.bids or quote.asks
        assert not (quote.bids and quote.asks) or quote.bids[0].price < quote.asks[0].price


def test_honest_answers_pass():
    """Else the test above could not fail."""
    store = MemoryQuoteStore()
    with TdxServer() as server:
        feed = open_feed([server.address], pace=0)
        data = MarketData([feed], store, lambda quote, now: LIMITS)
        data.subscribe([BANK])
        for minute in range(3):
            now = START.replace(hour=10, minute=minute)
            server.show([true(now, Decimal("10.05"), 100_000 + minute)])
            data.step(now)
        feed.close()
    assert store.latest([BANK])[BANK].time == now
    assert store.latest([BANK])[BANK].status is BookStatus.CONTINUOUS


def test_a_feed_without_a_server_is_counted_as_a_failure_with_its_reason():
    feed = open_feed(["127.0.0.1:1"], pace=0)
    feed.subscribe([BANK])
    with pytest.raises(GatewayUnavailable):
        feed.poll(START)
    data = MarketData([feed], MemoryQuoteStore())
    data.step(START)
    assert data.health["mootdx"].failures == 1
    assert "127.0.0.1:1" in data.health["mootdx"].last_failure
