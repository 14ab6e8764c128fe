"""The gate every quote passes before anything decides on it (rules §7). Pure: time is an argument."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum

from trading.domain.freshness import clock_was_ahead
from trading.domain.types import BookStatus, Limits, Quote, Symbol, Text

#: How far ahead of now a quote may be stamped: clocks differ, the future does not trade.
AHEAD = timedelta(seconds=2)
MARKET_CLOSE = time(15, 0)


class Refusal(StrEnum):
    """Why a quote was refused; the counters are kept by these."""

    NOT_A_NUMBER = "not_a_number"
    UNREADABLE = "unreadable"  # a field is missing or no number: counted by the pump
    NO_PRICE = "no_price"
    FUTURE_TIME = "future_time"
    TIME_BACKWARDS = "time_backwards"
    ZEROED = "zeroed"
    VOLUME_FELL = "volume_fell"
    CROSSED_BOOK = "crossed_book"
    OUTSIDE_LIMITS = "outside_limits"


class QuoteGate:
    """Accepts or refuses the quotes of one source, and counts both per symbol.

    Everything is per symbol: a suspended or broken symbol never touches another one.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.accepted: Counter[Symbol] = Counter()
        self.refused: Counter[tuple[Symbol, Refusal]] = Counter()
        self._last: dict[Symbol, Quote] = {}

    @property
    def refused_by_reason(self) -> Counter[Refusal]:
        """Return how many quotes were refused for each reason, over all symbols of this source."""
        total: Counter[Refusal] = Counter()
        for (_, reason), count in self.refused.items():
            total[reason] += count
        return total

    def reasons_of(self, symbol: Symbol) -> Counter[Refusal]:
        """Return how many quotes of a symbol were refused for each reason."""
        counted = ((reason, self.refused.get((symbol, reason), 0)) for reason in Refusal)
        return Counter({reason: count for reason, count in counted if count})

    def forget(self, symbol: Symbol) -> None:
        """Keep nothing of a symbol nobody wants any more."""
        self._last.pop(symbol, None)
        self.accepted.pop(symbol, None)
        for reason in Refusal:
            self.refused.pop((symbol, reason), None)

    def accept(self, quote: Quote, limits: Limits | None, now: datetime) -> Text | None:
        """Take a quote in and return None, or return why it is refused.

        `limits`: the day's limits when known; else those the quote states itself. Quotes of a symbol come in the
        order of their arrival; equal times are fine.
        """
        refusal = self._refusal(quote, limits, now)
        if refusal is None:
            self._last[quote.symbol] = quote
            self.accepted[quote.symbol] += 1
            return None
        reason, text = refusal
        self.refused[quote.symbol, reason] += 1
        return text

    def _refusal(
        self, quote: Quote, limits: Limits | None, now: datetime
    ) -> tuple[Refusal, Text] | None:
        before = self._last.get(quote.symbol)
        # Stamped by a clock that was ahead and is right again: nothing is measured by it.
        if before is not None and clock_was_ahead(before.time, quote.time, now):
            before = None
        if before is not None and before.time.date() != quote.time.date():
            before = before if before.time > quote.time else None
        return (
            _bad_price(quote)
            or _bad_time(quote, before, now)
            or _bad_volume(quote, before)
            or _crossed(quote)
            or _outside(quote, limits or Limits(quote.limit_up, quote.limit_down))
        )


def _bad_price(quote: Quote) -> tuple[Refusal, Text] | None:
    prices: list[Decimal] = [quote.last, quote.previous_close, quote.open, quote.high, quote.low]
    prices += [level.price for level in (*quote.bids[:1], *quote.asks[:1])]
    if not all(price.is_finite() for price in prices):
        return Refusal.NOT_A_NUMBER, Text("a price is not a number", "价格不是数字")
    if quote.last <= 0:
        return Refusal.NO_PRICE, Text("no last price yet, or suspended", "尚无最新价或停牌")
    return None


def _bad_time(quote: Quote, before: Quote | None, now: datetime) -> tuple[Refusal, Text] | None:
    if quote.time > now + AHEAD:
        seconds = int((quote.time - now).total_seconds())
        return Refusal.FUTURE_TIME, Text(
            f"stamped {seconds} s ahead of now", f"行情时间超前 {seconds} 秒"
        )
    if before is not None and quote.time < before.time:
        at = before.time.strftime("%H:%M:%S")
        return Refusal.TIME_BACKWARDS, Text(
            f"older than the quote of {at} before it", f"早于上一笔行情 {at}"
        )
    return None


def _bad_volume(quote: Quote, before: Quote | None) -> tuple[Refusal, Text] | None:
    """Refuse a day volume that falls. After the close some terminals push a tick with nothing in it but prices."""
    if before is None or quote.volume >= before.volume:
        return None
    empty = not (quote.volume or quote.amount or quote.bids or quote.asks)
    if empty and quote.time.time() >= MARKET_CLOSE:
        return Refusal.ZEROED, Text("an emptied push after the close", "收盘后的清零推送")
    fell = f"{before.volume} → {quote.volume}"
    return Refusal.VOLUME_FELL, Text(f"the day's volume falls, {fell}", f"当日成交量减少，{fell}")


def _crossed(quote: Quote) -> tuple[Refusal, Text] | None:
    """Refuse a crossed book in continuous trading; in an auction bid 1 = ask 1 = the virtual match price."""
    if quote.status is not BookStatus.CONTINUOUS or not (quote.bids and quote.asks):
        return None
    bid, ask = quote.bids[0].price, quote.asks[0].price
    if bid < ask:
        return None
    return Refusal.CROSSED_BOOK, Text(
        f"bid {bid} is not below ask {ask}", f"买一 {bid} 不低于卖一 {ask}"
    )


def _outside(quote: Quote, limits: Limits) -> tuple[Refusal, Text] | None:
    down, up = limits.down, limits.up
    if (up is None or quote.last <= up) and (down is None or quote.last >= down):
        return None
    bounds = f"{down} - {up}"
    return Refusal.OUTSIDE_LIMITS, Text(
        f"last price {quote.last} is outside the day's limits {bounds}",
        f"最新价 {quote.last} 超出涨跌停 {bounds}",
    )
