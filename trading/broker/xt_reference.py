"""Reference data of the terminal: `xtquant.xtdata`, or its look-alike, read into values of our own.

The module is passed in, never imported here; whoever calls this lives in a short-lived process that holds no broker
session, for the library has crashed in these calls (an assertion in its native decoder, nothing catches it). Whatever
the vendor's tables hold, floats of any library included, becomes `Decimal`, `int` and dates here; what cannot is
refused and counted by symbol and field. Days go out as `YYYYMMDD`, the one form the vendor knows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from trading.domain.instruments import Category, instrument_for, tick_size
from trading.domain.limits import from_float
from trading.domain.reference import Dividend, HistoryBar, InstrumentDetail, Period, Read
from trading.domain.symbols import exchange_of
from trading.domain.types import CHINA, Symbol
from trading.errors import GatewayUnavailable

T = TypeVar("T")
Refused = Counter[tuple[str, str]]

#: The vendor's kinds (`get_instrument_type`) that are categories of ours; the first that applies.
_KINDS = {"etf": Category.FUND, "fund": Category.FUND, "stock": Category.STOCK}
BAR_FIELDS = [
    "time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "amount",
    "preClose",
    "suspendFlag",
]
_DIVIDEND_FIELDS = ("interest", "stockBonus", "stockGift", "allotNum", "allotPrice", "dr")
_UNIT = Decimal("0.000001")
_EPOCH = datetime(1970, 1, 1, tzinfo=CHINA) + timedelta(hours=8)
#: "No end" of an instrument.
_NEVER = ("99999999", "20991231")
#: How far turnover / volume may lie outside a bar's prices: amounts are rounded.
_SLACK = Decimal("0.01")
_SHARES_PER_LOT = 100


class Refusal(Exception):
    """A field of a row is missing or no number; the argument names it."""


def read_details(xtdata: Any, symbols: Iterable[Symbol]) -> Read[InstrumentDetail]:
    """Return what the terminal states of each symbol today. Raises GatewayUnavailable when it does not answer."""
    refused: Refused = Counter()
    rows: list[InstrumentDetail] = []
    for symbol in symbols:
        row = _asked(xtdata.get_instrument_detail, symbol)
        kinds = _asked(xtdata.get_instrument_type, symbol) if row else None
        _keep(rows, refused, symbol, _detail, symbol, row, kinds)
    return Read(tuple(rows), refused)


def read_trading_dates(xtdata: Any, market: str, first: date, last: date) -> Read[date]:
    """Return the past sessions of a market (SH, SZ, BJ) in [first, last], today included once it has begun."""
    stamps = _asked(xtdata.get_trading_dates, market, _text(first), _text(last))
    return _days(market, stamps, lambda stamp: _moment(stamp, "date").date())


def read_calendar(xtdata: Any, market: str, first: date, last: date) -> Read[date]:
    """Return the sessions of SH or SZ in [first, last], those to come too.

    Raises GatewayUnavailable beyond the year whose holidays the terminal knows.
    """
    texts = _asked(xtdata.get_trading_calendar, market, _text(first), _text(last))
    return _days(market, texts, lambda text: _required(_day(text), "date"))


def read_dividends(
    xtdata: Any, symbols: Iterable[Symbol], first: date, last: date
) -> Read[Dividend]:
    """Return the ex-rights days of each symbol in [first, last]; a symbol without one has no row, and is no refusal."""
    refused: Refused = Counter()
    rows: list[Dividend] = []
    for symbol in symbols:
        table = _asked(xtdata.get_divid_factors, symbol, _text(first), _text(last))
        for index, row in _records(table):
            _keep(rows, refused, symbol, _dividend, symbol, index, row)
    return Read(tuple(sorted(rows, key=lambda one: (one.symbol, one.on))), refused)


def read_bars(
    xtdata: Any,
    symbols: Iterable[Symbol],
    period: Period,
    first: date,
    last: date,
    *,
    download: bool = True,
) -> Read[HistoryBar]:
    """Return K-lines without ex-rights adjustment in [first, last]; a symbol without any counts as ("bars").

    The bar of a running session is among them: leave it out with `last`. Nothing is filled in for days without
    trading. `download`: let the terminal fetch what its own files lack first, which may take minutes.
    """
    refused: Refused = Counter()
    rows: list[HistoryBar] = []
    span = _text(first), _text(last)
    for symbol in symbols:
        if download:
            _asked(xtdata.download_history_data, symbol, period.value, *span)
        tables = _asked(
            xtdata.get_market_data_ex,
            BAR_FIELDS,
            [str(symbol)],
            period.value,
            *span,
            -1,
            "none",
            False,
        )
        records = list(_records((tables or {}).get(symbol)))
        if not records:
            refused[symbol, "bars"] += 1
        for _, row in records:
            _keep(rows, refused, symbol, _bar, symbol, row)
    return Read(tuple(rows), refused)


# -- rows


def _detail(symbol: Symbol, row: Any, kinds: Any) -> InstrumentDetail:
    if not isinstance(row, Mapping):
        raise Refusal("detail")
    if (row.get("InstrumentID"), row.get("ExchangeID")) != (symbol[:6], exchange_of(symbol)):
        raise Refusal("InstrumentID")
    step = _price(row, "PriceTick", Decimal("0.0001"))
    unit = tick_size(instrument_for(symbol), date.max)
    return InstrumentDetail(
        symbol=symbol,
        name=str(row.get("InstrumentName") or "").strip(),
        trading_day=_day(row.get("TradingDay")),
        previous_close=_price(row, "PreClose", unit),
        limit_up=_limit(row, "UpStopPrice", unit),
        limit_down=_limit(row, "DownStopPrice", unit),
        price_step=step or None,
        suspended=_number(row, "InstrumentStatus") > 0,  # days of suspension; -1: resumed today
        category=_category(symbol, kinds),
        listed_on=_day(row.get("OpenDate")),
        ends_on=_day(row.get("ExpireDate")),
    )


def _category(symbol: Symbol, kinds: Any) -> Category | None:
    stated = kinds if isinstance(kinds, Mapping) else {}
    named = next((ours for name, ours in _KINDS.items() if stated.get(name)), None)
    ours = instrument_for(symbol).category
    # The vendor has no word for a depositary receipt, nor one of ours for a convertible bond.
    return ours if named is Category.STOCK and ours.is_share else named


def _dividend(symbol: Symbol, index: object, row: Mapping[str, Any]) -> Dividend:
    stamp = row.get("time")
    on = _day(index) if stamp is None else _moment(stamp, "time").date()
    numbers = [_positive(row, name) for name in _DIVIDEND_FIELDS]
    found = Dividend(symbol, _required(on, "time"), *numbers)
    # Cash and free shares make the price fall: a divisor below 1 would be somebody's factor.
    if found.divisor <= 0 or (found.divisor < 1 and not found.rights_shares):
        raise Refusal("dr")
    return found


def _bar(symbol: Symbol, row: Mapping[str, Any]) -> HistoryBar:
    at = _moment(row.get("time"), "time")
    unit = tick_size(instrument_for(symbol), at.date())
    low, high = _price(row, "low", unit), _price(row, "high", unit)
    for name in ("open", "close", "low", "high"):
        if not 0 < low <= _price(row, name, unit) <= high:
            raise Refusal(name)
    amount = _positive(row, "amount")
    return HistoryBar(
        symbol=symbol,
        at=at,
        open=_price(row, "open", unit),
        high=high,
        low=low,
        close=_price(row, "close", unit),
        volume=_shares(_positive(row, "volume"), amount, low, high),
        amount=amount,
        previous_close=_price(row, "preClose", unit),
        suspended=_number(row, "suspendFlag") == 1,
    )


def _shares(volume: Decimal, amount: Decimal, low: Decimal, high: Decimal) -> int:
    """Volumes come in lots or in shares by kind and period; turnover / volume must lie within the bar's prices."""
    if volume == 0 and amount == 0:
        return 0
    for unit in (_SHARES_PER_LOT, 10, 1):
        shares = volume * unit
        if shares and low * (1 - _SLACK) <= amount / shares <= high * (1 + _SLACK):
            return int(shares)
    raise Refusal("volume")


# -- fields


def _asked(function: Callable[..., Any], *given: Any) -> Any:
    try:
        return function(*given)
    except Exception as problem:  # the vendor raises bare exceptions of any type
        raise GatewayUnavailable(f"{function.__name__}: {problem}") from problem


def _keep(
    rows: list[T], refused: Refused, symbol: str, make: Callable[..., T], *given: Any
) -> None:
    try:
        rows.append(make(*given))
    except Refusal as problem:
        refused[symbol, str(problem)] += 1


def _days(market: str, given: Any, make: Callable[[Any], date]) -> Read[date]:
    refused: Refused = Counter()
    days: list[date] = []
    if not given:
        refused[market, "dates"] += 1
    for one in given or ():
        _keep(days, refused, market, make, one)
    return Read(tuple(sorted(days)), refused)


def _records(table: Any) -> Iterable[tuple[object, Mapping[str, Any]]]:
    """Yield (index, row) of a pandas table; nothing for an empty one, or none."""
    if table is None or len(table) == 0:
        return ()
    return zip(table.index.tolist(), table.to_dict("records"), strict=True)


def _text(on: date) -> str:
    return f"{on:%Y%m%d}"


def _day(value: object) -> date | None:
    """`YYYYMMDD` as text or number → date; what states none ("0", "", no end) is None."""
    text = str(value or "").partition(".")[0]
    if text in _NEVER or not text.isdigit() or len(text) != 8:
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _required(on: date | None, name: str) -> date:
    if on is None:
        raise Refusal(name)
    return on


def _moment(milliseconds: Any, name: str) -> datetime:
    """Milliseconds since 1970 → China time, whatever zone the machine has."""
    try:
        return _EPOCH + timedelta(milliseconds=int(milliseconds))
    except (TypeError, ValueError, OverflowError):
        raise Refusal(name) from None


def _number(row: Mapping[str, Any], name: str) -> Decimal:
    """A number of any library → `Decimal` to 1/1000000. None, NaN and texts are refused."""
    value = row.get(name)
    try:
        number = float(value) if not isinstance(value, str | bool) else math.nan  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise Refusal(name)
    return Decimal(repr(number)).quantize(_UNIT).normalize() + 0


def _positive(row: Mapping[str, Any], name: str) -> Decimal:
    number = _number(row, name)
    if number < 0:
        raise Refusal(name)
    return number


def _price(row: Mapping[str, Any], name: str, unit: Decimal) -> Decimal:
    return from_float(_positive(row, name), unit)


def _limit(row: Mapping[str, Any], name: str, unit: Decimal) -> Decimal | None:
    """0, or a number beyond any price, is how "no limit" is stated."""
    stated = _price(row, name, unit)
    return stated if 0 < stated < 100_000 else None
