"""Recorded markets through the whole replay: the quotes that lie trigger nothing, and no order is placed out of hours.

Which prices would sell is computed here from the files themselves: from quotes of continuous trading and nothing else.
The parts are short; the whole morning of thirty symbols is in the group `slow`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from tests.replays import MOUTAI, STAR_DAY, THIRTY, Play, Played, needs
from tests.unit.market_data.files import TICKS
from trading.domain.types import CHINA, BookStatus, Quote, Symbol
from trading.market_data.sources import Recording, open_source
from trading.market_data.xtquant_feed import read_tick
from trading.models import Account, Order, Signal
from trading.replay import engine

pytestmark = [pytest.mark.exits, pytest.mark.unattended]

#: Nothing may be decided or sent outside of these (rules §5).
CONTINUOUS = ((time(9, 30), time(11, 30)), (time(13, 0), time(14, 57)))
OFF = {"sell_monitor_enabled": "off"}


@cache
def recording(path: Path) -> Recording:
    return open_source(path)


def part(path: Path, since: str, until: str, symbols: int | None = None) -> Recording:
    """Return what a file has in [since, until), of its first symbols."""
    whole = recording(path)
    kept = whole.symbols[:symbols]
    first, last = time.fromisoformat(since), time.fromisoformat(until)
    quotes = [
        quote
        for quote in whole.quotes()
        if quote.symbol in kept and first <= quote.time.time() < last
    ]
    return of(quotes, whole.name)


def of(quotes: Iterable[Quote], name: str) -> Recording:
    found = tuple(quotes)
    days = tuple(sorted({quote.time.date() for quote in found}))
    symbols = tuple(sorted({quote.symbol for quote in found}))
    return Recording(name, "0" * 64, days, symbols, (), 10, found)


def range_of(source: Recording) -> dict[Symbol, tuple[Decimal, Decimal]]:
    """Return the lowest and the highest price of each symbol that anybody could trade at."""
    found: dict[Symbol, tuple[Decimal, Decimal]] = {}
    for quote in source.quotes():
        if quote.last > 0:
            low, high = found.get(quote.symbol, (quote.last, quote.last))
            found[quote.symbol] = min(low, quote.last), max(high, quote.last)
    return found


def safe(source: Recording) -> list[str]:
    """Return holdings that no honest price sells: the stop lies below the lowest price, 6 % above the highest."""
    costs = {symbol: (low + high) / 2 for symbol, (low, high) in range_of(source).items()}
    for symbol, (low, high) in range_of(source).items():
        assert low > costs[symbol] * Decimal("0.925")
        assert high < costs[symbol] * Decimal("1.06")
    return [f"{symbol}:1000@{cost:.2f}" for symbol, cost in costs.items()]


def doomed(source: Recording) -> list[str]:
    """Return holdings that any price at all sells at once."""
    return [f"{symbol}:1000@{high * 2:.2f}" for symbol, (_, high) in range_of(source).items()]


@pytest.fixture
def play_part(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Recording, list[str]], Played]:
    """Play what is there: the day begins a minute before the first quote, for the gateway to arm, not at 09:14:50."""

    def run(source: Recording, holdings: list[str]) -> Played:
        first = min(quote.time for quote in source.quotes())
        begins = max((first - timedelta(minutes=1)).time(), time(9, 14, 50))
        monkeypatch.setattr(engine, "DAY_STARTS", begins.replace(microsecond=0))
        statuses: list[str] = []
        over = ends_at(source)

        def until(now: datetime) -> bool:
            if over(now):
                statuses.append(Account.objects.get().gateway_status)
            return over(now)

        played = play(source, holdings=holdings, settings=OFF, until=until)
        # What came to nothing could have come to something.
        assert statuses == ["armed"]
        assert sum(one.received for one in played.replay.market_data.health.values()) > 0
        return played

    return run


def ends_at(source: Recording) -> Callable[[datetime], bool]:
    newest = max(quote.time for quote in source.quotes()) + timedelta(seconds=30)
    end = min(newest, datetime.combine(newest.date(), engine.DAY_ENDS, CHINA))
    return lambda now: now >= end


def acted(played: Played) -> list[tuple[str, time]]:
    """Return each signal and order that came of it, with its time."""
    account = played.replay.account
    signals, orders = Signal.objects.filter(account=account), Order.objects.filter(account=account)
    rows = [(row.kind, row.created_at) for row in signals]
    for order in orders:
        moments = order.approved_at, order.submitted_at
        rows += [(order.kind, at) for at in moments if at is not None]
    return [(kind, at.astimezone(CHINA).time()) for kind, at in rows]


def allowed(at: time) -> bool:
    return any(first <= at < last for first, last in CONTINUOUS)


PARTS = [
    pytest.param(MOUTAI, "09:14:00", "09:31:00", None, marks=needs(MOUTAI), id="opening-600519"),
    pytest.param(MOUTAI, "14:55:00", "15:41:00", None, marks=needs(MOUTAI), id="closing-600519"),
    pytest.param(STAR_DAY, "08:44:00", "09:31:00", None, marks=needs(STAR_DAY), id="opening-688293"),
    pytest.param(STAR_DAY, "14:55:00", "16:00:00", None, marks=needs(STAR_DAY), id="after-hours-688293"),
    pytest.param(THIRTY, "09:15:00", "09:31:00", 8, marks=needs(THIRTY), id="opening-of-eight"),
    pytest.param(THIRTY, "09:15:00", "10:30:00", None, marks=[needs(THIRTY), pytest.mark.slow], id="thirty"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "since", "until", "symbols"), PARTS)
def test_recorded_quotes_cause_no_false_stop_and_no_false_take_profit(
    play_part, path, since, until, symbols
):
    source = part(path, since, until, symbols)
    played = play_part(source, safe(source))
    assert acted(played) == []


@pytest.mark.parametrize(("path", "since", "until", "symbols"), [PARTS[0], PARTS[2], PARTS[4]])
def test_a_stop_that_is_due_all_the_time_is_placed_in_continuous_trading_only(
    play_part, path, since, until, symbols
):
    source = part(path, since, until, symbols)
    played = play_part(source, doomed(source))
    acts = acted(played)
    assert acts
    assert [act for act in acts if not allowed(act[1])] == []
    assert {kind for kind, _ in acts} == {"stop_loss"}


@pytest.mark.parametrize(
    ("path", "since", "until"),
    [
        pytest.param(MOUTAI, "09:14:00", "09:30:00", marks=needs(MOUTAI), id="auction-600519"),
        pytest.param(MOUTAI, "14:57:00", "15:41:00", marks=needs(MOUTAI), id="close-600519"),
        pytest.param(STAR_DAY, "09:14:00", "09:30:00", marks=needs(STAR_DAY), id="auction-688293"),
        pytest.param(STAR_DAY, "14:57:00", "16:00:00", marks=needs(STAR_DAY), id="close-688293"),
        pytest.param(THIRTY, "09:15:00", "09:30:00", marks=needs(THIRTY), id="auction-of-thirty"),
    ],
)
def test_nothing_at_all_is_decided_on_quotes_of_auctions_and_of_after_hours_trading(
    play_part, path, since, until
):
    source = part(path, since, until)
    # The clock goes on for half a minute: what was due in the auction is not done on its last quote later.
    played = play_part(source, doomed(recording(path)))
    late = [act for act in acted(played) if not allowed(act[1])]
    assert late == []


@needs(TICKS)
@pytest.mark.parametrize("emptied", [False, True], ids=["as-seen", "with-the-emptied-push"])
def test_the_ticks_that_were_seen_live_sell_nothing_out_of_hours(play_part, emptied):
    lines = [json.loads(line) for line in TICKS.read_text(encoding="utf-8").splitlines()]
    quotes = [read_tick(Symbol(line["symbol"]), line["tick"]) for line in lines]
    for quote in quotes:
        source = of([quote, *([_emptied(quote)] if emptied else [])], "seen live")
        played = play_part(source, doomed(source))
        acts = acted(played)
        assert [act for act in acts if not allowed(act[1])] == [], quote.symbol
        assert bool(acts) is (allowed(quote.time.time())), quote.symbol


def _emptied(quote: Quote) -> Quote:
    """The push of 15:05 with nothing in it but prices of zero."""
    at = datetime.combine(quote.time.date(), time(15, 5), CHINA)
    nothing = Decimal(0)
    return replace(
        quote, time=at, last=nothing, open=nothing, high=nothing, low=nothing, volume=0,
        amount=nothing, bids=(), asks=(), status=BookStatus.CLOSED,
    )  # fmt: skip
