"""Kinds, ex-rights days and K-lines as QMT's data service shows them, of what the paper exchange knows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time
from typing import Any

from trading.domain.instruments import Category
from trading.domain.reference import Dividend, HistoryBar, Period
from trading.domain.types import CHINA, Symbol
from trading.paper.exchange import Exchange

Row = dict[str, Any]

_LOT = 100
_KINDS = {Category.FUND: ("fund", "etf"), Category.CONVERTIBLE_BOND: ("bond",)}


def kinds(exchange: Exchange, code: str) -> dict[str, bool]:
    """Return the kinds a symbol belongs to; nothing for one that is not known."""
    instrument = exchange.instruments.get(Symbol(code))
    if instrument is None:
        return {}
    return dict.fromkeys(_KINDS.get(instrument.category, ("stock",)), True)


def dividend_rows(dividends: Iterable[Dividend], code: str, start: str, end: str) -> list[Row]:
    """Return the ex-rights days of a symbol between two days (`YYYYMMDD` or ""), with the vendor's fields."""
    return [
        {
            "time": _milliseconds(datetime.combine(one.on, time(), CHINA)),
            "interest": float(one.cash),
            "stockBonus": float(one.bonus_shares),
            "stockGift": float(one.transferred_shares),
            "allotNum": float(one.rights_shares),
            "allotPrice": float(one.rights_price),
            "gugai": 0.0,
            "dr": float(one.divisor),
        }
        for one in dividends
        if one.symbol == code and _within(f"{one.on:%Y%m%d}", start, end)
    ]


def bar_rows(
    exchange: Exchange, bars: Iterable[HistoryBar], code: str, period: str, start: str, end: str
) -> list[Row]:
    """Return K-lines of a symbol: those it was given, and today's so far as a day's. An unknown period has none."""
    if period not in tuple(Period):
        return []
    daily = period == Period.DAY
    found = [one for one in bars if one.symbol == code and (one.at.time() == time()) is daily]
    today = _today(exchange, code) if daily else None
    if today is not None and all(one.at != today.at for one in found):
        found.append(today)
    return [_row(one) for one in found if _within(f"{one.at:%Y%m%d}", start, end)]


def _today(exchange: Exchange, code: str) -> HistoryBar | None:
    quote = exchange.quote_of(Symbol(code))
    if quote is None or not quote.open:
        return None
    return HistoryBar(
        symbol=quote.symbol,
        at=datetime.combine(quote.time.date(), time(), CHINA),
        open=quote.open,
        high=quote.high or max(quote.open, quote.last),
        low=quote.low or min(quote.open, quote.last),
        close=quote.last,
        volume=quote.volume,
        amount=quote.amount or quote.volume * quote.last,
        previous_close=quote.previous_close,
        suspended=quote.suspended,
    )


def _row(bar: HistoryBar) -> Row:
    return {
        "time": _milliseconds(bar.at),
        "open": float(bar.open),
        "high": float(bar.high),
        "low": float(bar.low),
        "close": float(bar.close),
        "volume": bar.volume // _LOT,
        "amount": float(bar.amount),
        "settelementPrice": 0.0,
        "openInterest": 0,
        "preClose": float(bar.previous_close),
        "suspendFlag": int(bar.suspended),
    }


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _within(day: str, start: str, end: str) -> bool:
    return (not start or start[:8] <= day) and (not end or day <= end[:8])
