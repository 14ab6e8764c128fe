"""One connection to a TDX server, through the wire client of mootdx (tdxpy).

mootdx's own `Quotes` is not used: it wants `config.json` in the home folder and, without one, tries dozens of public
servers before it opens the server it was given; it keeps that server for the whole process; it returns an empty table
for every failure; and two threads on one of it get each other's rows. The client below it has none of this, once its
time-out is one of a whole call: by itself it starts anew with every byte.

Nothing is imported before a connection is opened: the library loads pandas.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from trading.domain.types import Symbol
from trading.errors import GatewayUnavailable
from trading.market_data.mootdx_codes import INDEX, on_the_wire

Row = Mapping[str, Any]

#: Symbols of one request, bars and transactions of one answer, as the protocol allows.
QUOTES_AT_ONCE, BARS_AT_ONCE, TRANSACTIONS_AT_ONCE = 80, 800, 2000
#: Kinds of bars.
FIVE_MINUTES, MINUTE, DAY = 0, 8, 9
#: Seconds to connect, and seconds for a whole request and its answer.
TO_CONNECT, TO_ANSWER = 2.0, 4.0


class Address(NamedTuple):
    """Where a server listens: an IPv4 address and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class QuoteRow(NamedTuple):
    """One row of quotes and the factor the library multiplied its prices with, to be taken out again."""

    symbol: Symbol
    fields: Row
    factor: float


class TdxClient:
    """An open connection. Every method raises GatewayUnavailable, and is then closed: what came later would be
    the answer to an earlier question. To be used by one thread.
    """

    def __init__(
        self, address: Address, to_connect: float = TO_CONNECT, to_answer: float = TO_ANSWER
    ) -> None:
        self.address, self._to_answer = address, to_answer
        self._socket: _Bounded | None = None
        self._api = _library()
        # The library sends its three greetings while it connects; they get a deadline too.
        self._api.need_setup = False
        try:
            self._api.connect(*address, time_out=to_connect)
        except Exception as error:
            self.close()
            raise GatewayUnavailable(f"{address}: {_cause(error)}") from error
        self._socket = self._api.client = _Bounded(self._api.client)
        self._call(self._api.setup)

    def close(self) -> None:
        """Close the socket; safe to call twice. The library's own way leaves it open when the server has gone."""
        there, self._api.client = self._api.client, None
        if there is not None:
            there.close()

    def day(self) -> date:
        """Return the session the server is at: the date of the index's last daily bar."""
        rows = self._call(lambda: self._api.get_index_bars(DAY, *INDEX, 0, 1))
        if not rows:
            raise self._broken("no daily bar of the index")
        try:
            return date(rows[-1]["year"], rows[-1]["month"], rows[-1]["day"])
        except ValueError as error:
            raise self._broken(f"a daily bar without a date: {error}") from error

    def quotes(self, symbols: Sequence[Symbol]) -> list[QuoteRow]:
        """Return the quotes of at most 80 symbols that are covered; a symbol the server does not know is absent."""
        asked = {on_the_wire(symbol): symbol for symbol in symbols}
        rows = self._call(lambda: self._api.get_security_quotes(list(asked)))
        if not rows:
            raise self._broken(f"an empty answer for {len(asked)} symbols")
        found = []
        for row in rows:
            key = (row["market"], row["code"])
            symbol = asked.pop(key, None)
            if symbol is None:
                raise self._broken(f"a row of {key[1]} that was not asked for, or twice")
            found.append(QuoteRow(symbol, row, _factor(*key)))
        return found

    def bars(self, symbol: Symbol, kind: int, start: int, count: int) -> Sequence[Row]:
        """Return at most `count` (≤ 800) bars, oldest first, the last of them `start` bars before the newest."""
        where = on_the_wire(symbol)
        return self._rows(lambda: self._api.get_security_bars(kind, *where, start, count), count)

    def minutes(self, symbol: Symbol, on: date) -> Sequence[Row]:
        """Return price and volume of each minute of a session, 240 of them when it is over."""
        where = on_the_wire(symbol)
        return self._rows(
            lambda: self._api.get_history_minute_time_data(*where, int(f"{on:%Y%m%d}")), 240
        )

    def transactions(
        self, symbol: Symbol, on: date | None, start: int, count: int
    ) -> Sequence[Row]:
        """Return at most `count` (≤ 2000) transactions of a past session, or of today's (None), oldest first.

        The last of them lies `start` before the newest.
        """
        where = on_the_wire(symbol)
        if on is None:
            return self._rows(lambda: self._todays(*where, start, count), count)
        day = int(f"{on:%Y%m%d}")
        return self._rows(
            lambda: self._api.get_history_transaction_data(*where, start, count, day), count
        )

    def factor(self, symbol: Symbol) -> float:
        """Return what the library multiplies this symbol's prices with, except in bars and transactions."""
        return _factor(*on_the_wire(symbol))

    def _todays(self, market: int, code: str, start: int, count: int) -> Any:
        """Ask as the library does, which first looks at the machine's clock, in the machine's zone."""
        from tdxpy.parser.std.get_transaction_data import GetTransactionData

        command = GetTransactionData(self._api.client)
        command.setParams(market, code, start, count)
        return command.call_api()

    def _rows(self, request: Callable[[], Any], most: int) -> Sequence[Row]:
        rows = self._call(request)
        if not isinstance(rows, list) or len(rows) > most:
            raise self._broken("an answer to another question")
        return rows

    def _call(self, request: Callable[[], Any]) -> Any:
        """Ask within the deadline. An answer that says it is longer or shorter than it is ends here too."""
        if self._socket is None:
            raise GatewayUnavailable(f"{self.address}: closed")
        self._socket.deadline = time.monotonic() + self._to_answer
        try:
            return request()
        except Exception as error:  # the library raises exceptions of any type
            raise self._broken(_cause(error)) from error

    def _broken(self, what: str) -> GatewayUnavailable:
        self.close()
        self._socket = None
        return GatewayUnavailable(f"{self.address}: {what}")


class _Bounded:
    """The library's socket with one deadline for a whole answer, however slowly it drips in."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self.deadline = 0.0

    def send(self, data: bytes) -> int:
        self._set_timeout()
        sent: int = self._socket.send(data)
        return sent

    def recv(self, size: int) -> bytes:
        self._set_timeout()
        received: bytes = self._socket.recv(size)
        return received

    def _set_timeout(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no whole answer in time")
        self._socket.settimeout(left)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


def _library() -> Any:
    from tdxpy.hq import TdxHq_API

    # It prints an error for every quote of a fund that its table of factors lacks.
    logging.getLogger("tdxpy").setLevel(logging.CRITICAL)
    return TdxHq_API(heartbeat=False, auto_retry=False, raise_exception=True)


def _factor(market: int, code: str) -> float:
    from tdxpy.helper import get_security_coefficient

    return float(get_security_coefficient(market, code))


def _cause(error: Exception) -> str:
    """Return what really happened: the library hides it in "calling function error" and "other errors"."""
    cause = getattr(error, "original_exception", None) or error.__context__ or error
    return f"{type(cause).__name__}: {cause}"
