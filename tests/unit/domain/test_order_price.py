"""The price of an order: opposite book, fallbacks, re-order levels, limits and cage."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.instruments import instrument_for, tick_size
from trading.domain.limits import cage_bound, daily_limits
from trading.domain.order_price import PriceMode, order_price
from trading.domain.symbols import parse_symbol
from trading.domain.types import CHINA, BookStatus, Level, Limits, Quote, Side

pytestmark = [pytest.mark.fast, pytest.mark.orders]

D = Decimal
CENT = D("0.01")
NO_LIMIT = Limits(None, None)
TODAY = date(2026, 7, 6)
BUY, SELL = Side.BUY, Side.SELL


def levels(*prices):
    return tuple(Level(D(price), 100) for price in prices)


def quote(
    *, bids=(), asks=(), last="0", previous_close="0", code="600000", status=BookStatus.CONTINUOUS
):
    return Quote(
        symbol=parse_symbol(code),
        time=datetime(2026, 7, 6, 10, 0, tzinfo=CHINA),
        last=D(last),
        previous_close=D(previous_close),
        bids=levels(*bids),
        asks=levels(*asks),
        status=status,
    )


FULL = quote(
    bids=("9.99", "9.98", "9.97", "9.96", "9.95"),
    asks=("10.01", "10.02", "10.03", "10.04", "10.05"),
    last="10.00",
    previous_close="9.90",
)


def priced(
    quote,
    side,
    *,
    mode=PriceMode.OPPONENT,
    trigger=None,
    limits=NO_LIMIT,
    cage=None,
    attempt=0,
    tick=CENT,
):
    return order_price(
        mode, side, quote, trigger=trigger, tick=tick, limits=limits, cage=cage, attempt=attempt
    )


@pytest.mark.parametrize(
    ("mode", "side", "expected"),
    [
        (PriceMode.OPPONENT, SELL, "9.97"),
        (PriceMode.OPPONENT, BUY, "10.03"),
        (PriceMode.LAST, SELL, "10.00"),
        (PriceMode.LAST, BUY, "10.00"),
        (PriceMode.LIMIT, SELL, "9.25"),
        (PriceMode.LIMIT, BUY, "9.26"),
    ],
)
def test_the_first_order_is_priced_by_its_mode(mode, side, expected):
    assert priced(FULL, side, mode=mode, trigger=D("9.2525")) == D(expected)


@pytest.mark.parametrize(
    ("bids", "last", "previous_close", "expected"),
    [
        (("9.99", "9.98", "9.97"), "10.00", "9.90", "9.97"),
        (("9.99", "9.98"), "10.00", "9.90", "9.99"),
        ((), "10.00", "9.90", "10.00"),
        ((), "0", "9.90", "9.90"),
        ((), "0", "0", None),
        ((), "NaN", "9.90", "9.90"),
        ((), "NaN", "-1", None),
    ],
)
def test_f015_an_empty_book_falls_through_and_never_gives_zero(
    bids, last, previous_close, expected
):
    thin = quote(bids=bids, last=last, previous_close=previous_close)
    for attempt in (0, 1):
        assert priced(thin, SELL, attempt=attempt) == (expected and D(expected))


def test_f015_a_sell_at_a_sealed_limit_down_goes_out_at_the_limit():
    sealed = quote(asks=("9.00",), last="9.00", previous_close="10.00")
    for attempt in range(5):
        price = priced(
            sealed, SELL, limits=Limits(D("11.00"), D("9.00")), cage=D("8.82"), attempt=attempt
        )
        assert price == D("9.00")


@pytest.mark.parametrize(
    ("side", "attempt", "cage", "expected"),
    [
        (SELL, 1, "9.79", "9.97"),
        (SELL, 2, "9.79", "9.95"),
        (SELL, 3, "9.79", "9.79"),
        (SELL, 7, "9.79", "9.79"),
        (SELL, 3, None, "9.95"),
        (BUY, 1, "10.21", "10.03"),
        (BUY, 2, "10.21", "10.05"),
        (BUY, 3, "10.21", "10.21"),
        (BUY, 3, None, "10.05"),
    ],
)
@pytest.mark.parametrize("mode", PriceMode)
def test_each_reorder_reaches_further_whatever_the_first_mode(mode, side, attempt, cage, expected):
    price = priced(
        FULL, side, mode=mode, trigger=D("9.50"), cage=cage and D(cage), attempt=attempt
    )
    assert price == D(expected)


@pytest.mark.parametrize(
    ("bids", "expected"),
    [
        (("9.99", "9.98", "9.97", "9.96"), "9.97"),
        (("9.99", "9.98"), "9.99"),
        ((), "10.00"),
    ],
)
def test_an_absent_level_five_falls_back_like_the_first_order(bids, expected):
    thin = quote(bids=bids, last="10.00")
    assert priced(thin, SELL, attempt=2) == D(expected)
    assert priced(thin, SELL, attempt=3) == D(expected)


@pytest.mark.parametrize(
    ("side", "trigger", "expected"),
    [
        (SELL, "8.00", "9.00"),
        (SELL, "12.00", "11.00"),
        (BUY, "8.00", "9.00"),
        (BUY, "12.00", "11.00"),
        (SELL, "10.555", "10.55"),
        (BUY, "10.555", "10.56"),
    ],
)
def test_the_price_stays_inside_the_days_limits(side, trigger, expected):
    limits = Limits(D("11.00"), D("9.00"))
    assert priced(FULL, side, mode=PriceMode.LIMIT, trigger=D(trigger), limits=limits) == D(
        expected
    )


@pytest.mark.parametrize(
    ("side", "cage", "trigger", "expected"),
    [(SELL, "9.79", "9.25", "9.79"), (BUY, "10.21", "10.90", "10.21")],
)
def test_the_price_stays_inside_the_cage(side, cage, trigger, expected):
    assert priced(FULL, side, mode=PriceMode.LIMIT, trigger=D(trigger), cage=D(cage)) == D(
        expected
    )


def test_a_bound_between_two_ticks_is_rounded_towards_the_inside():
    odd = Limits(D("10.996"), D("9.004"))
    assert priced(FULL, SELL, mode=PriceMode.LIMIT, trigger=D("8"), limits=odd) == D("9.01")
    assert priced(FULL, BUY, mode=PriceMode.LIMIT, trigger=D("12"), limits=odd) == D("10.99")


def test_a_cage_outside_the_limits_leaves_no_price():
    assert priced(FULL, SELL, limits=Limits(D("11.00"), D("9.00")), cage=D("11.50")) is None


@pytest.mark.parametrize("trigger", [None, D(0), D(-1), D("NaN"), D("Infinity")])
def test_a_limit_order_without_a_usable_trigger_has_no_price(trigger):
    assert priced(FULL, SELL, mode=PriceMode.LIMIT, trigger=trigger) is None


def test_mode_last_without_a_last_price_has_no_price():
    assert priced(quote(bids=("9.99",), previous_close="9.90"), SELL, mode=PriceMode.LAST) is None


def test_f134_an_empty_tick_gives_no_price():
    for mode in PriceMode:
        for side in Side:
            assert priced(quote(), side, mode=mode, trigger=None) is None


ticks = st.integers(min_value=1, max_value=500_000)


@given(
    mode=st.sampled_from(PriceMode),
    side=st.sampled_from(Side),
    code=st.sampled_from(["600000", "300750", "688293", "920819", "510300", "113050"]),
    depth=st.tuples(st.integers(0, 10), st.integers(0, 10)),
    last=st.integers(0, 500_000),
    previous_close=ticks,
    trigger=st.none() | st.decimals(min_value=-1, max_value=5000, places=4, allow_nan=True),
    attempt=st.integers(0, 5),
)
def test_every_price_is_on_the_tick_inside_limits_and_cage(
    mode, side, code, depth, last, previous_close, trigger, attempt
):
    instrument = instrument_for(parse_symbol(code))
    tick = tick_size(instrument, TODAY)
    centre = last or previous_close
    bids = [str((centre - n) * tick) for n in range(1, depth[0] + 1) if centre > n]
    asks = [str((centre + n) * tick) for n in range(1, depth[1] + 1)]
    seen = quote(
        bids=bids,
        asks=asks,
        last=str(last * tick),
        previous_close=str(previous_close * tick),
        code=code,
    )
    limits = daily_limits(instrument, seen.previous_close, TODAY)
    cage = cage_bound(instrument, side, seen, TODAY)
    price = order_price(
        mode, side, seen, trigger=trigger, tick=tick, limits=limits, cage=cage, attempt=attempt
    )
    assert limits.up is not None
    assert limits.down is not None
    if price is None:
        from_book = mode is PriceMode.OPPONENT or attempt > 0
        # At prices of a tick or two cage and limits may leave nothing between them.
        apart = cage is not None and (cage < limits.down if side is BUY else cage > limits.up)
        assert apart or not (from_book and limits.down <= centre * tick <= limits.up)
        return
    assert price > 0
    assert price % tick == 0
    assert limits.down <= price <= limits.up
    if cage is not None:
        assert price <= cage if side is BUY else price >= cage
