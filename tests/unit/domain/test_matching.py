from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.matching import (
    Execution,
    Resting,
    match_auction,
    match_resting,
    shares_ahead,
    walk_book,
)
from trading.domain.types import CHINA, ZERO, Level, Quote, Side, Symbol

pytestmark = pytest.mark.fast

BUY, SELL = Side.BUY, Side.SELL
AT = datetime(2026, 3, 2, 10, 0, tzinfo=CHINA)


def levels(*pairs: tuple[str, int]) -> tuple[Level, ...]:
    return tuple(Level(Decimal(price), quantity) for price, quantity in pairs)


ASKS = levels(("10.01", 300), ("10.02", 500), ("10.05", 900))
BIDS = levels(("10.00", 200), ("9.99", 400), ("9.98", 600))


def quote(last: str = "10.00", volume: int = 10_000, **fields) -> Quote:
    plain = Quote(Symbol("600036.SH"), AT, Decimal(last), Decimal("9.90"), volume=volume)
    return replace(plain, **{"bids": BIDS, "asks": ASKS, **fields})


def executions(*pairs: tuple[str, int]) -> tuple[Execution, ...]:
    return tuple(Execution(Decimal(price), quantity) for price, quantity in pairs)


@pytest.mark.parametrize(
    ("side", "limit", "quantity", "book", "expected"),
    [
        (BUY, "10.01", 200, ASKS, executions(("10.01", 200))),
        (BUY, "10.02", 1000, ASKS, executions(("10.01", 300), ("10.02", 500))),
        (BUY, "10.00", 100, ASKS, ()),
        (BUY, "11.00", 5000, ASKS, executions(("10.01", 300), ("10.02", 500), ("10.05", 900))),
        (SELL, "9.99", 500, BIDS, executions(("10.00", 200), ("9.99", 300))),
        (SELL, "10.01", 500, BIDS, ()),
        (BUY, "11.00", 100, (), ()),
    ],
)
def test_an_arriving_order_walks_the_displayed_levels_up_to_its_limit(
    side, limit, quantity, book, expected
):
    assert walk_book(side, Decimal(limit), quantity, book, {}) == expected


def test_what_we_took_from_a_snapshot_is_not_there_twice():
    taken: dict[Decimal, int] = {}
    walk_book(BUY, Decimal("10.01"), 200, ASKS, taken)
    again = walk_book(BUY, Decimal("10.02"), 300, ASKS, taken)
    assert again == executions(("10.01", 100), ("10.02", 200))
    assert taken == {Decimal("10.01"): 300, Decimal("10.02"): 200}


def test_a_waiting_buy_fills_at_its_limit_when_the_best_ask_comes_down_to_it():
    waiting = Resting(BUY, Decimal("10.02"), 1000, ahead=5_000)
    after, met = match_resting(waiting, quote(), quote(), {})
    assert met == executions(("10.02", 800))
    assert after == Resting(BUY, Decimal("10.02"), 200, ahead=0)


def test_a_waiting_sell_fills_at_its_limit_when_the_best_bid_comes_up_to_it():
    after, met = match_resting(Resting(SELL, Decimal("9.99"), 500), quote(), quote(), {})
    assert met == executions(("9.99", 500))
    assert after.remaining == 0


@pytest.mark.parametrize(
    ("last", "traded", "ahead", "filled", "still_ahead"),
    [
        ("10.00", 500, 200, 300, 0),
        ("10.00", 200, 200, 0, 0),
        ("10.00", 100, 200, 0, 100),
        ("10.01", 500, 0, 0, 0),  # traded above a buy: our price was not touched
        ("9.99", 500, 200, 500, 0),  # traded below it: the queue ahead is gone
        ("10.00", 9_000, 200, 1000, 0),
        ("0", 500, 0, 0, 0),
    ],
)
def test_at_a_touched_price_only_later_volume_behind_the_queue_fills(
    last, traded, ahead, filled, still_ahead
):
    waiting = Resting(BUY, Decimal("10.00"), 1000, ahead)
    after, met = match_resting(waiting, quote(), quote(last, 10_000 + traded), {})
    assert sum(one.quantity for one in met) == filled
    assert all(one.price == Decimal("10.00") for one in met)
    assert (after.remaining, after.ahead) == (1000 - filled, still_ahead)


def test_two_orders_share_the_traded_volume():
    taken: dict[Decimal, int] = {}
    now = quote("10.00", 10_500)
    _, first = match_resting(Resting(BUY, Decimal("10.00"), 300), quote(), now, taken)
    _, second = match_resting(Resting(BUY, Decimal("10.00"), 300), quote(), now, taken)
    assert [first[0].quantity, second[0].quantity] == [300, 200]
    assert taken == {ZERO: 500}


def test_without_a_quote_before_no_volume_is_known_to_be_later():
    waiting = Resting(BUY, Decimal("10.00"), 1000)
    assert match_resting(waiting, None, quote("10.00", 99_999), {}) == (waiting, ())


@pytest.mark.parametrize(
    ("side", "limit", "volume", "expected"),
    [
        (BUY, "10.00", 5_000, executions(("9.95", 1000))),
        (BUY, "9.95", 400, executions(("9.95", 400))),
        (BUY, "9.94", 5_000, ()),
        (SELL, "9.90", 5_000, executions(("9.95", 1000))),
        (SELL, "9.96", 5_000, ()),
        (SELL, "9.90", 0, ()),
    ],
)
def test_an_auction_fills_at_the_uncrossing_price(side, limit, volume, expected):
    assert match_auction(Resting(side, Decimal(limit), 1000), Decimal("9.95"), volume) == expected


def test_an_order_stands_behind_what_is_displayed_at_its_price():
    assert shares_ahead(BUY, Decimal("9.99"), quote()) == 400
    assert shares_ahead(BUY, Decimal("9.97"), quote()) == 0
    assert shares_ahead(SELL, Decimal("10.05"), quote()) == 900
    assert shares_ahead(SELL, Decimal("10.05"), None) == 0


prices = st.integers(min_value=990, max_value=1010).map(lambda cents: Decimal(cents) / 100)
books = st.dictionaries(prices, st.integers(1, 2_000), max_size=5).map(
    lambda book: tuple(Level(price, book[price]) for price in sorted(book))
)


@given(books, prices, st.integers(1, 5_000), st.integers(1, 5_000))
def test_no_order_ever_gets_more_than_is_displayed_or_a_worse_price(book, limit, first, second):
    taken: dict[Decimal, int] = {}
    met = walk_book(BUY, limit, first, book, taken) + walk_book(BUY, limit, second, book, taken)
    assert sum(one.quantity for one in met) <= first + second
    assert all(one.price <= limit and one.quantity > 0 for one in met)
    for level in book:
        assert sum(one.quantity for one in met if one.price == level.price) <= level.quantity
