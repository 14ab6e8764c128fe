"""The console under many viewers: requests a second, quote to browser, and what idle viewers cost.

The web server alone, as `up` starts it (uvicorn, one process), on a database with so many holdings and quotes in the
embedded Redis; the clients share the machine with it. *board*: so many clients ask for the whole board one request
after the other, no ETag, while nothing changes; the samples are one request each. *quote → viewer*: so many viewers
hold the stream open; every one to three seconds all holdings get a new price, and the samples are the milliseconds from the
moment it is written until each viewer has read, and unpacked, the whole event that carries it. *idle*: the same viewers
while nothing changes; the samples are percents of a core. *tick beside viewers*: strategy ticks of a process of their own
(tests/benchmarks/ticking.py), each after new prices of all holdings; a round of them with the viewers, a round without, in
turn, so that whatever else the machine does meets both. Linux only.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from monitoring.child_process import yield_to_others
from tests.benchmarks.ground import Ground, wait_for
from tests.benchmarks.measured import Case, Target, percentile
from tests.benchmarks.strategy_tick import CENT, COST, HoldingAccount, Market
from tests.benchmarks.ticking import Ticking, ticking
from tests.benchmarks.whole_stack import PROC, ROOT, Usage, need_proc, stop, usage_of
from tests.redis_servers import embedded_redis
from trading.services.clock import DEMO, Clock, market_at, read_clocks, set_clock


@dataclass(frozen=True)
class Parameters:
    holdings: tuple[int, ...] = (100, 1_000)
    clients: tuple[int, ...] = (1, 20)
    requests: int = 20
    viewers: int = 200
    quotes: int = 10
    idle: float = 10.0
    pairs: int = 6
    ticks: int = 25


PARAMETERS = Parameters()
QUICK = Parameters(
    holdings=(3,), clients=(2,), requests=2, viewers=3, quotes=1, idle=1.0, pairs=1, ticks=2
)

#: Milliseconds of one request with one client, requests a second with twenty (at 100 holdings), milliseconds to a
#: browser.
P50 = {100: 30.0, 1_000: 150.0}
REQUESTS, TO_BROWSER = 100.0, 1000.0
#: The p99 of a tick beside viewers, in that of one without.
TICK_RATIO = 1.1
MOST = 64 * 1024 * 1024
PATIENCE = 30.0


def run(ground: Ground, parameters: Parameters) -> Iterator[Case]:
    need_proc()
    with embedded_redis(ground.home.parent) as redis:
        for count in parameters.holdings:
            ground.fresh()
            market = Market(ground.home, redis.url, count)
            account = HoldingAccount(market)
            set_clock(DEMO, timezone.now(), market.now)
            account.prepare(market.now + timedelta(hours=1))
            market.tell([market.quote(symbol, COST) for symbol in market.symbols])
            try:
                with web_server(redis.url) as (web, port):
                    visit = _Visit(port, _session())
                    yield from _cases(market, web, visit, count, parameters)
                    with ticking(redis.url, count) as ticks:
                        yield asyncio.run(_beside(ticks, visit, count, parameters))
            finally:
                market.close()


def _cases(
    market: Market, web: int, visit: _Visit, count: int, parameters: Parameters
) -> Iterator[Case]:
    clock = read_clocks()[DEMO]
    asyncio.run(visit.ask(2))  # warm
    for clients in parameters.clients:
        began, times = time.perf_counter(), asyncio.run(_ask(visit, clients, parameters.requests))
        rate = len(times) / (time.perf_counter() - began)
        p50 = percentile(times, 50)
        targets = [Target("p50", p50, P50[count])] if clients == 1 and count in P50 else []
        if clients == 20 and count == 100:
            targets.append(Target("a hundred requests take, s", 100 / rate, 100 / REQUESTS))
        yield Case(
            f"board, {count} holdings, {clients} clients",
            times,
            facts={"requests/s": rate, "KB": visit.size / 1024},
            targets=targets,
        )
    yield from asyncio.run(_watch(market, clock, web, visit, count, parameters))


async def _ask(visit: _Visit, clients: int, requests: int) -> list[float]:
    found = await asyncio.gather(*(visit.ask(requests) for _ in range(clients)))
    return [one for times in found for one in times]


async def _watch(
    market: Market, clock: Clock, web: int, visit: _Visit, count: int, parameters: Parameters
) -> list[Case]:
    alone = await _Viewer.who_reads(visit)
    percent_of_one, before = await _rest(web, parameters.idle)
    viewers = [alone, *[await _Viewer.who_reads(visit) for _ in range(parameters.viewers - 1)]]
    percent, idle = await _rest(web, parameters.idle)
    name = f"{parameters.viewers} viewers, {count} holdings"
    cases = [
        Case(
            f"idle, {name}",
            [percent],
            "% of a core",
            facts={
                "with one viewer": percent_of_one,
                "KB a viewer": (idle.memory - before.memory) * 1024 / len(viewers),
                "threads": len(list((PROC / str(web) / "task").iterdir())),
            },
        )
    ]
    times: list[float] = []
    size, began, before = 0, 0.0, idle
    for number in range(parameters.quotes + 1):
        if number == 1:  # the first one ended the age that all prices showed: every row was told
            times, size, began = [], sum(one.size for one in viewers), time.perf_counter()
            before = used_by(web)
        price = COST + CENT * (number + 1)
        market.now = market_at(clock, timezone.now())
        quotes = [market.quote(symbol, price) for symbol in market.symbols]
        written = time.perf_counter()
        market.tell(quotes)
        waits = [asyncio.create_task(one.reads(_shown(price))) for one in viewers]
        times += [(await wait - written) * 1000 for wait in waits]
        # At another moment between two looks each time.
        pause = 1.5 + number * 0.37 % 1
        await asyncio.sleep(max(0.0, pause - (time.perf_counter() - written)))
    passed, after = time.perf_counter() - began, used_by(web)
    told = sum(one.size for one in viewers) - size
    for viewer in viewers:
        viewer.close()
    return [
        *cases,
        Case(
            f"quote → viewer, {name}",
            times,
            facts={
                "CPU %": (after.cpu - before.cpu) * 100 / passed,
                "KB a quote and viewer": told / 1024 / len(viewers) / parameters.quotes,
            },
            targets=[Target("p99", percentile(times, 99), TO_BROWSER)],
        ),
    ]


async def _beside(ticks: Ticking, visit: _Visit, count: int, parameters: Parameters) -> Case:
    """Measure rounds of ticks with viewers and without, in turn; the order within a pair changes."""
    loop = asyncio.get_running_loop()
    found: dict[bool, list[float]] = {True: [], False: []}
    await loop.run_in_executor(None, ticks.run, 3)  # warm
    for pair in range(parameters.pairs):
        for watched in (True, False) if pair % 2 else (False, True):
            wanted = parameters.viewers * watched
            who = await asyncio.gather(*(_Viewer.who_reads(visit) for _ in range(wanted)))
            found[watched] += await loop.run_in_executor(None, ticks.run, parameters.ticks)
            for viewer in who:
                viewer.close()
    with_viewers, without = found[True], found[False]
    ratio = percentile(with_viewers, 99) / percentile(without, 99)
    return Case(
        f"tick beside {parameters.viewers} viewers, {count} holdings",
        with_viewers,
        facts={
            "p50 without": percentile(without, 50),
            "p99 without": percentile(without, 99),
            "ratio of p50": percentile(with_viewers, 50) / percentile(without, 50),
        },
        targets=[Target("ratio of p99", ratio, TICK_RATIO)],
    )


async def _rest(web: int, seconds: float) -> tuple[float, Usage]:
    """Let time pass; return what percent of a core the server used in it, and all it has used at the end."""
    before, began = used_by(web), time.perf_counter()
    await asyncio.sleep(seconds)
    after = used_by(web)
    return (after.cpu - before.cpu) * 100 / (time.perf_counter() - began), after


def used_by(web: int) -> Usage:
    used = usage_of(web)
    assert used is not None
    return used


def _shown(price: Decimal) -> str:
    return f"<b>{price:.2f}</b>"


class _Viewer:
    """One line of the stream. `size`: bytes read so far, as they travel."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self.size = reader, writer, 0
        self._gzip = zlib.decompressobj(wbits=31)
        self._newest, self._at, self._news = b"", 0.0, asyncio.Event()
        self._line = asyncio.create_task(self._listen())

    @classmethod
    async def who_reads(cls, visit: _Visit) -> _Viewer:
        """Open the stream and read everything once."""
        viewer = cls(*await visit.stream())
        await viewer.reads("<")
        return viewer

    async def _listen(self) -> None:
        while True:
            length = int(await self._reader.readuntil(b"\r\n"), 16)
            text = self._gzip.decompress((await self._reader.readexactly(length + 2))[:length])
            self.size += length
            if b"event: board" in text:
                self._newest, self._at = text, time.perf_counter()
                self._news.set()

    async def reads(self, words: str) -> float:
        """Return when an event with these words had been read."""
        async with asyncio.timeout(PATIENCE):
            while words.encode() not in self._newest:
                self._news.clear()
                await self._news.wait()
        return self._at

    def close(self) -> None:
        self._line.cancel()
        self._writer.close()


class _Visit:
    """Somebody who may look. `size`: bytes of the last board."""

    def __init__(self, port: int, session: str) -> None:
        self._port, self._session, self.size = port, session, 0

    async def ask(self, times: int) -> list[float]:
        """Ask for the whole board on one line, again and again; return the milliseconds of each."""
        reader, writer = await self._open()
        found = []
        for _ in range(times):
            began = time.perf_counter()
            self._send(writer, "/board/")
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head.partition(b"\r\n")[0], head
            [size] = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
            self.size = int(size.partition(b":")[2])
            await reader.readexactly(self.size)
            found.append((time.perf_counter() - began) * 1000)
        writer.close()
        return found

    async def stream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self._open()
        self._send(writer, "/stream/", "Accept-Encoding: gzip\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.partition(b"\r\n")[0], head
        return reader, writer

    def _send(self, writer: asyncio.StreamWriter, path: str, more: str = "") -> None:
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: sessionid={self._session}"
        writer.write(f"{head}\r\n{more}\r\n".encode())

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port, limit=MOST)


def _session() -> str:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("benchmark"))
    return client.cookies["sessionid"].value


@contextmanager
def web_server(redis: str) -> Iterator[tuple[int, int]]:
    """Run the web server; give its process and its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "miniqmt.asgi:application"),
            *("--port", str(port), "--lifespan", "off", "--no-access-log"),
            *("--log-level", "error", "--timeout-graceful-shutdown", "1"),
        ],
        cwd=ROOT,
        # The key of this process, which signs the session: the file went with the last data directory.
        env={**os.environ, "REDIS_URL": redis, "DJANGO_SECRET_KEY": settings.SECRET_KEY},
        stdin=subprocess.DEVNULL,
    )
    yield_to_others(process.pid)
    try:
        wait_for(partial(_answers, port), PATIENCE, "the web server's start")
        yield process.pid, port
    finally:
        stop(process)


def _answers(port: int) -> bool:
    with socket.socket() as line:
        line.settimeout(1)
        return line.connect_ex(("127.0.0.1", port)) == 0
