"""What a grid would do before it is started: lines, cost per line, worst case, break-even of a round trip (rules §3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from grid.domain.ledger import Ledger
from grid.domain.parameters import GridRules
from grid.domain.rules import STYLES
from grid.domain.state import Facts, PlannedLine
from trading.domain.fees import FeeSchedule, order_fees
from trading.domain.instruments import Instrument, lot_rule, tick_size
from trading.domain.limits import round_to_tick
from trading.domain.types import ZERO, Side


class Market(NamedTuple):
    """What prices and fees of a round trip depend on."""

    instrument: Instrument
    fees: FeeSchedule
    on: date

    @property
    def tick(self) -> Decimal:
        return tick_size(self.instrument, self.on)

    def fees_of(self, side: Side, amount: Decimal) -> Decimal:
        """Return the fees of one order in yuan."""
        return order_fees(self.fees, self.instrument, side, amount, self.on).total


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """One line: a buy with the sale that completes its round trip, or a sale out of the holding (`closes_at` None).

    Yuan; prices on the tick. `invested`: amounts of this and all earlier buys. `break_even`: the lowest price at which
    the round trip costs nothing after fees; `profit`: of the round trip at `closes_at`, after fees.
    """

    side: Side
    price: Decimal
    quantity: int
    amount: Decimal
    fees: Decimal
    invested: Decimal
    closes_at: Decimal | None = None
    break_even: Decimal | None = None
    profit: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """The lines in the order in which a falling price reaches them, sales first.

    `worst_case`: yuan in lots and fees when every buy is made at its reservation price. `losing`: lines whose round
    trip would not even pay its fees.
    """

    lines: tuple[PreviewLine, ...]
    worst_case: Decimal

    @property
    def losing(self) -> tuple[PreviewLine, ...]:
        return tuple(line for line in self.lines if line.profit is not None and line.profit <= 0)


def preview(centre: Decimal, rules: GridRules, facts: Facts, market: Market) -> Preview:
    """Return the preview of a session that would start at `centre` with these facts."""
    planned = STYLES[rules.style].plan(centre, rules, facts)
    made = tuple(_lines(planned, market))
    buys = [line for line in planned if line.side is Side.BUY]
    highest = sum((line.highest * line.quantity for line in buys), ZERO)
    fees = sum((market.fees_of(Side.BUY, line.highest * line.quantity) for line in buys), ZERO)
    return Preview(made, min(highest, rules.max_investment) + fees)


def break_even(quantity: int, bought_at: Decimal, market: Market) -> Decimal:
    """Return the lowest price on the tick at which selling what was bought at `bought_at` loses nothing after fees."""
    tick = market.tick
    low = round_to_tick(bought_at, tick, Side.BUY)
    if round_trip(quantity, bought_at, low, market) >= 0:
        return low
    step = 1
    while round_trip(quantity, bought_at, low + step * tick, market) < 0:
        step *= 2
    below, above = step // 2, step  # a loss, and none
    while above - below > 1:
        middle = (above + below) // 2
        loses = round_trip(quantity, bought_at, low + middle * tick, market) < 0
        below, above = (middle, above) if loses else (below, middle)
    return low + above * tick


def round_trip(quantity: int, bought_at: Decimal, sold_at: Decimal, market: Market) -> Decimal:
    """Return the profit in yuan of one buy and one sale, after the fees of both."""
    paid, got = quantity * bought_at, quantity * sold_at
    return got - paid - market.fees_of(Side.BUY, paid) - market.fees_of(Side.SELL, got)


def holding_facts(market: Market, held: int, sellable: int, base_quantity: int) -> Facts:
    """Return the facts of a session that has not begun."""
    lot = lot_rule(market.instrument, market.on)
    return Facts(Ledger(), lot, market.on, held, sellable, base_quantity=base_quantity)


def _lines(planned: Iterable[PlannedLine], market: Market) -> Iterable[PreviewLine]:
    invested = ZERO
    for line in planned:
        buy = line.side is Side.BUY
        # A buy happens at or below its line, a sale at or above it.
        price = round_to_tick(line.price, market.tick, Side.SELL if buy else Side.BUY)
        amount = price * line.quantity
        fees = market.fees_of(line.side, amount)
        if not buy:
            yield PreviewLine(line.side, price, line.quantity, amount, fees, invested)
            continue
        invested += amount
        closes = round_to_tick(line.closes_at, market.tick, Side.BUY)
        yield PreviewLine(
            line.side,
            price,
            line.quantity,
            amount,
            fees,
            invested,
            closes,
            break_even(line.quantity, price, market),
            round_trip(line.quantity, price, closes, market),
        )
