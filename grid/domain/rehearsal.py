"""What a session would have done on quotes of the past, for a preview: the same rules, every order filled at once.

Each trade fills whole, at the price that decided it, with the fees of its day; nothing waits, is denied or half filled.
So the figures are an estimate, and on the optimistic side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from grid.domain.ledger import GridFill, Ledger, book
from grid.domain.parameters import GridRules
from grid.domain.preview import Market
from grid.domain.rules import ended, step
from grid.domain.state import Facts, Outcome, Stop, Trade, start
from trading.domain.instruments import Settlement, lot_rule
from trading.domain.types import CHINA, ZERO, Quote, Side, Text


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it. `rounds`: sales (each completes what it sells). `profit`: yuan after fees, open lots at the last
    price. `stopped`: why it would have ended, None = it went on.
    """

    first: date | None = None
    until: date | None = None
    days: int = 0
    quotes: int = 0
    buys: int = 0
    rounds: int = 0
    profit: Decimal = ZERO
    stopped: Text | None = None


def rehearse(
    quotes: Iterable[Quote],
    rules: GridRules,
    market: Market,
    base_quantity: int,
    centre: Decimal | None = None,
) -> Rehearsal:
    """Follow quotes, oldest first, from the first of them (`centre` None: its price). No quotes: an empty rehearsal."""
    play: _Play | None = None
    for quote in quotes:
        if quote.last <= 0:
            continue
        if play is None:
            play = _Play(rules, market, base_quantity, centre or quote.last, quote.time)
        play.see(quote)
        if play.stopped is not None:
            break
    return Rehearsal() if play is None else play.result()


class _Play:
    """One session and its shares."""

    def __init__(
        self, rules: GridRules, market: Market, base: int, centre: Decimal, begins: datetime
    ) -> None:
        self._rules, self._market, self._base = rules, market, base
        self._state, self._ledger = start(centre), Ledger()
        self._held, self._bought_today = base, 0
        self._t1 = market.instrument.settlement is Settlement.T1
        duration = getattr(rules, "duration_days", None)
        self._ends_at = None if duration is None else begins + timedelta(days=duration)
        self._on = self._first = begins.astimezone(CHINA).date()
        self._days, self._quotes, self._orders, self._buys, self._rounds = 1, 0, 0, 0, 0
        self._last = centre
        self.stopped: Stop | None = None

    def see(self, quote: Quote) -> None:
        on = quote.time.astimezone(CHINA).date()
        if on != self._on:
            self._on, self._bought_today = on, 0
            self._days += 1
        self._last = quote.last
        self._quotes += 1
        self._state, decision = step(self._state, quote, self._rules, quote.time, self._facts())
        if isinstance(decision, Stop):
            self.stopped = decision
        if isinstance(decision, Trade):
            self._fill(decision, quote.time)

    def result(self) -> Rehearsal:
        return Rehearsal(
            first=self._first,
            until=self._on,
            days=self._days,
            quotes=self._quotes,
            buys=self._buys,
            rounds=self._rounds,
            profit=self._ledger.profit(self._last),
            stopped=None if self.stopped is None else self.stopped.text,
        )

    def _facts(self) -> Facts:
        return Facts(
            self._ledger,
            lot_rule(self._market.instrument, self._on),
            self._on,
            self._held,
            self._held - (self._bought_today if self._t1 else 0),
            base_quantity=self._base,
            t1=self._t1,
            ends_at=self._ends_at,
        )

    def _fill(self, trade: Trade, at: datetime) -> None:
        amount = trade.trigger * trade.quantity
        fees = self._market._replace(on=self._on).fees_of(trade.side, amount)
        self._orders += 1
        closes = tuple(number for number, _ in trade.lots)
        fill = GridFill(
            self._orders, trade.side, trade.quantity, trade.trigger, fees, self._on, closes
        )
        self._ledger = book(self._ledger, fill)
        if trade.side is Side.BUY:
            self._held += trade.quantity
            self._bought_today += trade.quantity
            self._buys += 1
        else:
            self._held -= trade.quantity
            self._rounds += 1
        outcome = Outcome(trade.side, trade.quantity, amount, at)
        self._state = ended(self._state, outcome, self._rules)
