"""Quotes, instruments and trading dates as QMT's data service shows them: floats, volumes in lots, times in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from trading.domain.calendar import MarketPhase
from trading.domain.instruments import tick_size
from trading.domain.types import CHINA, BookStatus, Level, Quote, Symbol
from trading.paper.exchange import Exchange

Tick = dict[str, Any]

_LOT = 100
_DEPTH = 5
_STATUS = {
    BookStatus.PRE_OPEN: 11,
    BookStatus.AUCTION: 12,
    BookStatus.CONTINUOUS: 13,
    BookStatus.BREAK: 14,
    BookStatus.CLOSED: 15,
    BookStatus.HALTED: 17,
    BookStatus.AFTER_HOURS: 22,
}
_PHASE_STATUS = {
    MarketPhase.OPENING_AUCTION: 12,
    MarketPhase.OPENING_AUCTION_NO_CANCEL: 12,
    MarketPhase.PRE_OPEN: 14,
    MarketPhase.MORNING: 13,
    MarketPhase.LUNCH: 14,
    MarketPhase.AFTERNOON: 13,
    MarketPhase.CLOSING_AUCTION: 18,
    MarketPhase.AFTER_HOURS: 22,
}
_NOON = time(12)
_OPEN_ENDED = "99999999"


def tick(exchange: Exchange, quote: Quote) -> Tick:
    """Return the newest quote of a symbol as a full tick. `openInt` is its status, `stockStatus` is not."""
    status = _STATUS.get(quote.status)
    if status is None:
        status = _PHASE_STATUS.get(exchange.phase(quote.symbol), 15)
    elif status == 12 and quote.time.time() >= _NOON:
        status = 18
    return {
        "time": int(quote.time.timestamp() * 1000),
        "timetag": f"{quote.time:%Y%m%d %H:%M:%S}",
        "lastPrice": float(quote.last),
        "open": float(quote.open),
        "high": float(quote.high),
        "low": float(quote.low),
        "lastClose": float(quote.previous_close),
        "amount": float(quote.amount),
        "volume": quote.volume // _LOT,
        "pvolume": quote.volume,
        "stockStatus": 3 if status == 13 else 0,
        "openInt": status,
        "transactionNum": 0,
        "lastSettlementPrice": float(quote.previous_close),
        "settlementPrice": 0.0,
        "pe": 0.0,
        "askPrice": _prices(quote.asks),
        "bidPrice": _prices(quote.bids),
        "askVol": _lots(quote.asks),
        "bidVol": _lots(quote.bids),
        "volRatio": 0.0,
        "speed1Min": 0.0,
        "speed5Min": 0.0,
    }


def full_ticks(exchange: Exchange, codes: Iterable[str]) -> dict[str, Tick]:
    """Return the ticks of these symbols or markets (`SH`, `SZ`, `BJ`); what has no quote today is absent."""
    ticks = {}
    for code in codes:
        symbols = [Symbol(code)] if "." in code else _of_market(exchange, code)
        for symbol in symbols:
            quote = exchange.quote_of(symbol)
            if quote is not None:
                ticks[str(symbol)] = tick(exchange, quote)
    return ticks


def instrument_detail(exchange: Exchange, code: str) -> dict[str, Any] | None:
    """Return what the terminal knows of an instrument today, None when it knows none."""
    symbol = Symbol(code)
    instrument = exchange.instruments.get(symbol)
    if instrument is None:
        return None
    today = exchange.today or exchange.now.date()
    quote, limits = exchange.quote_of(symbol), exchange.limits_of(symbol)
    listed = instrument.listed_on
    halted = quote is not None and quote.suspended
    return {
        "ExchangeID": code[-2:],
        "InstrumentID": code[:-3],
        "InstrumentName": instrument.name,
        "ProductID": "",
        "ProductName": "",
        "ProductType": "",
        "ExchangeCode": code[:-3],
        "UniCode": code[:-3],
        "CreateDate": "0",
        "OpenDate": f"{listed:%Y%m%d}" if listed else "0",
        "ExpireDate": _OPEN_ENDED,
        "TradingDay": f"{today:%Y%m%d}",
        "PreClose": float(quote.previous_close) if quote else 0.0,
        "SettlementPrice": float(quote.previous_close) if quote else 0.0,
        "UpStopPrice": _price(limits.up if limits else None),
        "DownStopPrice": _price(limits.down if limits else None),
        "FloatVolume": 0.0,
        "TotalVolume": 0.0,
        "LongMarginRatio": 0.0,
        "ShortMarginRatio": 0.0,
        "PriceTick": float(tick_size(instrument, today)),
        "VolumeMultiple": 1,
        "MainContract": 0,
        "LastVolume": 0,
        "InstrumentStatus": 1 if halted else 0,
        "IsTrading": not halted,
        "IsRecent": False,
        "ProductTradeQuota": 0,
        "ContractTradeQuota": 0,
        "ProductOpenInterestQuota": 0,
        "ContractOpenInterestQuota": 0,
    }


def trading_dates(exchange: Exchange, start: str, end: str, count: int) -> list[int]:
    """Return the sessions up to today as milliseconds of their midnight in China; `start`, `end`: `YYYYMMDD` or ""."""
    today = exchange.now.date()
    first = _day(start) or date(1990, 1, 1)
    last = min(_day(end) or today, today)
    sessions = exchange.calendar.sessions_between(first, last)
    chosen = sessions if count < 0 else sessions[len(sessions) - min(count, len(sessions)) :]
    return [int(datetime.combine(one, time(), CHINA).timestamp() * 1000) for one in chosen]


def trading_calendar(exchange: Exchange, market: str, start: str, end: str) -> list[str]:
    """Return the sessions between two days as `YYYYMMDD`, those to come too. Raises Exception past what is known."""
    if market not in ("SH", "SZ"):
        raise Exception("暂不支持除SH,SZ以外市场的交易日历")
    last = _day(end) or date(exchange.now.year, 12, 31)
    if not exchange.calendar.knows(last):
        raise Exception(f"end_time({end}) 超出现有节假日数据")
    sessions = exchange.calendar.sessions_between(_day(start) or date(1990, 1, 1), last)
    return [f"{one:%Y%m%d}" for one in sessions]


def _of_market(exchange: Exchange, market: str) -> list[Symbol]:
    return [symbol for symbol in exchange.instruments if symbol.endswith(f".{market}")]


def _prices(levels: tuple[Level, ...]) -> list[float]:
    prices = [float(level.price) for level in levels[:_DEPTH]]
    return prices + [0.0] * (_DEPTH - len(prices))


def _lots(levels: tuple[Level, ...]) -> list[int]:
    # A level smaller than a lot still shows as one: an empty level has price 0.
    lots = [max(1, level.quantity // _LOT) for level in levels[:_DEPTH]]
    return lots + [0] * (_DEPTH - len(lots))


def _price(price: Decimal | None) -> float:
    return 0.0 if price is None else float(price)


def _day(text: str) -> date | None:
    return datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=CHINA).date() if text else None
