"""One symbol's market on one day as our orders meet it: the book, its auctions and what was taken from them (rules §4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import time
from decimal import Decimal

from trading.domain.calendar import MarketPhase
from trading.domain.matching import (
    Execution,
    Resting,
    match_auction,
    match_resting,
    shares_ahead,
    walk_book,
)
from trading.domain.types import ZERO, BookStatus, Limits, Quote, Side
from trading.paper.records import Order

_OPENING = (MarketPhase.OPENING_AUCTION, MarketPhase.OPENING_AUCTION_NO_CANCEL)
_BOOK_SHOWN = (MarketPhase.MORNING, MarketPhase.LUNCH, MarketPhase.AFTERNOON)
_CLOSE = time(15)

Match = tuple[Order, tuple[Execution, ...]]


@dataclass(slots=True)
class Market:
    """The newest quote of a symbol and what the day's auctions have brought so far.

    `taken`: what we took from this quote, see `matching`. `opened`, `closed`: the auction's result is known.
    `close_base`: day volume in shares when the closing auction began.
    """

    quote: Quote | None = None
    taken: dict[Decimal, int] = field(default_factory=dict)
    limits: Limits | None = None
    opened: bool = False
    closed: bool = False
    close_base: int | None = None

    def accept(self, quote: Quote) -> bool:
        """Take a new quote; False when it is older than the last one or its day volume falls (a zeroed push)."""
        last = self.quote
        if last is not None:
            if quote.time < last.time or quote.volume < last.volume:
                return False
            if quote.previous_close != last.previous_close:
                self.limits = None
        self.quote = quote
        if self.taken:
            self.taken.clear()
        return True

    def enter(self, order: Order, phase: MarketPhase, quote_phase: MarketPhase) -> Match:
        """Let an order arrive: walk the displayed book, or queue. `quote_phase`: the phase of the newest quote."""
        if phase in _OPENING:
            return replace(order, awaits_auction=True), ()
        if phase is MarketPhase.AFTER_HOURS:
            return replace(order, after_hours=True), ()
        quote = self.quote
        if (
            not phase.continuous
            or quote is None
            or not _trades(quote)
            or quote_phase not in _BOOK_SHOWN
        ):
            return order, ()
        levels = quote.asks if order.side is Side.BUY else quote.bids
        met = walk_book(order.side, order.price, order.quantity, levels, self.taken)
        return replace(order, ahead=shares_ahead(order.side, order.price, quote)), met

    def match(
        self, orders: Iterable[Order], before: Quote | None, phase: MarketPhase
    ) -> Iterator[Match]:
        """Match working orders against the newest quote, best price first, then first come first served."""
        quote = self.quote
        if quote is None or quote.suspended or phase in _OPENING:
            return
        queue = sorted(orders, key=_priority)
        if phase is MarketPhase.CLOSING_AUCTION or quote.time.time() >= _CLOSE:
            yield from self._close(queue, before, quote, phase)
            return
        auction = self._open(quote, phase)
        if not self.opened:
            return
        for order in queue:
            yield self._meet(order, before, quote, phase, auction)

    def _open(self, quote: Quote, phase: MarketPhase) -> int:
        """Return the opening auction's volume when this quote brings its result, else 0."""
        if self.opened or quote.status in (BookStatus.AUCTION, BookStatus.PRE_OPEN):
            return 0
        self.opened = quote.volume > 0 or phase.continuous
        return quote.volume

    def _meet(
        self, order: Order, before: Quote | None, quote: Quote, phase: MarketPhase, auction: int
    ) -> Match:
        executions: tuple[Execution, ...] = ()
        if order.awaits_auction:
            executions = self._uncross(order, quote.open or quote.last, auction)
            ahead = shares_ahead(order.side, order.price, quote)
            order, before = replace(order, awaits_auction=False, ahead=ahead), None
        if phase.continuous and _trades(quote):
            left = order.remaining - sum(one.quantity for one in executions)
            waiting = Resting(order.side, order.price, left, order.ahead)
            after, met = match_resting(waiting, before, quote, self.taken)
            if after.ahead != order.ahead:
                order = replace(order, ahead=after.ahead)
            executions += met
        return order, executions

    def _close(
        self, queue: list[Order], before: Quote | None, quote: Quote, phase: MarketPhase
    ) -> Iterator[Match]:
        if self.close_base is None:
            self.close_base = before.volume if before else quote.volume
        if phase is MarketPhase.CLOSING_AUCTION or quote.status is BookStatus.AUCTION:
            return
        if phase is MarketPhase.AFTER_HOURS:
            self.closed = True
            traded = quote.volume - before.volume if before else 0
            yield from self._at_one_price([o for o in queue if o.after_hours], quote.last, traded)
        elif not self.closed and quote.volume > self.close_base:
            self.closed = True
            yield from self._at_one_price(queue, quote.last, quote.volume - self.close_base)

    def _at_one_price(self, queue: list[Order], price: Decimal, volume: int) -> Iterator[Match]:
        for order in queue:
            yield order, self._uncross(order, price, volume)

    def _uncross(self, order: Order, price: Decimal, volume: int) -> tuple[Execution, ...]:
        waiting = Resting(order.side, order.price, order.remaining)
        met = match_auction(waiting, price, volume - self.taken.get(ZERO, 0))
        self.taken[ZERO] = self.taken.get(ZERO, 0) + sum(one.quantity for one in met)
        return met


def _trades(quote: Quote) -> bool:
    """Whether the book can be traded against: in an auction its levels carry the virtual match price."""
    return quote.status in (BookStatus.CONTINUOUS, BookStatus.UNKNOWN)


def _priority(order: Order) -> tuple[bool, Decimal, int]:
    buys = order.side is Side.BUY
    return buys, -order.price if buys else order.price, order.order_id
