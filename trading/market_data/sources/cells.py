"""Cells of a data file as values. Prices go from their text to `Decimal` through the tick, never through a float."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from trading.domain.instruments import Instrument, instrument_for, tick_size
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import CHINA, ZERO, Level, Symbol

#: A file may be off the tick by float noise (32-bit floats too), never by more than this part of a tick.
NOISE = Decimal("0.1")

#: Entries of a cache of texts before it starts anew: a year of files must not fill the memory.
CACHE_BOUND = 200_000

_MOMENT = re.compile(
    r"(\d{4})([-./]?)(\d{1,2})\2(\d{1,2})"
    r"(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?)?"
)


class CellError(Exception):
    """One cell is not what its column promises; the reader adds file, line and, unless named here, the column."""

    def __init__(self, value: str, expected: str, column: str = "") -> None:
        self.value, self.expected, self.column = value, expected, column
        super().__init__(f"{value!r}, expected {expected}")


def number(text: str) -> Decimal:
    """Return a finite number ≥ 0; an empty cell is 0 ("not stated"). Raises CellError."""
    if not text:
        return ZERO
    try:
        value = Decimal("_" if "_" in text else text)
    except InvalidOperation:
        raise CellError(text, "a number") from None
    if not value.is_finite():
        raise CellError(text, "a finite number")
    if value < 0:
        raise CellError(text, "a number of at least 0")
    if value.adjusted() > 15:
        raise CellError(text, "a number below 10000000000000000")
    return value


def price(text: str, tick: Decimal) -> Decimal:
    """Return the price in yuan on the tick (1854.980000000000018 → 1854.98). Raises CellError when it is off it."""
    value = number(text)
    exact = value.quantize(tick, ROUND_HALF_UP)
    if abs(exact - value) > tick * NOISE:
        raise CellError(text, f"a price on the tick of {tick}")
    return exact or ZERO


def quantity(text: str) -> int:
    """Return a whole number of shares ≥ 0; `100.0` is 100, an empty cell is 0. Raises CellError."""
    if text.isdecimal() and len(text) <= 15:
        return int(text)
    value = number(text)
    if value != value.to_integral_value():
        raise CellError(text, "a whole number of shares")
    return int(value)


def moment(text: str) -> datetime:
    """Return the time in China. Every usual way of writing it is read, in one file too.

    `2021-12-01 09:15:02.000`, `2021.12.01T09:15:02`, `20211201 09:15`, `2021/12/1 9:15`; an offset such as `+00:00`
    is respected, without one the time is China's. Raises CellError.
    """
    found = _MOMENT.fullmatch(text)
    if found is None or found[5] is None:
        raise CellError(text, "a time such as 2021-12-01 09:30:00")
    fraction = int((found[8] or "").ljust(6, "0")[:6])
    try:
        return datetime(
            int(found[1]), int(found[3]), int(found[4]),
            int(found[5]), int(found[6]), int(found[7] or 0), fraction,
            tzinfo=_zone(found[9]),
        ).astimezone(CHINA)  # fmt: skip
    except (ValueError, OverflowError):
        raise CellError(text, "a time such as 2021-12-01 09:30:00") from None


def _zone(offset: str | None) -> timezone:
    if offset is None:
        return CHINA
    if offset == "Z":
        return UTC
    minutes = int(offset[1:3]) * 60 + int(offset[-2:])
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))


def day(text: str) -> date:
    """Return the date of `2021-12-01`, `2021.12.01`, `2021/12/1` or `20211201`. Raises CellError."""
    found = _MOMENT.fullmatch(text)
    try:
        if found is None or found[5] is not None:
            raise ValueError
        return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        raise CellError(text, "a date such as 2021-12-01") from None


def symbol(text: str, exchange: str = "") -> Symbol:
    """Return the canonical symbol; a bare code gets the `exchange` its source is known for. Raises CellError."""
    try:
        return parse_symbol(f"{text}.{exchange}" if exchange and text.isdecimal() else text)
    except SymbolError:
        raise CellError(text, "a symbol such as 600036.SH") from None


class Prices(dict[str, Decimal]):
    """Prices by their text: a day repeats few texts many times, and a dictionary answers without Python code."""

    def __init__(self, tick: Decimal) -> None:
        super().__init__()
        self.tick = tick

    def __missing__(self, text: str) -> Decimal:
        if len(self) >= CACHE_BOUND:
            self.clear()
        value = self[text] = price(text, self.tick)
        return value


class Levels(dict[tuple[str, str], Level | None]):
    """Book levels by (price text, quantity text). None = nobody can trade there.

    In an auction level 2 has a quantity without a price (the unmatched rest); a sealed side is all zero.
    """

    def __init__(self, prices: Prices) -> None:
        super().__init__()
        self.prices = prices

    def __missing__(self, texts: tuple[str, str]) -> Level | None:
        if len(self) >= CACHE_BOUND:
            self.clear()
        level = Level(self.prices[texts[0]], quantity(texts[1]))
        value = self[texts] = level if level.price and level.quantity else None
        return value


class Desk:
    """What reading one symbol needs: its tick, the caches of that tick, and the last time seen."""

    def __init__(self, key: Symbol, instrument: Instrument, levels: Levels) -> None:
        self.symbol, self.instrument = key, instrument
        self.levels, self.prices, self.tick = levels, levels.prices, levels.prices.tick
        self.last_time: datetime | None = None


class Desks(dict[str, Desk]):
    """Desks by the text of the symbol cell. `on`: the day being read, whose rules give the tick."""

    def __init__(self, exchange: str = "") -> None:
        super().__init__()
        self.exchange, self.on = exchange, date.min
        self._by_symbol: dict[Symbol, Desk] = {}
        self._levels: dict[Decimal, Levels] = {}

    def __missing__(self, text: str) -> Desk:
        key = symbol(text, self.exchange)
        desk = self[text] = self._by_symbol.get(key) or self._new(key)
        return desk

    def _new(self, key: Symbol) -> Desk:
        instrument = instrument_for(key)
        tick = tick_size(instrument, self.on)
        levels = self._levels.setdefault(tick, Levels(Prices(tick)))
        desk = self._by_symbol[key] = Desk(key, instrument, levels)
        return desk
