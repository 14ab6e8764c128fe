"""Whatever the market does, a replay's books balance, and a book that does not is told in words."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.replays import BANK, CENT, after, plain, snapshot, steady
from trading.market_data.sources import open_source
from trading.models import Account, Order, Position
from trading.replay.balance import ImbalanceError, check_balance

pytestmark = [pytest.mark.orders, pytest.mark.exits]

#: Steps of a random walk in cents, with a few jumps.
STEPS = st.lists(st.sampled_from([-40, -9, -3, -1, 0, 1, 3, 9, 40]), min_size=20, max_size=60)


def walk(steps: list[int], thin: int) -> list[dict[str, str]]:
    """Return a quote every 5 s from 09:30:02 inside the limits; every `thin`-th shows 200 shares only."""
    rows, price = [], Decimal(10)
    for number, step in enumerate(steps):
        price = min(max(price + step * CENT, Decimal("9.10")), Decimal("10.90"))
        shown = 200 if number % thin == 0 else 5_000
        second = 2 + number * 5
        clock = f"09:{30 + second // 60}:{second % 60:02}"
        bid, ask = (str(price - CENT), shown), (str(price + CENT), shown)
        rows.append(snapshot(clock, str(price), bid=bid, ask=ask))
    return rows


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=STEPS,
    thin=st.integers(1, 5),
    cost=st.integers(900, 1120),
    quantity=st.integers(1, 60).map(lambda lots: lots * 50),
)
def test_any_walk_of_prices_balances(play, steps, thin, cost, quantity):
    """`play` checks cash, shares, fees, T+1 and that every trade is booked once, or raises."""
    held = Decimal(cost) * CENT
    with tempfile.TemporaryDirectory() as folder:
        source = open_source(plain(Path(folder), walk(steps, thin)))

    played = play(
        source,
        holdings=[f"{BANK}:{quantity}@{held}"],
        settings={"add_on_enabled": "on"},
        until=after("09:37:00"),
    )

    assert played.sold() <= quantity  # what was bought today stays until tomorrow
    for order in played.result["orders"]:
        assert order["filled_quantity"] <= order["quantity"]


@pytest.fixture
def sold_out(play, tmp_path):
    """A replay that sold its holding and has run to the end of the day."""
    source = plain(
        tmp_path,
        steady("14:56:02", "14:56:12", "9.60"),
        steady("14:56:12", "14:56:30", "9.20"),
    )
    return play(open_source(source), holdings=[f"{BANK}:1000@10"]).replay


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda replay: Account.objects.update(cash=Decimal("1.00")), "cash by the fills"),
        (lambda replay: Position.objects.update(quantity=7, closed_at=None), f"shares of {BANK}"),
        (lambda replay: Order.objects.update(filled_quantity=900), "its fills 1000"),
        (lambda replay: Order.objects.update(state="submitted"), "is still submitted"),
        (lambda replay: replay.trades.clear(), "which the exchange never traded so"),
        (lambda replay: replay.trades.append(replay.trades[0]), "which is not booked"),
    ],
    ids=["cash", "shares", "order", "open", "extra-fill", "missing-fill"],
)
def test_books_that_differ_are_told_in_words(sold_out, spoil, told):
    spoil(sold_out)

    with pytest.raises(ImbalanceError, match=told) as caught:
        check_balance(sold_out)

    assert caught.value.text.zh.startswith("回放账目不平")
