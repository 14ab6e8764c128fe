"""The moving prices of a simulation: a quote of every symbol each three seconds, along the way its plan names."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from tests.simulation.plan import CENT, Plan, Stock
from trading.domain.types import BookStatus, Level, Quote, Symbol
from trading.ports import QuoteReader

EVERY = 3


class Prices:
    """Quotes by the second since the start; after `plan.seconds` the last price stays and the book is deep."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._chance = random.Random(f"market:{plan.seed}")
        self._volume = {stock.symbol: 1_000_000 for stock in plan.stocks}
        self._range: dict[str, tuple[Decimal, Decimal]] = {}
        self._newest: dict[Symbol, Quote] = {}
        self._shown_in: int | None = None
        self.shown: list[Quote] = []

    def quotes(self, second: int, now: datetime) -> list[Quote]:
        if second // EVERY == self._shown_in:
            return []
        self._shown_in = second // EVERY
        made = [self._quote(stock, second, now) for stock in self._plan.stocks]
        self._newest = {quote.symbol: quote for quote in made}
        self.shown += made
        return made

    def again(self, now: datetime) -> list[Quote]:
        """The newest quotes once more, for a terminal that comes back."""
        again = [replace(quote, time=now) for quote in self._newest.values()]
        self.shown += again
        return again

    def known(self, store: QuoteReader) -> bool:
        """Whether the newest quotes have come to whoever decides."""
        kept = store.latest(self._newest)
        return all(
            symbol in kept and kept[symbol].last == quote.last
            for symbol, quote in self._newest.items()
        )

    def _quote(self, stock: Stock, second: int, now: datetime) -> Quote:
        calm = second > self._plan.seconds
        last = _tick(stock.first * Decimal(str(_along(stock.way, second / self._plan.seconds))))
        if not calm:
            last += CENT * self._chance.randint(-1, 1)
        last = min(
            max(last, _tick(stock.first * Decimal("0.902"))), _tick(stock.first * Decimal("1.09"))
        )
        self._volume[stock.symbol] += self._chance.choice([0, 0, 100, 500, 3000])
        low, high = self._range.get(stock.symbol, (last, last))
        self._range[stock.symbol] = low, high = min(low, last), max(high, last)
        size = 100_000 if calm else stock.depth * 100
        return Quote(
            symbol=Symbol(stock.symbol),
            time=now,
            last=last,
            previous_close=stock.first,
            open=stock.first,
            high=high,
            low=low,
            volume=self._volume[stock.symbol],
            bids=self._levels(last, -CENT, size),
            asks=self._levels(last, CENT, size),
            status=BookStatus.CONTINUOUS,
        )

    def _levels(self, last: Decimal, step: Decimal, size: int) -> tuple[Level, ...]:
        sizes = [size if size >= 100_000 else self._chance.randint(0, size) for _ in range(5)]
        return tuple(
            Level(last + step * (depth + 1), quantity // 100 * 100)
            for depth, quantity in enumerate(sizes)
            if quantity >= 100
        )


def _along(way: tuple[float, ...], part: float) -> float:
    """Return the point of a broken line at a part (0 to 1) of its length; its ends beyond."""
    if part >= 1:
        return way[-1]
    part = max(0.0, part)
    place = part * (len(way) - 1)
    before = int(place)
    return way[before] + (way[before + 1] - way[before]) * (place - before)


def _tick(price: Decimal) -> Decimal:
    return price.quantize(CENT)
