"""The JSON API's holdings: milliseconds of a request, requests a second of many clients.

The web server alone, as `up` starts it (uvicorn, one process), on a database with so many holdings and quotes in the
embedded Redis; the clients share the machine with it. *asked anew*: one client asks more than a second after the last
request, so that the console's value is built and the answer written for it. *N clients*: each with a token of its own asks
one request after the other, no ETag; those of one second share value and bytes. *session*: the same with a cookie.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from monitoring.services.api_tokens import Scope, create
from tests.benchmarks.console_live import MOST, P50, REQUESTS, used_by, web_server
from tests.benchmarks.ground import Ground
from tests.benchmarks.measured import Case, Target, percentile
from tests.benchmarks.strategy_tick import COST, HoldingAccount, Market
from tests.benchmarks.whole_stack import need_proc
from tests.redis_servers import embedded_redis
from trading.services.clock import DEMO, set_clock


@dataclass(frozen=True)
class Parameters:
    holdings: tuple[int, ...] = (100, 1_000)
    clients: tuple[int, ...] = (1, 20)
    requests: int = 60
    anew: int = 8


PARAMETERS = Parameters()
QUICK = Parameters(holdings=(3,), clients=(2,), requests=2, anew=1)
PATH = "/api/v1/holdings"


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
            user = get_user_model().objects.create_superuser("benchmark")
            try:
                with web_server(redis.url) as (web, port):
                    yield from _cases(user, web, port, count, parameters)
            finally:
                market.close()


def _cases(user: User, web: int, port: int, count: int, parameters: Parameters) -> Iterator[Case]:
    tokens = [f"Authorization: Bearer {_token(user)}" for _ in range(max(parameters.clients) + 1)]
    asyncio.run(_ask(port, tokens[:1], 2))  # warm
    times: list[float] = []
    before = used_by(web)
    for _ in range(parameters.anew):
        time.sleep(1.1)
        times += asyncio.run(_ask(port, tokens[:1], 1))
    cpu = (used_by(web).cpu - before.cpu) * 1000 / parameters.anew
    yield Case(
        f"asked anew, {count} holdings",
        times,
        facts={"CPU ms a request": cpu},
        targets=_p50(times, count),
    )
    for clients in parameters.clients:
        yield _case(f"{clients} clients", port, tokens[1 : clients + 1], count, parameters)
    yield _case("session", port, [f"Cookie: sessionid={_session(user)}"], count, parameters)


def _case(
    name: str, port: int, callers: Sequence[str], count: int, parameters: Parameters
) -> Case:
    began, times = time.perf_counter(), asyncio.run(_ask(port, callers, parameters.requests))
    rate = len(times) / (time.perf_counter() - began)
    targets = _p50(times, count) if len(callers) == 1 else []
    if len(callers) == 20 and count == 100:
        targets.append(Target("a hundred requests take, s", 100 / rate, 100 / REQUESTS))
    return Case(f"{name}, {count} holdings", times, facts={"requests/s": rate}, targets=targets)


def _p50(times: Sequence[float], count: int) -> list[Target]:
    return [Target("p50", percentile(times, 50), P50[count])] if count in P50 else []


async def _ask(port: int, callers: Sequence[str], requests: int) -> list[float]:
    found = await asyncio.gather(*(_one(port, caller, requests) for caller in callers))
    return [one for times in found for one in times]


async def _one(port: int, caller: str, requests: int) -> list[float]:
    """Ask again and again on one line; return the milliseconds of each request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=MOST)
    found = []
    for _ in range(requests):
        began = time.perf_counter()
        writer.write(f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{caller}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.partition(b"\r\n")[0], head
        [size] = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
        await reader.readexactly(int(size.partition(b":")[2]))
        found.append((time.perf_counter() - began) * 1000)
    writer.close()
    return found


def _token(user: User) -> str:
    _, secret = create(user, "benchmark", [Scope.READ], timedelta(days=1), timezone.now())
    return secret


def _session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value
