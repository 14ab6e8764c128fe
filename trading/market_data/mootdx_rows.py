"""Rows of the TDX protocol as values of the house: floats become `Decimal`, lots shares, times China's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any

from trading.domain.types import CHINA, BookStatus, Level, Quote, Symbol
from trading.market_data.mootdx_client import QuoteRow
from trading.market_data.mootdx_codes import units
from trading.market_data.status import by_the_clock

CENT = Decimal("0.01")
LEVELS = range(1, 6)
_TIME = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})\.(\d{3})")


class BadRow(Exception):
    """A field of a row is missing, or not what it must be; the argument names it."""


def read_quote(row: QuoteRow, day: date) -> Quote:
    """Return a row as a quote of `day`. Raises BadRow."""
    fields, symbol, factor = row.fields, row.symbol, row.factor
    lot = units(symbol)[1]
    at = datetime.combine(day, _clock(fields), CHINA)

    def price(name: str) -> Decimal:
        return read_price(symbol, fields, name, factor)

    def levels(side: str) -> tuple[Level, ...]:
        made = (
            Level(price(f"{side}{depth}"), whole(fields, f"{side}_vol{depth}") * lot)
            for depth in LEVELS
        )
        return tuple(level for level in made if level.price and level.quantity)

    bids, asks = levels("bid"), levels("ask")
    return Quote(
        symbol=symbol,
        time=at,
        last=price("price"),
        previous_close=price("last_close"),
        open=price("open"),
        high=price("high"),
        low=price("low"),
        volume=whole(fields, "vol") * lot,
        amount=money(fields, "amount"),
        bids=bids,
        asks=asks,
        status=_status(at, bool(bids or asks)),
    )


def read_price(symbol: Symbol, fields: Mapping[str, Any], name: str, factor: float) -> Decimal:
    """Return a price the library multiplied with `factor`, in our own unit of it. Raises BadRow."""
    return round(number(fields, name) / factor) * units(symbol)[0]


def number(fields: Mapping[str, Any], name: str) -> float:
    """Return a finite number ≥ 0. Raises BadRow."""
    value = fields.get(name)
    # A tiny negative one is a difference of floats that is none.
    if not isinstance(value, int | float) or not isfinite(value) or value < -1e-9:
        raise BadRow(name)
    return max(value, 0.0)


def whole(fields: Mapping[str, Any], name: str) -> int:
    """Return a whole number ≥ 0. Raises BadRow."""
    value = number(fields, name)
    if value != int(value):
        raise BadRow(name)
    return int(value)


def money(fields: Mapping[str, Any], name: str) -> Decimal:
    """Return an amount in yuan to the cent; the protocol has seven digits of it. Raises BadRow."""
    value = number(fields, name)
    if value > 1e15:
        raise BadRow(name)
    return Decimal(repr(float(value))).quantize(CENT)


def _clock(fields: Mapping[str, Any]) -> time:
    """Return the time of day of `9:30:03.000`, as the library writes it."""
    found = _TIME.fullmatch(str(fields.get("servertime")))
    try:
        if found is None:
            raise ValueError
        hour, minute, second, thousandth = map(int, found.groups())
        return time(hour, minute, second, thousandth * 1000)
    except ValueError:
        raise BadRow("servertime") from None


def _status(at: datetime, anybody: bool) -> BookStatus:
    status = by_the_clock(at)
    return BookStatus.HALTED if status is BookStatus.CONTINUOUS and not anybody else status
