"""Small builders for the exit tests: a holding of 1,000 shares at 10 yuan, quotes a few seconds apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.domain.exits import ExitOutcome, ExitRules, fold
from trading.domain.instruments import LotRule
from trading.domain.positions import Position, opened
from trading.domain.types import CHINA, Quote, Symbol

BANK = Symbol("600036.SH")
ENTRY_DAY = date(2026, 7, 20)
NEXT_DAY = date(2026, 7, 21)
OPEN = datetime(2026, 7, 21, 9, 30, tzinfo=CHINA)
RULES = ExitRules()


@dataclass(frozen=True, slots=True)
class RoundLot(LotRule):
    """Lots as on the main board, in as few words as the exits need."""

    def floor_buy(self, quantity: int) -> int:
        lots = quantity // self.step * self.step
        return lots if lots >= self.minimum else 0

    def floor_sell(self, quantity: int, sellable: int) -> int:
        return sellable if quantity >= sellable else self.floor_buy(quantity)


LOT = RoundLot(minimum=100, step=100, largest=1_000_000)


def d(text: str) -> Decimal:
    return Decimal(text)


def holding(cost: str = "10", quantity: int = 1000, **state: Any) -> Position:
    """A holding bought yesterday; prices among `state` may be given as text."""
    money = {"high_since_entry", "armed_high", "trailing_level", "base_cost", "bought_amount"}
    values: dict[str, Any] = {
        name: d(value) if name in money and isinstance(value, str) else value
        for name, value in state.items()
    }
    return replace(opened(BANK, quantity, d(cost), ENTRY_DAY), **values)


def at(seconds: int, day: date = NEXT_DAY) -> datetime:
    return datetime.combine(day, OPEN.timetz()) + timedelta(seconds=seconds)


def quotes(*prices: str, day: date = NEXT_DAY, high: str = "0") -> list[Quote]:
    """Quotes three seconds apart from 09:30 on."""
    return [
        Quote(BANK, at(3 * number, day), d(price), d("10"), high=d(high))
        for number, price in enumerate(prices)
    ]


def folded(
    position: Position,
    *prices: str,
    rules: ExitRules = RULES,
    sellable: int = 1000,
    high: str = "0",
) -> ExitOutcome:
    return fold(position, quotes(*prices, high=high), rules, sellable, LOT)
