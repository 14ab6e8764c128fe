"""The real client of mootdx against a server on the loopback: what it fetches, and what it does when the server fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import monotonic

import pytest

from tests.tdx_server import Bar, How, Sale, TdxServer
from trading.domain.types import CHINA, BookStatus, Level, Quote, Side, Symbol
from trading.errors import ConfigError, GatewayUnavailable
from trading.market_data import mootdx_client
from trading.market_data.mootdx_client import Address, TdxClient
from trading.market_data.mootdx_feed import MootdxFeed, open_feed
from trading.market_data.mootdx_history import open_history
from trading.market_data.mootdx_servers import Servers, servers_of_settings

ROOT = Path(__file__).resolve().parents[2]
ON = date(2023, 2, 1)
NOW = datetime(2023, 2, 1, 10, 0, 0, tzinfo=CHINA)
BANK, FUND, BOND = Symbol("600036.SH"), Symbol("588000.SH"), Symbol("113050.SH")


def quote(symbol: Symbol = BANK, last: str = "10.50", at: datetime = NOW, **more: object) -> Quote:
    price = Decimal(last)
    step = Decimal("0.01") if symbol == BANK else Decimal("0.001")
    made = Quote(
        symbol=symbol,
        time=at,
        last=price,
        previous_close=price - 2 * step,
        open=price - step,
        high=price + step,
        low=price - 3 * step,
        volume=1_234_500,
        amount=Decimal("12962304.00"),
        bids=tuple(Level(price - step * depth, 1000 * depth) for depth in range(1, 6)),
        asks=tuple(Level(price + step * depth, 2000 * depth) for depth in range(1, 6)),
        status=BookStatus.CONTINUOUS,
    )
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.fixture
def server() -> Iterator[TdxServer]:
    with TdxServer() as one:
        yield one


@pytest.fixture
def spare() -> Iterator[TdxServer]:
    with TdxServer() as one:
        yield one


def address(server: TdxServer) -> Address:
    host, port = server.address.split(":")
    return Address(host, int(port))


class Clock:
    """Monotonic seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def feed_of() -> Iterator[Callable[..., MootdxFeed]]:
    """Make feeds that ask at every poll, and wait 0.8 s for an answer."""
    with ExitStack() as made:

        def make(*servers: TdxServer, clock: Clock | None = None) -> MootdxFeed:
            feed = MootdxFeed(
                Servers(
                    lambda: [address(one) for one in servers],
                    lambda where: TdxClient(where, to_connect=0.8, to_answer=0.8),
                    clock or monotonic,
                ),
                pace=0,
                clock=clock or monotonic,
            )
            made.callback(feed.close)
            return feed

        yield make


def in_use(feed: MootdxFeed) -> Address:
    [found] = [one.address for one in feed.health() if one.in_use]
    return found


def asked(feed: MootdxFeed, server: TdxServer, *quotes: Quote, now: datetime = NOW) -> list[Quote]:
    """Show the quotes, and return what the feed makes of them."""
    server.show(quotes)
    return list(feed.poll(now))


def told_again(quote: Quote) -> Quote:
    """The same a little earlier: a symbol counts once its time has moved."""
    return replace(quote, time=quote.time - timedelta(seconds=3))


# --- what is fetched --------------------------------------------------------------------------


@pytest.mark.parametrize("how", [How.WELL, How.PACKED])
@pytest.mark.parametrize(
    "shown",
    [
        quote(),
        quote(FUND, "1.023"),
        quote(BOND, "123.456"),
        quote(asks=()),
        quote(last="1854.98"),
        quote(at=NOW.replace(hour=9, minute=30, second=3), volume=0, amount=Decimal("0.00")),
    ],
    ids=["a share", "a fund the library shows tenfold", "a bond", "sealed", "dear", "not traded"],
)
def test_a_quote_arrives_as_the_exchange_made_it(feed_of, server, shown, how):
    server.how["quotes"] = how
    lot = 10 if shown.symbol == BOND else 100
    shown = replace(shown, volume=shown.volume // lot * lot)
    feed = feed_of(server)
    feed.subscribe([shown.symbol])

    assert asked(feed, server, told_again(shown)) == []
    assert asked(feed, server, shown) == [shown]


def test_many_symbols_are_asked_for_in_batches_of_what_the_protocol_allows(feed_of, server):
    symbols = [Symbol(f"{600000 + number}.SH") for number in range(200)]
    feed = feed_of(server)
    feed.subscribe(symbols)
    asked(feed, server, *(quote(symbol, at=NOW - timedelta(seconds=3)) for symbol in symbols))

    assert {one.symbol for one in asked(feed, server, *map(quote, symbols))} == set(symbols)
    assert server.asked.count("quotes") == 2 * 3


def test_what_did_not_change_comes_again_once_a_round_as_a_sign_of_life(feed_of, server):
    feed = feed_of(server)
    feed.subscribe([BANK, FUND])
    older, newer = quote(FUND, "1.023", NOW - timedelta(seconds=1)), quote()
    asked(feed, server, told_again(older), told_again(newer))
    asked(feed, server, older, newer)

    assert asked(feed, server, older, newer) == [newer]


def test_beijing_has_no_fallback_and_the_feed_says_so_as_a_value(feed_of, server):
    feed = feed_of(server)
    feed.subscribe([Symbol("920001.BJ"), BANK])

    assert list(feed.not_covered) == ["920001.BJ"]
    assert "Beijing" in feed.not_covered[Symbol("920001.BJ")].en
    assert asked(feed, server, quote()) == []  # and no failure: nothing of Beijing was asked for


def test_daily_bars_come_in_yuan_and_shares_however_the_server_counts(server):
    days = [date(2023, 1, 1) + timedelta(days=number) for number in range(900)]
    server.bars[BANK, mootdx_client.DAY] = [
        Bar(day, "10.00", "10.50", "9.90", "10.20", 500_000 if number % 2 else 5000, 5_100_000)
        for number, day in enumerate(days)
    ]
    with open_history([server.address]) as history:
        bars = history.daily_bars(BANK, 850)  # more than one answer may hold

    assert [bar.on for bar in bars] == days[-850:]
    assert {bar.volume for bar in bars} == {500_000}
    assert (bars[0].open, bars[0].high, bars[0].low, bars[0].close) == tuple(
        map(Decimal, ("10.00", "10.50", "9.90", "10.20"))
    )
    assert bars[0].amount == Decimal("5100000.00")


def test_a_minute_bar_is_named_after_its_start(server):
    end = datetime(2023, 2, 1, 9, 31, tzinfo=CHINA)
    server.bars[FUND, mootdx_client.MINUTE] = [
        Bar(end, "1.023", "1.025", "1.020", "1.024", 40_000, 40_960)
    ]
    with open_history([server.address]) as history:
        (bar,) = history.minute_bars(FUND, 10)
    assert (bar.start, bar.close, bar.volume) == (
        end - timedelta(minutes=1), Decimal("1.024"), 40_000,
    )  # fmt: skip


def test_minutes_and_transactions_come_with_their_times(server):
    server.minutes[BANK, ON] = [("10.00", 5)] * 120 + [("10.10", 7)] * 120
    server.sales[BANK, ON] = [Sale(9 * 60 + 30, "10.00", 3, 0), Sale(14 * 60 + 59, "10.01", 2, 1)]
    with open_history([server.address]) as history:
        minutes = history.minutes(BANK, ON)
        past = history.transactions(BANK, ON)
        today = history.transactions(BANK, ON, today=True)

    assert [(f"{one.start:%H:%M}", one.volume) for one in (minutes[0], minutes[119], minutes[120])] == [
        ("09:30", 500), ("11:29", 500), ("13:00", 700),
    ]  # fmt: skip
    assert minutes[-1].price == Decimal("10.10")
    assert today == past
    assert [(f"{one.at:%H:%M}", str(one.price), one.quantity, one.side) for one in past] == [
        ("09:30", "10.00", 300, Side.BUY), ("14:59", "10.01", 200, Side.SELL),
    ]  # fmt: skip


MOOTDX_ITSELF = """
import json, sys
from pathlib import Path
home, host, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
(home / ".mootdx").mkdir()
hosts = [["here", host, port]]
settings = {"SERVER": {"HQ": hosts, "EX": hosts, "GP": hosts}, "BESTIP": {"HQ": [host, port]}, "TDXDIR": ""}
(home / ".mootdx" / "config.json").write_text(json.dumps(settings))
from mootdx.quotes import Quotes
client = Quotes.factory("std", server=(host, port), timeout=2)
print(json.dumps({
    "quotes": client.quotes(["600036"]).price.tolist(),
    "bars": client.bars("600036", frequency=9).close.tolist(),
    "minutes": len(client.minutes("600036", date="20230201")),
    "transactions": client.transactions("600036", date="20230201").price.tolist(),
}))
client.close()
"""


def test_mootdx_itself_fetches_the_same_from_this_server(server, tmp_path):
    """So the server speaks the protocol, not a dialect of our adapter's."""
    server.show([quote()])
    server.bars[BANK, mootdx_client.DAY] = [Bar(ON, "10.00", "10.50", "9.90", "10.20", 5000, 5e6)]
    server.minutes[BANK, ON] = [("10.00", 5)] * 240
    server.sales[BANK, ON] = [Sale(9 * 60 + 30, "10.00", 3, 0)]
    command = [sys.executable, "-c", MOOTDX_ITSELF, str(tmp_path), *server.address.split(":")]
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}

    done = subprocess.run(
        command, env={**os.environ, **home}, capture_output=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout.decode().splitlines()[-1]) == {
        "quotes": [10.5], "bars": [10.2], "minutes": 240, "transactions": [10.0],
    }  # fmt: skip


# --- servers that fail --------------------------------------------------------------------------

FAILURES = [
    How.SILENT, How.SLOW, How.DRIP, How.HALF_HEAD, How.HALF_BODY, How.TOO_LONG, How.TOO_SHORT, How.GARBAGE,
    How.BAD_ZIP, How.EMPTY, How.CLOSED,
]  # fmt: skip


@pytest.mark.parametrize("how", FAILURES, ids=lambda how: how.value)
def test_f147_a_server_that_fails_is_left_for_another_and_nothing_of_its_answer_is_used(
    feed_of, server, spare, how
):
    feed = feed_of(server, spare)
    feed.subscribe([BANK])
    spare.show([told_again(quote())])
    assert asked(feed, server, told_again(quote())) == []
    bad, good = (server, spare) if in_use(feed) == address(server) else (spare, server)
    bad.slow = 1.0 if how is How.SLOW else 0.02
    bad.how["quotes"] = how

    begun = monotonic()
    with pytest.raises(GatewayUnavailable, match=f"{address(bad)}: "):
        asked(feed, bad, quote(last="99.99"))
    assert monotonic() - begun < 3

    assert asked(feed, good, quote()) == [quote()]
    assert in_use(feed) == address(good)
    assert {one.address: one.failures for one in feed.health()} == {
        address(bad): 1,
        address(good): 0,
    }


@pytest.mark.parametrize("what", ["greeting", "bars"])
def test_a_server_that_fails_at_the_start_is_not_chosen(feed_of, server, spare, what):
    server.how[what] = How.SILENT
    feed = feed_of(server, spare)
    feed.subscribe([BANK])
    asked(feed, spare, quote())
    assert in_use(feed) == address(spare)


def test_the_fastest_server_at_the_newest_day_is_chosen(feed_of, server, spare):
    with TdxServer() as quick_but_of_yesterday:
        server.how["bars"], server.slow = How.SLOW, 0.1
        for one in (quick_but_of_yesterday, server, spare):
            one.show([quote()])
        quick_but_of_yesterday.day = ON - timedelta(days=1)
        feed = feed_of(quick_but_of_yesterday, server, spare)
        feed.subscribe([BANK])
        feed.poll(NOW)
        assert in_use(feed) == address(spare)
        assert feed.health()[1].latency > feed.health()[2].latency


def test_f146_a_server_at_an_earlier_day_is_a_failure_while_the_exchange_trades_and_silence_else(
    feed_of, server
):
    feed = feed_of(server)
    feed.subscribe([BANK])
    next_day = NOW + timedelta(days=1)
    assert asked(feed, server, quote(), now=next_day.replace(hour=8)) == []
    with pytest.raises(GatewayUnavailable, match="at 2023-02-01, not at today"):
        feed.poll(next_day)
    assert "quotes" not in server.asked


def test_without_any_server_the_feed_says_so_and_comes_back_by_itself(feed_of, server):
    clock = Clock()
    feed = feed_of(server, clock=clock)
    feed.subscribe([BANK])
    server.show([told_again(quote())])
    server.how["quotes"] = How.CLOSED
    for failures, rest in enumerate((2, 4, 8, 16, 32, 60, 60), 1):
        with pytest.raises(GatewayUnavailable, match=str(address(server))):
            feed.poll(NOW)
        clock.at += rest - 1
        with pytest.raises(GatewayUnavailable, match="no TDX server answers"):
            feed.poll(NOW)  # too early: not even tried
        assert [one.failures for one in feed.health()] == [failures]
        clock.at += 1
    server.how["quotes"] = How.PACKED
    assert asked(feed, server) == []
    assert asked(feed, server, quote()) == [quote()]
    assert [one.failures for one in feed.health()] == [0]


def test_a_server_that_is_switched_off_and_on_is_found_again(feed_of, server):
    clock = Clock()
    feed = feed_of(server, clock=clock)
    feed.subscribe([BANK])
    asked(feed, server, told_again(quote()))
    server.close()
    for _ in range(2):
        with pytest.raises(GatewayUnavailable, match=str(address(server))):
            feed.poll(NOW)
    with TdxServer(port=address(server).port) as again:
        clock.at += 60
        assert asked(feed, again, quote()) == [quote()]


def test_an_answer_to_another_question_is_refused_whole(feed_of, server):
    server.lie = lambda quote: replace(quote, symbol=Symbol("600000.SH"))
    feed = feed_of(server)
    feed.subscribe([BANK])
    with pytest.raises(GatewayUnavailable, match="600000 that was not asked for"):
        asked(feed, server, quote())


def test_a_previous_close_that_changes_within_the_day_is_refused(feed_of, server):
    feed = feed_of(server)
    feed.subscribe([BANK])
    asked(feed, server, told_again(quote()))
    assert asked(feed, server, quote(previous_close=Decimal("9.60"))) == []
    assert feed.refused == {(BANK, "last_close"): 1}


def test_a_row_that_cannot_be_read_is_told_and_touches_no_other_symbol(feed_of, server):
    feed = feed_of(server)
    feed.subscribe([BANK, FUND])
    asked(feed, server, told_again(quote()), told_again(quote(FUND, "1.023")))
    bad = quote(FUND, "1.023", low=Decimal("-0.001"))
    assert asked(feed, server, quote(), bad) == [quote()]
    assert feed.unreadable() == [(FUND, "low")]
    assert feed.unreadable() == []


def test_a_round_that_takes_long_is_handed_over_in_parts(feed_of, server):
    symbols = [Symbol(f"{600000 + number}.SH") for number in range(160)]
    clock = Clock()
    feed = feed_of(server, clock=clock)
    feed.subscribe(symbols)
    server.show(quote(symbol, at=NOW - timedelta(seconds=3)) for symbol in symbols)
    feed.poll(NOW)
    server.show(map(quote, symbols))

    def slowly(quote: Quote) -> Quote:
        clock.at += 0.05  # 80 of them: 4 s
        return quote

    server.lie = slowly
    first, second = feed.poll(NOW), feed.poll(NOW)
    assert {one.symbol for one in first} == set(symbols[:80])
    assert {one.symbol for one in second} == set(symbols[80:])


def test_f147_history_asks_another_server_when_the_first_fails_and_makes_nothing_up(server, spare):
    for one in (server, spare):
        one.minutes[BANK, ON] = [("10.00", 5)] * 240
    server.how["minutes"] = How.CLOSED
    spare.how["bars"], spare.slow = How.SLOW, 0.05  # so that the other one is asked first
    with open_history([server.address, spare.address]) as history:
        assert len(history.minutes(BANK, ON)) == 240
    assert server.asked.count("minutes") == 1

    spare.how["minutes"] = How.HALF_BODY
    with (
        open_history([server.address, spare.address]) as history,
        pytest.raises(GatewayUnavailable),
    ):
        history.minutes(BANK, ON)


@pytest.mark.parametrize(
    "bar",
    [
        Bar(ON, "10", "9", "9.9", "10.2", 5000, 5e6),
        Bar(ON, "10", "10.5", "9.9", "10.2", 5e9, 5e6),
        Bar(ON, "0", "0", "0", "0", 5000, 5e6),
    ],
)
def test_f147_a_history_with_a_wrong_bar_in_it_is_refused_whole(server, bar):
    good = Bar(ON - timedelta(days=1), "10", "10.5", "9.9", "10.2", 5000, 5e6)
    server.bars[BANK, mootdx_client.DAY] = [good, bar]
    with open_history([server.address]) as history, pytest.raises(GatewayUnavailable):
        history.daily_bars(BANK, 2)


# --- the settings -------------------------------------------------------------------------------


def test_opening_the_feed_waits_for_nothing_and_imports_nothing_heavy(server):
    server.how["greeting"] = How.SILENT
    begun = monotonic()
    feed = open_feed([server.address])
    feed.subscribe([BANK])
    assert monotonic() - begun < 0.1
    assert server.asked == []


def test_the_servers_are_those_of_the_settings_or_the_librarys(settings, monkeypatch, tmp_path):
    settings.MINIQMT_MOOTDX_SERVERS = ["127.0.0.1:1"]
    feed = open_feed()
    feed.subscribe([BANK])
    with pytest.raises(GatewayUnavailable, match=r"127\.0\.0\.1:1: ConnectionRefused"):
        feed.poll(NOW)

    for home in ("HOME", "USERPROFILE"):  # the library makes its folder there
        monkeypatch.setenv(home, str(tmp_path))
    settings.MINIQMT_MOOTDX_SERVERS = []
    tried: list[Address] = []

    def refused(where: Address) -> TdxClient:
        tried.append(where)
        raise GatewayUnavailable(str(where))

    servers = servers_of_settings()
    servers._connect = refused
    with pytest.raises(GatewayUnavailable, match=r"and \d+ more"):
        servers.client()
    assert len(tried) > 10


@pytest.mark.parametrize("text", ["localhost:7709", "192.0.2.7", "192.0.2.7:port", ""])
def test_an_address_that_is_none_is_an_error_of_the_settings(settings, text):
    settings.MINIQMT_MOOTDX_SERVERS = [text]
    with pytest.raises(ConfigError, match="MINIQMT_MOOTDX_SERVERS"):
        open_feed()


def test_quotes_wait_for_their_round(server):
    feed = open_feed([server.address])
    feed.subscribe([BANK])
    server.show([quote()])
    for _ in range(5):
        feed.poll(NOW)
    assert server.asked.count("quotes") == 1  # every 3 s
    feed.close()
