"""What a strategy plug-in is: a function `signals(portfolio, now)` that returns pieces of advice (docs/strategies.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from trading.domain.portfolio import Portfolio
from trading.domain.types import Side, Symbol, Text


@dataclass(frozen=True, slots=True)
class Advice:
    """Buy or sell a symbol now, and why. `quantity` in shares; None: the account's buy amount, or everything sellable.

    It becomes a signal like any other: checked, sized to lots, put to risk. It is never an order by itself.
    """

    symbol: Symbol
    side: Side
    reason: Text
    quantity: int | None = None

    def __post_init__(self) -> None:
        if self.quantity is not None and self.quantity <= 0:
            raise ValueError(f"{self.symbol}: {self.quantity} shares are none")


#: `now` is market time in China. Called every few seconds of continuous trading; it must not wait for anything.
Signals = Callable[[Portfolio, datetime], Iterable[Advice]]
