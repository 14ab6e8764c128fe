"""Builders for the grid tests, and a market that fills every grid order at once at the price that triggered it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from grid.domain.centred_grid import CentredGrid
from grid.domain.ledger import GridFill, Ledger, book
from grid.domain.lot_grid import LotGrid
from grid.domain.parameters import GridRules
from grid.domain.rules import ended, step
from grid.domain.state import Decision, Facts, GridState, Outcome, Stop, Trade, start
from trading.domain.fees import FeeSchedule, fill_fees
from trading.domain.instruments import LotRule, instrument_for
from trading.domain.types import CHINA, Quote, Side, Symbol

BANK = Symbol("600036.SH")
TODAY = date(2026, 7, 21)
OPEN = datetime(2026, 7, 21, 9, 30, tzinfo=CHINA)
LOT = LotRule(100, 100, 1_000_000)
STAR_LOT = LotRule(200, 1, 100_000)
FEES = FeeSchedule()


def d(text: str | int) -> Decimal:
    return Decimal(text)


def values(named: dict[str, Any]) -> dict[str, Any]:
    """Text becomes a number, unless it is a word."""
    return {
        name: d(value) if isinstance(value, str) and name != "trade_mode" else value
        for name, value in named.items()
    }


def centred(**named: Any) -> CentredGrid:
    return CentredGrid(**values({"max_investment": "20000", **named}))


def lots(**named: Any) -> LotGrid:
    return LotGrid(**values({"max_investment": "50000", **named}))


def at(seconds: float, day: date = TODAY) -> datetime:
    return datetime.combine(day, OPEN.timetz()) + timedelta(seconds=seconds)


def quote(price: str | Decimal, seconds: float = 0, day: date = TODAY, **more: Any) -> Quote:
    return Quote(BANK, at(seconds, day), Decimal(price), d(10), **more)


def facts(ledger: Ledger | None = None, **named: Any) -> Facts:
    """1,000 shares held and sellable, all of them the base of the session."""
    known: dict[str, Any] = {"held": 1000, "sellable": 1000, "base_quantity": 1000, **named}
    return Facts(ledger or Ledger(), known.pop("lot", LOT), known.pop("on", TODAY), **known)


def follow(
    prices: Sequence[str],
    rules: GridRules,
    known: Facts | None = None,
    state: GridState | None = None,
    *,
    centre: str = "10",
    every: float = 3,
    since: float = 0,
) -> tuple[GridState, list[Decision]]:
    """Step over prices `every` seconds apart, nothing filled; return the state and what was decided."""
    state, said = state or start(d(centre)), []
    for number, price in enumerate(prices):
        seen = quote(price, since + number * every)
        state, decision = step(state, seen, rules, seen.time, known or facts())
        if decision is not None:
            said.append(decision)
    return state, said


def fill(
    order: int,
    side: str,
    quantity: int,
    price: str,
    fees: str = "0",
    on: date = TODAY,
    lots: tuple[int, ...] = (),
) -> GridFill:
    return GridFill(order, Side(side), quantity, d(price), d(fees), on, lots)


#: How much of an order is filled, in shares.
Filling = Callable[[Trade], int]


@dataclass
class Market:
    """One session and its account: shares, today's buys, cash; orders are filled at once at their trigger."""

    rules: GridRules
    state: GridState
    base: int = 0
    cash: Decimal = Decimal(1_000_000)
    t1: bool = True
    lot: LotRule = LOT
    symbol: Symbol = BANK
    filling: Filling = lambda trade: trade.quantity

    def __post_init__(self) -> None:
        self.held, self.bought_today, self.on = self.base, 0, TODAY
        self.ledger = Ledger()
        self.fills: list[GridFill] = []
        self.said: list[tuple[datetime, Decision]] = []
        self.stopped: Stop | None = None
        self.ends_at: datetime | None = None

    def facts(self) -> Facts:
        free = self.held - (self.bought_today if self.t1 else 0)
        return Facts(
            self.ledger,
            self.lot,
            self.on,
            self.held,
            free,
            base_quantity=self.base,
            t1=self.t1,
            ends_at=self.ends_at,
        )

    def quote(self, price: Decimal, time: datetime) -> Decision | None:
        """Show one quote; a trade it decides is filled before the next one."""
        if self.stopped is not None:
            return None
        if time.date() != self.on:
            self.on, self.bought_today = time.date(), 0
        seen = Quote(self.symbol, time, price, price)
        self.state, decision = step(self.state, seen, self.rules, time, self.facts())
        if decision is not None:
            self.said.append((time, decision))
        if isinstance(decision, Stop):
            self.stopped = decision
        if isinstance(decision, Trade):
            self._trade(decision, time)
        return decision

    def play(self, quotes: Iterable[tuple[Decimal, datetime]]) -> Market:
        for price, time in quotes:
            self.quote(price, time)
        return self

    @property
    def trades(self) -> list[tuple[datetime, Trade]]:
        return [(time, said) for time, said in self.said if isinstance(said, Trade)]

    def buys_of(self, trade: Trade) -> list[int]:
        """The lots a sale closes, numbered by their buys: 1 for the session's first."""
        numbers = [fill.order for fill in self.fills if fill.side is Side.BUY]
        return [numbers.index(order) + 1 for order, _ in trade.lots]

    def _trade(self, trade: Trade, time: datetime) -> None:
        quantity = self.filling(trade)
        amount = trade.trigger * quantity
        if quantity:
            self._book(trade, quantity, amount)
        outcome = Outcome(trade.side, quantity, amount, time)
        self.state = ended(self.state, outcome, self.rules)

    def _book(self, trade: Trade, quantity: int, amount: Decimal) -> None:
        instrument = instrument_for(self.symbol)
        fees = fill_fees(FEES, instrument, trade.side, self.on, Decimal(0), amount).total
        closes = tuple(number for number, _ in trade.lots)
        made = GridFill(
            len(self.fills) + 1, trade.side, quantity, trade.trigger, fees, self.on, closes
        )
        self.fills.append(made)
        self.ledger = book(self.ledger, made)
        if trade.side is Side.BUY:
            self.held += quantity
            self.bought_today += quantity
            self.cash -= amount + fees
        else:
            self.held -= quantity
            self.cash += amount - fees


def with_ledger(known: Facts, *fills: GridFill) -> Facts:
    ledger = known.ledger
    for one in fills:
        ledger = book(ledger, one)
    return replace(known, ledger=ledger)
