"""What every quote store promises: in memory, in a file, in the embedded Redis and in a real one.

It keeps the last 64 quotes of a symbol in order and knows when each feed last delivered.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count, pairwise

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.redis_servers import embedded_redis, installed_redis
from trading.domain.types import CHINA, BookStatus, Level, Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.market_data.file_store import FileQuoteStore
from trading.market_data.records import Kept, Stamper, quote_of
from trading.market_data.redis_store import RedisQuoteStore
from trading.market_data.shared_store import FallbackQuotes, SharedQuotes
from trading.market_data.store import KEPT, MemoryQuoteStore

SYSTEM = [pytest.mark.system, pytest.mark.unattended]
DURABLE = [
    pytest.param("file", marks=pytest.mark.fast),
    pytest.param("embedded redis", marks=SYSTEM),
    pytest.param("installed redis", marks=SYSTEM),
]

START = datetime(2021, 12, 1, 10, 0, tzinfo=CHINA)
SYMBOL, OTHER, UNSEEN = Symbol("600036.SH"), Symbol("000001.SZ"), Symbol("300750.SZ")


def quote(seconds: float = 0, last: int = 10, symbol: Symbol = SYMBOL) -> Quote:
    return Quote(symbol, START + timedelta(seconds=seconds), Decimal(last), Decimal(10))


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """The addresses of Redis servers, each started when a test first asks for it."""
    running, contexts = {}, []

    def address_of(kind: str) -> str:
        if kind not in running:
            start = embedded_redis if kind == "embedded redis" else installed_redis
            context = start(tmp_path_factory.mktemp("redis"))
            running[kind] = context.__enter__().url
            contexts.append(context)
        return running[kind]

    yield address_of
    for context in contexts:
        context.__exit__(None, None, None)


@pytest.fixture
def make(request, servers, tmp_path):
    """Give a function that opens a store of the kind the test asks for: an empty one, or the one of a name again."""
    names = count()

    def open_store(name=None, *, reads=False):
        name = next(names) if name is None else name
        if request.param == "memory":
            return MemoryQuoteStore()
        if request.param == "file":
            return FileQuoteStore(tmp_path / f"{name}.sqlite3", writes=not reads)
        return RedisQuoteStore(servers(request.param), f"{tmp_path}:{name}", timeout=2)

    return open_store


every_store = pytest.mark.parametrize(
    "make", [pytest.param("memory", marks=pytest.mark.fast), *DURABLE], indirect=True
)
every_durable_store = pytest.mark.parametrize("make", DURABLE, indirect=True)


def prices(store, after: datetime) -> list[int]:
    return [int(arrival.quote.last) for arrival in store.since({SYMBOL: after}).get(SYMBOL, ())]


@every_store
def test_a_reader_gets_what_arrived_after_its_mark(make):
    store = make()
    store.put("terminal", [quote(0, 10)], 10, START)
    store.put("terminal", [quote(3, 11), quote(6, 12)], 10, START + timedelta(seconds=6))
    assert prices(store, START) == [11, 12]
    assert prices(store, START + timedelta(seconds=6)) == []
    assert store.since({UNSEEN: START}) == {}


@every_store
def test_a_quote_that_arrives_late_is_read_although_its_own_time_is_past(make):
    store = make()
    mark = START + timedelta(seconds=5)  # a tick read everything up to here
    store.put("terminal", [quote(4, 11)], 10, START + timedelta(seconds=6))
    assert prices(store, mark) == [11]


@every_store
def test_batches_of_one_moment_arrive_one_after_the_other(make):
    store = make()
    store.put("terminal", [quote(0, 10)], 10, START)
    mark = store.since({SYMBOL: START - timedelta(days=1)})[SYMBOL][-1].at
    store.put("terminal", [quote(0, 11)], 10, START)
    assert prices(store, mark) == [11]


@every_store
def test_equal_times_are_told_apart(make):
    store = make()
    store.put("terminal", [quote(0, 10), quote(0, 11)], 10, START)
    assert store.latest([SYMBOL])[SYMBOL].time == START + timedelta(microseconds=1)


@every_store
def test_an_older_quote_is_left_out(make):
    store = make()
    store.put("terminal", [quote(3, 11), quote(0, 10)], 10, START)
    assert prices(store, START - timedelta(days=1)) == [11]


@every_store
def test_no_more_than_sixty_four_are_kept(make):
    store = make()
    store.put("terminal", [quote(second, second + 1) for second in range(100)], 10, START)
    assert prices(store, START - timedelta(days=1)) == list(range(37, 101))


@every_store
def test_f146_the_store_says_when_a_feed_last_delivered_so_nothing_is_served_past_its_age(make):
    store = make()
    store.put("terminal", [quote()], 10, START)
    store.put("bars", [quote(symbol=OTHER)], 60, START + timedelta(seconds=5))
    store.put("terminal", [], 10, START + timedelta(seconds=30))  # silence is no delivery
    assert store.fed(SYMBOL).at == START
    assert store.fed(OTHER).at == START + timedelta(seconds=5)
    assert (store.fed(SYMBOL).heartbeat, store.fed(OTHER).heartbeat) == (10, 60)
    assert (store.fed(UNSEEN).at, store.fed(UNSEEN).heartbeat) == (None, 10)


@every_store
def test_any_quote_of_a_feed_keeps_its_quiet_symbols_alive(make):
    store = make()
    store.put("terminal", [quote()], 10, START)
    store.put("terminal", [quote(8, symbol=OTHER)], 10, START + timedelta(seconds=8))
    assert store.fed(SYMBOL).at == START + timedelta(seconds=8)


@every_store
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seconds=st.lists(st.integers(min_value=0, max_value=20)), part=st.integers(1, 5))
def test_times_strictly_rise_and_reading_in_parts_reads_the_same(make, seconds, part):
    store, mark, read = make(), START - timedelta(days=1), []
    stamps = sorted(seconds)
    for first in range(0, len(stamps), part):
        store.put(
            "terminal", [quote(second) for second in stamps[first : first + part]], 10, START
        )
        news = store.since({SYMBOL: mark}).get(SYMBOL, ())
        read += [arrival.quote.time for arrival in news]
        mark = news[-1].at
    assert len(read) == len(stamps)
    assert all(before < after for before, after in pairwise(read))
    assert [time.replace(microsecond=0) for time in read] == [
        quote(second).time for second in stamps
    ]
    assert KEPT == 64


# --- what the durable ones promise besides ------------------------------------------------------

NAIVE = datetime(2020, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
prices_of_quotes = st.integers(0, 10_000_000).map(lambda units: Decimal(units).scaleb(-4))
limits = st.none() | prices_of_quotes
levels = st.lists(
    st.builds(
        Level, st.integers(1, 10_000_000).map(Decimal), st.integers(min_value=1, max_value=2**40)
    ),
    max_size=5,
).map(tuple)
quotes = st.builds(
    Quote,
    symbol=st.just(SYMBOL),
    time=st.datetimes(NAIVE, NAIVE.replace(year=2040), timezones=st.just(CHINA)),
    last=prices_of_quotes,
    previous_close=prices_of_quotes,
    open=prices_of_quotes,
    high=prices_of_quotes,
    low=prices_of_quotes,
    volume=st.integers(min_value=0, max_value=2**50),
    amount=st.integers(min_value=0, max_value=2**60).map(lambda units: Decimal(units).scaleb(-4)),
    bids=levels,
    asks=levels,
    status=st.sampled_from(BookStatus),
    limit_up=limits,
    limit_down=limits,
    fresh_for=st.integers(1, 86_400),
)


def packed_and_back(original):
    batch = Stamper(Kept()).stamp("terminal", [original], 10, START)
    assert batch is not None
    return quote_of(SYMBOL, batch.records[0].packed)


@pytest.mark.fast
@given(quotes)
def test_a_packed_quote_comes_back_exactly(original):
    assert packed_and_back(original) == original


@pytest.mark.fast
def test_levels_beyond_the_fifth_are_cut_and_a_finer_price_is_rounded():
    ten = tuple(Level(Decimal(10 - number), 100) for number in range(10))
    original = replace(quote(), bids=ten, last=Decimal("10.00005"))
    packed = packed_and_back(original)
    assert packed.bids == ten[:5]
    assert packed.last == Decimal("10.0001")


@every_durable_store
def test_another_process_reads_what_was_written(make):
    writer, reader = make("shared"), make("shared")
    full = replace(quote(0, 10), asks=(Level(Decimal("10.01"), 300),), limit_up=Decimal("11.00"))
    writer.put("terminal", [full], 10, START)
    assert reader.latest([SYMBOL, UNSEEN]) == {SYMBOL: full}
    writer.put("terminal", [quote(3, 11)], 10, START + timedelta(seconds=3))
    assert prices(reader, START) == [11]
    assert reader.fed(SYMBOL).at in (START, START + timedelta(seconds=3))


@every_durable_store
def test_a_writer_that_starts_again_goes_on_where_it_was_whatever_its_clock_says(make):
    make("shared").put("terminal", [quote(3, 10)], 10, START)
    again = make("shared")
    mark = again.since({SYMBOL: START - timedelta(days=1)})[SYMBOL][-1].at
    again.put("bars", [quote(0, 9), quote(3, 11)], 60, START - timedelta(hours=1))
    arrivals = again.since({SYMBOL: mark})[SYMBOL]
    assert [int(arrival.quote.last) for arrival in arrivals] == [11]
    assert arrivals[0].at > mark
    assert arrivals[0].quote.time == START + timedelta(seconds=3, microseconds=1)
    assert again.fed(SYMBOL).heartbeat == 60


@every_durable_store
@pytest.mark.parametrize("behind", [0, 1, 2, 5, 6, 40, 63])
def test_a_reader_that_is_behind_gets_all_it_missed(make, behind):
    store = make()
    for second in range(70):
        store.put("terminal", [quote(second, second + 1)], 10, START + timedelta(seconds=second))
    mark = START + timedelta(seconds=69 - behind)
    assert prices(store, mark) == list(range(71 - behind, 71))


@every_durable_store
def test_a_store_that_was_cleared_takes_an_earlier_day(make):
    store = make()
    store.put("terminal", [quote(3, 10)], 10, START)
    store.clear()
    assert store.latest([SYMBOL]) == {}
    store.put("terminal", [quote(0, 9)], 10, START - timedelta(days=1))
    assert prices(store, START - timedelta(days=2)) == [9]


@every_durable_store
def test_f149_a_reader_sees_whole_batches_while_they_are_written(make):
    writer, reader = make("shared"), make("shared", reads=True)
    symbols = [Symbol(f"{600000 + number}.SH") for number in range(40)]
    batches = 60

    def write():
        for number in range(batches + 1):
            now = START + timedelta(seconds=number)
            quotes = [quote(number, max(number, 1), symbol) for symbol in symbols]
            writer.put("terminal", quotes, 10, now)

    marks = dict.fromkeys(symbols, START)
    read: list[int] = []
    ends = time.monotonic() + 60
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while (not read or read[-1] < batches) and time.monotonic() < ends:
            if writing.done():
                writing.result()  # what went wrong there ends the wait
            news = reader.since(marks)
            seen = {tuple(int(a.quote.last) for a in news.get(symbol, ())) for symbol in symbols}
            assert len(seen) == 1, "some symbols of a batch were missing"
            read += seen.pop()
            marks = {
                symbol: news[symbol][-1].at if symbol in news else marks[symbol]
                for symbol in symbols
            }
    assert read == list(range(1, batches + 1))


# --- Redis --------------------------------------------------------------------------------------


@pytest.mark.system
@pytest.mark.unattended
def test_after_a_flush_times_still_rise_and_quiet_symbols_are_back(servers, tmp_path):
    address, key = servers("embedded redis"), str(tmp_path)
    store = RedisQuoteStore(address, key)
    store.put("terminal", [quote(0, 10), quote(0, 7, OTHER)], 10, START)
    mark = store.since({SYMBOL: START - timedelta(days=1)})[SYMBOL][-1].at
    with redis.Redis.from_url(address) as client:
        client.flushall()
    store.put("terminal", [quote(3, 11)], 10, START - timedelta(hours=1))
    assert prices(store, mark) == [11]
    assert store.latest([OTHER])[OTHER].last == 7


@pytest.mark.system
@pytest.mark.unattended
def test_what_redis_missed_while_it_was_away_is_there_when_it_is_back(tmp_path):
    file = FileQuoteStore(tmp_path / "quotes.sqlite3", writes=True)
    with embedded_redis(tmp_path) as server:
        port, writer = server.port, SharedQuotes(file, server.url)
        writer.put("terminal", [quote(0, 10), quote(0, 7, OTHER)], 10, START)
        server.process.kill()
        server.process.wait()
    writer.put("terminal", [quote(3, 11)], 10, START + timedelta(seconds=3))
    assert "redis" in writer.problems
    assert [int(q.last) for q in file.latest([SYMBOL]).values()] == [11]
    with embedded_redis(tmp_path, port) as server:
        reader = RedisQuoteStore(server.url)
        assert reader.since({SYMBOL: START - timedelta(days=1)}) == {}
        writer.put("terminal", [quote(6, 12)], 10, START + timedelta(seconds=6))
        assert prices(reader, START - timedelta(days=1)) == [10, 11, 12]
        assert reader.latest([OTHER])[OTHER].last == 7
        assert writer.problems == {}


@pytest.mark.system
@pytest.mark.unattended
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs a signal Windows lacks")
def test_f110_a_redis_that_hangs_is_asked_once_and_then_answered_for_by_the_file(tmp_path):
    clock = [0.0]
    file = FileQuoteStore(tmp_path / "quotes.sqlite3", writes=True)
    with embedded_redis(tmp_path) as server:
        SharedQuotes(file, server.url).put("terminal", [quote(0, 10)], 10, START)
        reader = FallbackQuotes(
            RedisQuoteStore(server.url),
            FileQuoteStore(tmp_path / "quotes.sqlite3"),
            lambda: clock[0],
        )
        assert prices(reader, START - timedelta(days=1)) == [10]
        server.process.send_signal(signal.SIGSTOP)
        try:
            before = time.monotonic()
            for _ in range(20):
                assert prices(reader, START - timedelta(days=1)) == [10]
                assert reader.fed(SYMBOL).at == START
            assert time.monotonic() - before < 0.6
            assert reader.uses_fallback
        finally:
            server.process.send_signal(signal.SIGCONT)
        clock[0] += 3
        assert reader.fed(SYMBOL).heartbeat == 10
        assert not reader.uses_fallback


@pytest.mark.system
@pytest.mark.unattended
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs a signal Windows lacks")
def test_f110_a_redis_that_hangs_does_not_hold_up_the_feeds(tmp_path):
    file = FileQuoteStore(tmp_path / "quotes.sqlite3", writes=True)
    with embedded_redis(tmp_path) as server:
        writer, reader = SharedQuotes(file, server.url), RedisQuoteStore(server.url)
        writer.put("terminal", [quote(0, 1)], 10, START)
        server.process.send_signal(signal.SIGSTOP)
        before = time.monotonic()
        try:
            for second in range(1, 20):
                writer.put("terminal", [quote(second, second + 1)], 10, START)
            assert time.monotonic() - before < 2
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert prices(file, START - timedelta(days=1)) == list(range(1, 21))
        assert writer.problems
        writer._send_at = 0.0  # the pause is over
        writer.put("terminal", [quote(20, 21)], 10, START)
        assert prices(reader, START - timedelta(days=1)) == list(range(1, 22))


@pytest.mark.fast
def test_nothing_is_assumed_when_no_store_answers(tmp_path):
    nowhere = RedisQuoteStore("redis://127.0.0.1:1/0")
    (tmp_path / "quotes.sqlite3").mkdir()
    unreadable = FileQuoteStore(tmp_path / "quotes.sqlite3")
    for reader in (nowhere, unreadable, FallbackQuotes(nowhere, unreadable)):
        with pytest.raises(GatewayUnavailable):
            reader.since({SYMBOL: START})
    writer = SharedQuotes(FileQuoteStore(tmp_path / "quotes.sqlite3", writes=True), "")
    with pytest.raises(GatewayUnavailable):
        writer.put("terminal", [quote()], 10, START)


# --- the file -----------------------------------------------------------------------------------


@pytest.mark.fast
@pytest.mark.skipif(os.name == "nt", reason="nobody overwrites there what somebody has open")
def test_a_reader_may_be_there_before_the_file_and_survives_its_replacement(tmp_path):
    path = tmp_path / "quotes.sqlite3"
    reader = FileQuoteStore(path)
    assert (reader.latest([SYMBOL]), reader.fed(SYMBOL).at) == ({}, None)
    writer = FileQuoteStore(path, writes=True)
    writer.put("terminal", [quote(0, 10)], 10, START)
    assert prices(reader, START - timedelta(days=1)) == [10]
    writer.close()
    for leftover in tmp_path.iterdir():
        leftover.write_bytes(b"what a power cut left behind" * 500)
    FileQuoteStore(path, writes=True).put("terminal", [quote(3, 11)], 10, START)
    assert prices(reader, START - timedelta(days=1)) == [11]


@pytest.mark.fast
def test_a_file_that_is_locked_is_not_taken_for_a_damaged_one(tmp_path):
    path = tmp_path / "quotes.sqlite3"
    before = FileQuoteStore(path, writes=True)
    before.put("terminal", [quote(0, 10)], 10, START)
    before.close()
    again = FileQuoteStore(path, writes=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as somebody:
        somebody.execute("PRAGMA locking_mode=EXCLUSIVE")
        somebody.execute("BEGIN EXCLUSIVE")
        with pytest.raises(GatewayUnavailable, match="locked"):
            again.kept()
    again.put("terminal", [quote(3, 11)], 10, START + timedelta(seconds=3))
    assert prices(again, START - timedelta(days=1)) == [10, 11]


@pytest.mark.system
@pytest.mark.unattended
def test_a_writer_killed_while_it_writes_leaves_whole_batches(tmp_path):
    path = tmp_path / "quotes.sqlite3"
    process = subprocess.Popen([sys.executable, "-c", ENDLESS_WRITER, str(path)])
    reader = FileQuoteStore(path)
    deadline = time.monotonic() + 10
    while not reader.latest([SYMBOL]) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    process.kill()
    process.wait()
    found = reader.latest([SYMBOL, OTHER])
    assert found[SYMBOL].last == found[OTHER].last > 0
    again = FileQuoteStore(path, writes=True)
    again.put("terminal", [quote(10**6, 5)], 10, START)
    assert prices(again, START + timedelta(days=-1))[-1] == 5


ENDLESS_WRITER = """
import sys
from datetime import timedelta
from pathlib import Path
from tests.contract.test_quote_stores import OTHER, START, SYMBOL, quote
from trading.market_data.file_store import FileQuoteStore

store = FileQuoteStore(Path(sys.argv[1]), writes=True)
for number in range(1, 100_000):
    now = START + timedelta(seconds=number)
    store.put("terminal", [quote(number, number, symbol) for symbol in (SYMBOL, OTHER)], 10, now)
"""
