"""A server on the loopback that speaks the TDX protocol, for the real client of mootdx; it can be told to misbehave.

with TdxServer() as server:
    server.show([quote, …])                        # the market it quotes; `day`, `bars`, … are plain attributes
    server.how["quotes"] = How.HALF_BODY           # from now on every answer to a question for quotes
    server.lie = lambda quote: replace(quote, …)   # what it says instead of what is
"""

from __future__ import annotations

import socketserver
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from trading.domain.types import Level, Quote, Symbol
from trading.market_data.mootdx_codes import INDEX, MARKETS, on_the_wire, units

COMMANDS = {
    0x000D: "greeting",
    0x0FDB: "greeting",
    0x053E: "quotes",
    0x052D: "bars",
    0x0FB4: "minutes",
    0x0FC5: "transactions",
    0x0FB5: "past_transactions",
}


class How(Enum):
    """How an answer is given."""

    WELL = "as it should be"
    PACKED = "compressed"
    SILENT = "never"
    SLOW = "after `slow` seconds"
    DRIP = "byte by byte, `slow` seconds apart"
    HALF_HEAD = "half a head, then closed"
    HALF_BODY = "half a body, then closed"
    TOO_LONG = "the head promises more than comes"
    TOO_SHORT = "the head promises less than comes"
    GARBAGE = "as many bytes of nonsense"
    BAD_ZIP = "said to be compressed, and is not"
    EMPTY = "no rows"
    CLOSED = "closed instead"


class Bar(NamedTuple):
    """`at`: a date for days, the END of the bar for minutes. Volume in the unit the server counts this kind in."""

    at: date | datetime
    open: str
    high: str
    low: str
    close: str
    volume: float
    amount: float


class Sale(NamedTuple):
    """One transaction: minute of the day, price, lots, 0 bought / 1 sold / 2 neither."""

    minute: int
    price: str
    lots: int
    side: int


class TdxServer(socketserver.ThreadingTCPServer):
    """Listens from its creation until it is closed; `asked` counts the requests by name."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Conversation)
        self.day: date = date(2023, 2, 1)
        self.market: dict[tuple[int, str], Quote] = {}
        self.lie: Callable[[Quote], Quote] = lambda quote: quote
        self.bars: dict[tuple[Symbol, int], Sequence[Bar]] = {}
        self.minutes: dict[tuple[Symbol, date], Sequence[tuple[str, int]]] = {}
        self.sales: dict[tuple[Symbol, date], Sequence[Sale]] = {}
        self.how: dict[str, How] = {"quotes": How.PACKED}
        self.slow = 0.05
        self.asked: list[str] = []
        self._open: set[Any] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        host, port = self.server_address[:2]
        return f"{host!s}:{port}"

    def show(self, quotes: Iterable[Quote]) -> None:
        """Quote these; the day is that of the newest."""
        for quote in quotes:
            self.market[on_the_wire(quote.symbol)] = quote
            self.day = max(self.day, quote.time.date())

    def close(self) -> None:
        """End the server and every conversation, as when its machine is switched off."""
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(2)
        self._thread.join(5)

    def __exit__(self, *args: object) -> None:
        self.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is no error."""


class _Conversation(socketserver.BaseRequestHandler):
    server: TdxServer

    def handle(self) -> None:
        self.server._open.add(self.request)
        try:
            while head := self._receive(10):
                payload = self._receive(struct.unpack_from("<H", head, 6)[0])
                name = COMMANDS[struct.unpack_from("<H", payload)[0]]
                self.server.asked.append(name)
                how = self.server.how.get(name, How.WELL)
                body = EMPTY[name] if how is How.EMPTY else ANSWERS[name](self.server, payload)
                if not self._answer(how, body):
                    break
        finally:
            self.server._open.discard(self.request)

    def _receive(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            part = self.request.recv(size - len(got))
            if not part:
                raise ConnectionError
            got += part
        return got

    def _answer(self, how: How, body: bytes) -> bool:
        """Send the answer; False when the conversation is over."""
        if how is How.SLOW:
            time.sleep(self.server.slow)
        pieces, goes_on = MANNERS.get(how, _well)(body)
        for piece in pieces:
            if how is How.DRIP:
                time.sleep(self.server.slow)
            self.request.sendall(piece)
        return goes_on


# --- manners ------------------------------------------------------------------------------------

_Manner = tuple[Sequence[bytes], bool]


def _head(packed: int, unpacked: int) -> bytes:
    return struct.pack("<IIIHH", 0x0074CBB1, 0, 0, packed, unpacked)


def _well(body: bytes) -> _Manner:
    return [_head(len(body), len(body)) + body], True


def _packed(body: bytes) -> _Manner:
    packed = zlib.compress(body)
    if len(packed) == len(body):  # which would say that it is not compressed
        return _well(body)
    return [_head(len(packed), len(body)) + packed], True


def _drip(body: bytes) -> _Manner:
    whole = _head(len(body), len(body)) + body
    return [whole[:16], *(whole[at : at + 1] for at in range(16, len(whole)))], True


MANNERS: dict[How, Callable[[bytes], _Manner]] = {
    How.PACKED: _packed,
    How.SILENT: lambda body: ([], True),
    How.DRIP: _drip,
    How.HALF_HEAD: lambda body: ([_head(len(body), len(body))[:8]], False),
    How.HALF_BODY: lambda body: ([_head(len(body), len(body)) + body[: len(body) // 2]], False),
    How.TOO_LONG: lambda body: ([_head(len(body) + 100, len(body) + 100) + body], True),
    How.TOO_SHORT: lambda body: ([_head(len(body) // 2, len(body) // 2) + body], True),
    How.GARBAGE: lambda body: ([_head(len(body), len(body)) + b"\xff" * len(body)], True),
    How.BAD_ZIP: lambda body: ([_head(len(body), len(body) + 1) + body], True),
    How.CLOSED: lambda body: ([], False),
}


# --- numbers ------------------------------------------------------------------------------------


def signed(value: int) -> bytes:
    """A signed number: six bits and the sign in the first byte, then seven bits a byte, the low ones first."""
    sign, rest = (0x40, -value) if value < 0 else (0, value)
    first, rest = (rest & 0x3F) | sign, rest >> 6
    out = bytearray()
    while rest:
        out.append(first | 0x80)
        first, rest = rest & 0x7F, rest >> 7
    out.append(first)
    return bytes(out)


def numbers(*values: int) -> bytes:
    return b"".join(map(signed, values))


def single(value: float) -> bytes:
    return struct.pack("<f", value) if value else bytes(4)


def clock(at: datetime) -> int:
    """Hour, minute and ten-thousandths of a minute, in decimal digits."""
    seconds = at.second + at.microsecond / 1e6
    return (at.hour * 100 + at.minute) * 10_000 + int(seconds * 10_000 / 60)


def raw(symbol: Symbol, price: Decimal) -> int:
    return int(price / units(symbol)[0])


# --- answers ------------------------------------------------------------------------------------


def _quotes(server: TdxServer, payload: bytes) -> bytes:
    (count,) = struct.unpack_from("<H", payload, 10)
    rows = b""
    known = 0
    for number in range(count):
        market, code = struct.unpack_from("<B6s", payload, 12 + 7 * number)
        quote = server.market.get((market, code.decode()))
        if quote is not None:
            rows += _quote(server.lie(quote))
            known += 1
    return struct.pack("<HH", 0xCBB1, known) + rows


def _quote(quote: Quote) -> bytes:
    market, code = on_the_wire(quote.symbol)
    lot = units(quote.symbol)[1]

    def diff(price: Decimal) -> int:
        return raw(quote.symbol, price) - raw(quote.symbol, quote.last)

    out = struct.pack("<B6sH", market, code.encode(), 1)
    out += numbers(raw(quote.symbol, quote.last))
    out += numbers(*map(diff, (quote.previous_close, quote.open, quote.high, quote.low)))
    out += numbers(clock(quote.time), -raw(quote.symbol, quote.last), quote.volume // lot, 1)
    out += single(float(quote.amount)) + numbers(0, 0, 0, 0)
    nobody = Level(Decimal(0), 0)
    for depth in range(5):
        bid, ask = (
            side[depth] if depth < len(side) else nobody for side in (quote.bids, quote.asks)
        )
        out += numbers(diff(bid.price), diff(ask.price), bid.quantity // lot, ask.quantity // lot)
    return out + struct.pack("<H", 0) + numbers(0, 0, 0, 0) + struct.pack("<hH", 0, 1)


def _bars(server: TdxServer, payload: bytes) -> bytes:
    market, code, kind, _, start, count = struct.unpack_from("<H6sHHHH", payload, 2)
    if (market, code.decode()) == INDEX:
        bars: Sequence[Bar] = [Bar(server.day, "3200", "3210", "3190", "3205", 1e6, 1e9)]
        extra = struct.pack("<HH", 900, 800)
    else:
        bars, extra = server.bars.get((_symbol(market, code), kind), ()), b""
    page = bars[max(len(bars) - start - count, 0) : len(bars) - start]
    out, base = struct.pack("<H", len(page)), 0
    for bar in page:
        opened, high, low, close = (
            int(Decimal(text) * 1000) for text in (bar.open, bar.high, bar.low, bar.close)
        )
        out += _stamp(bar.at)
        out += numbers(opened - base, close - opened, high - opened, low - opened)
        out += single(bar.volume) + single(bar.amount) + extra
        base = close
    return out


def _stamp(at: date | datetime) -> bytes:
    if not isinstance(at, datetime):
        return struct.pack("<I", int(f"{at:%Y%m%d}"))
    day = (at.year - 2004) * 2048 + at.month * 100 + at.day
    return struct.pack("<HH", day, at.hour * 60 + at.minute)


def _minutes(server: TdxServer, payload: bytes) -> bytes:
    on, market, code = struct.unpack_from("<IB6s", payload, 2)
    symbol = _symbol(market, code)
    day = datetime.strptime(str(on), "%Y%m%d").date()  # noqa: DTZ007 - a date
    rows = server.minutes.get((symbol, day), ())
    out, base = struct.pack("<HI", len(rows), 0), 0
    for price, lots in rows:
        at = raw(symbol, Decimal(price))
        out += numbers(at - base, 0, lots)
        base = at
    return out


def _todays_sales(server: TdxServer, payload: bytes) -> bytes:
    market, code, start, count = struct.unpack_from("<H6sHH", payload, 2)
    symbol = _symbol(market, code)
    page = _page(server.sales.get((symbol, server.day), ()), start, count)
    return struct.pack("<H", len(page)) + _sales(symbol, page, numbered=True)


def _past_sales(server: TdxServer, payload: bytes) -> bytes:
    on, market, code, start, count = struct.unpack_from("<IH6sHH", payload, 2)
    symbol = _symbol(market, code)
    day = datetime.strptime(str(on), "%Y%m%d").date()  # noqa: DTZ007 - a date
    page = _page(server.sales.get((symbol, day), ()), start, count)
    return struct.pack("<HI", len(page), 0) + _sales(symbol, page, numbered=False)


def _page(rows: Sequence[Sale], start: int, count: int) -> Sequence[Sale]:
    return rows[max(len(rows) - start - count, 0) : len(rows) - start]


def _sales(symbol: Symbol, page: Sequence[Sale], *, numbered: bool) -> bytes:
    out, base = b"", 0
    for sale in page:
        at = raw(symbol, Decimal(sale.price))
        number = (1,) if numbered else ()
        out += struct.pack("<H", sale.minute)
        out += numbers(at - base, sale.lots, *number, sale.side, 0)
        base = at
    return out


def _symbol(market: int, code: bytes) -> Symbol:
    exchange = {number: exchange for exchange, number in MARKETS.items()}[market]
    return Symbol(f"{code.decode()}.{exchange}")


ANSWERS: dict[str, Callable[[TdxServer, bytes], bytes]] = {
    "greeting": lambda server, payload: bytes(60),
    "quotes": _quotes,
    "bars": _bars,
    "minutes": _minutes,
    "transactions": _todays_sales,
    "past_transactions": _past_sales,
}
EMPTY = dict.fromkeys(ANSWERS, bytes(6))
