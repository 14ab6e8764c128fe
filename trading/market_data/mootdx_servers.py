"""Several TDX servers as one: the one that is at the newest day and answers fastest, another one when it fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Address
from typing import NamedTuple

from django.conf import settings

from trading.errors import ConfigError, GatewayUnavailable
from trading.market_data.mootdx_client import Address, TdxClient

#: Seconds a server that failed is left alone: 2, 4, 8 … as long as it goes on failing.
FIRST_REST, LONGEST_REST = 2.0, 60.0
#: Servers that must have answered before one is chosen; more are not asked.
ENOUGH = 5
#: Seconds after which no further server is tried in one choice; who was not, is first in the next.
TO_CHOOSE = 5.0


class ServerHealth(NamedTuple):
    """What is known of a server. `latency`: seconds of one question, None = it has not answered yet."""

    address: Address
    in_use: bool
    latency: float | None
    day: date | None
    failures: int
    problem: str


@dataclass(slots=True)
class _Server:
    address: Address
    latency: float | None = None
    day: date | None = None
    failures: int = 0  # in a row
    not_before: float = float("-inf")
    problem: str = ""

    def rest(self, problem: str, at: float) -> None:
        self.failures += 1
        self.problem = problem
        self.not_before = at + min(FIRST_REST * 2 ** min(self.failures - 1, 10), LONGEST_REST)

    def order(self) -> tuple[float, float]:
        """Where it stands among the servers that may be asked: who failed least, then who answered fastest."""
        return self.failures, self.latency if self.latency is not None else float("inf")


class Servers:
    """A choice of servers, of which one connection is open at most. To be used by one thread, but for `health`.

    `addresses` is asked once, when the first connection is wanted. Raises GatewayUnavailable.
    """

    def __init__(
        self,
        addresses: Callable[[], Sequence[Address]],
        connect: Callable[[Address], TdxClient] = TdxClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addresses, self._connect, self._clock = addresses, connect, clock
        self._servers: tuple[_Server, ...] = ()
        self._current: tuple[_Server, TdxClient] | None = None

    def client(self) -> TdxClient:
        """Return the open connection, or choose a server and open one. Raises GatewayUnavailable."""
        if self._current is None:
            self._current = self._choose()
        return self._current[1]

    def failed(self, problem: str) -> None:
        """Leave the server in use alone for a while."""
        if self._current is not None:
            self._current[0].rest(problem, self._clock())
        self.leave()

    def succeeded(self) -> None:
        """Everything asked of the server in use was answered: a connection alone is no proof."""
        if self._current is not None:
            self._current[0].failures, self._current[0].problem = 0, ""

    def leave(self) -> None:
        """Close the connection; the next `client` chooses anew."""
        current, self._current = self._current, None
        if current is not None:
            current[1].close()

    def health(self) -> tuple[ServerHealth, ...]:
        """Return what is known of each server, in the order they were given."""
        current = self._current
        return tuple(
            ServerHealth(
                one.address,
                current is not None and current[0] is one,
                one.latency,
                one.day,
                one.failures,
                one.problem,
            )
            for one in self._servers
        )

    def _choose(self) -> tuple[_Server, TdxClient]:
        self._servers = self._servers or tuple(map(_Server, dict.fromkeys(self._addresses())))
        at = self._clock()
        awake = sorted(
            (one for one in self._servers if one.not_before <= at), key=lambda one: one.order()
        )
        answered: list[tuple[_Server, TdxClient]] = []
        for server in awake:
            client = self._measure(server)
            if client is not None:
                answered.append((server, client))
            if len(answered) == ENOUGH or self._clock() - at >= TO_CHOOSE:
                break
        if not answered:
            raise GatewayUnavailable(self._why_none())
        best = min(answered, key=_newest_then_fastest)
        for server, client in answered:
            if server is not best[0]:
                client.close()
        return best

    def _measure(self, server: _Server) -> TdxClient | None:
        client: TdxClient | None = None
        try:
            client = self._connect(server.address)
            before = self._clock()
            server.day = client.day()
        except GatewayUnavailable as problem:
            server.rest(str(problem), self._clock())
            return None
        server.latency = self._clock() - before
        return client

    def _why_none(self) -> str:
        if not self._servers:
            return "no TDX server is set"
        told = [one.problem for one in self._servers if one.problem]
        more = f" (and {len(told) - 3} more)" if len(told) > 3 else ""
        return f"no TDX server answers: {'; '.join(told[:3])}{more}"


def _newest_then_fastest(answered: tuple[_Server, TdxClient]) -> tuple[int, float]:
    server = answered[0]
    day, latency = server.day, server.latency
    return -(day.toordinal() if day else 0), latency if latency is not None else float("inf")


def servers_of_settings(addresses: Sequence[str] | None = None) -> Servers:
    """Return the servers of MINIQMT_MOOTDX_SERVERS, or these "host:port"; mootdx's own list when there are none.

    Raises ConfigError when one is no IPv4 address with a port: the library takes no names.
    """
    given = settings.MINIQMT_MOOTDX_SERVERS if addresses is None else addresses
    parsed = [_address(text) for text in given]
    return Servers((lambda: parsed) if parsed else _of_the_library)


def _address(text: str) -> Address:
    host, _, port = text.strip().rpartition(":")
    try:
        return Address(str(IPv4Address(host)), int(port))
    except ValueError:
        expected = "an address such as 192.0.2.7:7709 / 应为 IP:端口"
        raise ConfigError(f"MINIQMT_MOOTDX_SERVERS: {text!r}, expected {expected}") from None


def _of_the_library() -> Sequence[Address]:
    try:
        # The package makes a folder in the home of its user when it is imported.
        from mootdx.consts import HQ_HOSTS
    except (ImportError, OSError) as problem:
        raise GatewayUnavailable(f"mootdx cannot be imported: {problem}") from problem
    return [Address(host, int(port)) for _, host, port in HQ_HOSTS]
