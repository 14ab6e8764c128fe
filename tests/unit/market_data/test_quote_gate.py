"""The gate: which quotes are refused, why, and that one symbol's trouble stays its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from tests.unit.market_data.files import MOUTAI, STAR_DAY, THIRTY, needs, recorded
from trading.domain.types import CHINA, ZERO, BookStatus, Level, Limits, Quote, Symbol, Text
from trading.market_data.validation import QuoteGate, Refusal

pytestmark = pytest.mark.fast

NOW = datetime(2021, 12, 1, 10, 0, tzinfo=CHINA)
SYMBOL = Symbol("600036.SH")
OTHER = Symbol("000001.SZ")
GOOD = Quote(
    symbol=SYMBOL,
    time=NOW,
    last=Decimal("10.50"),
    previous_close=Decimal("10.00"),
    open=Decimal("10.10"),
    high=Decimal("10.60"),
    low=Decimal("10.00"),
    volume=1000,
    amount=Decimal("10300.00"),
    bids=(Level(Decimal("10.49"), 100),),
    asks=(Level(Decimal("10.50"), 100),),
    status=BookStatus.CONTINUOUS,
)
SEALED_UP = replace(GOOD, last=Decimal("11.00"), bids=(Level(Decimal("11.00"), 900),), asks=())
BAND = Limits(Decimal("11.00"), Decimal("9.00"))


def book(bid: str, ask: str, status: BookStatus = BookStatus.CONTINUOUS) -> Quote:
    return replace(
        GOOD, bids=(Level(Decimal(bid), 1),), asks=(Level(Decimal(ask), 1),), status=status
    )


@pytest.mark.parametrize(
    ("what", "quote", "limits", "refusal"),
    [
        ("a plain quote", GOOD, None, None),
        ("f134: no price at the open or when suspended", replace(GOOD, last=ZERO), None, Refusal.NO_PRICE),
        ("a negative price", replace(GOOD, last=Decimal(-1)), None, Refusal.NO_PRICE),
        ("no number", replace(GOOD, last=Decimal("NaN")), None, Refusal.NOT_A_NUMBER),
        ("no finite high", replace(GOOD, high=Decimal("inf")), None, Refusal.NOT_A_NUMBER),
        ("no number in the book", book("NaN", "10"), None, Refusal.NOT_A_NUMBER),
        ("a locked book", book("10.50", "10.50"), None, Refusal.CROSSED_BOOK),
        ("a crossed book", book("10.51", "10.50"), None, Refusal.CROSSED_BOOK),
        ("an auction's equal sides", book("10.50", "10.50", BookStatus.AUCTION), None, None),
        ("a side that is empty at the limit", SEALED_UP, BAND, None),
        ("at the upper limit", replace(GOOD, last=Decimal("11.00")), BAND, None),
        ("above it", replace(GOOD, last=Decimal("11.01")), BAND, Refusal.OUTSIDE_LIMITS),
        ("below the lower one", replace(GOOD, last=Decimal("8.99")), BAND, Refusal.OUTSIDE_LIMITS),
        ("a session without limits", replace(GOOD, last=Decimal(44)), Limits(None, None), None),
        ("beyond the limit it states itself", replace(GOOD, limit_up=Decimal("10.49")), None, Refusal.OUTSIDE_LIMITS),
        ("the terminal's limits win", replace(GOOD, limit_up=Decimal("10.49")), BAND, None),
        ("two seconds ahead", replace(GOOD, time=NOW + timedelta(seconds=2)), None, None),
        ("further ahead", replace(GOOD, time=NOW + timedelta(seconds=2.1)), None, Refusal.FUTURE_TIME),
    ],
)  # fmt: skip
def test_a_quote_alone(what, quote, limits, refusal):
    gate = QuoteGate("terminal")
    answer = gate.accept(quote, limits, NOW)
    assert (answer is None) == (refusal is None), what
    assert dict(gate.refused) == ({(SYMBOL, refusal): 1} if refusal else {})
    assert gate.accepted[SYMBOL] == (refusal is None)
    if answer is not None:
        assert isinstance(answer, Text)
        assert all(answer)


@pytest.mark.parametrize(
    ("what", "second", "refusal"),
    [
        ("the same again", GOOD, None),
        (
            "later with more volume",
            replace(GOOD, time=NOW + timedelta(seconds=3), volume=1001),
            None,
        ),
        ("an older one", replace(GOOD, time=NOW - timedelta(seconds=1)), Refusal.TIME_BACKWARDS),
        ("one of yesterday", replace(GOOD, time=NOW - timedelta(days=1)), Refusal.TIME_BACKWARDS),
        ("less volume in a day", replace(GOOD, volume=999), Refusal.VOLUME_FELL),
        (
            "less volume on the next day",
            replace(GOOD, time=NOW + timedelta(days=1), volume=5),
            None,
        ),
        (
            "the emptied push after the close",
            replace(
                GOOD, time=NOW.replace(hour=15, minute=5), volume=0, amount=ZERO, bids=(), asks=()
            ),
            Refusal.ZEROED,
        ),
    ],
)
def test_a_quote_after_another(what, second, refusal):
    gate = QuoteGate("terminal")
    assert gate.accept(GOOD, None, NOW) is None
    answer = gate.accept(second, None, max(NOW, second.time))
    assert gate.refused_by_reason == ({refusal: 1} if refusal else {}), what
    assert (answer is None) == (refusal is None)


def test_what_was_refused_is_forgotten_not_compared_with():
    gate = QuoteGate("terminal")
    gate.accept(replace(GOOD, last=ZERO, volume=9999), None, NOW)
    assert gate.accept(GOOD, None, NOW) is None


def test_f058_a_storm_of_bad_quotes_stays_with_its_instrument():
    gate = QuoteGate("terminal")
    for _ in range(1000):
        gate.accept(replace(GOOD, last=Decimal(10_000)), BAND, NOW)
    assert gate.accept(replace(GOOD, symbol=OTHER), BAND, NOW) is None
    assert gate.accept(GOOD, BAND, NOW) is None
    assert gate.refused == {(SYMBOL, Refusal.OUTSIDE_LIMITS): 1000}


def test_f061_one_suspended_stock_refuses_no_other_stock():
    gate = QuoteGate("terminal")
    suspended = replace(GOOD, last=ZERO, status=BookStatus.HALTED)
    for _ in range(100):
        assert gate.accept(suspended, None, NOW) is not None
        assert gate.accept(replace(GOOD, symbol=OTHER), None, NOW) is None
    assert gate.accepted == {OTHER: 100}


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        pytest.param(MOUTAI, {Refusal.NO_PRICE: 156}, marks=needs(MOUTAI)),
        pytest.param(STAR_DAY, {Refusal.NO_PRICE: 110}, marks=needs(STAR_DAY)),
        pytest.param(THIRTY, {Refusal.NO_PRICE: 1200}, marks=needs(THIRTY)),
    ],
)
def test_a_recorded_day_passes_but_for_the_quotes_before_the_first_match(source, refused):
    gate = QuoteGate(source.name)
    for quote in recorded(source).quotes():
        gate.accept(quote, None, quote.time)
    assert gate.refused_by_reason == refused
