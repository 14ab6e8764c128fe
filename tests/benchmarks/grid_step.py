"""How many quotes a second the grid reducers follow on one core: one session, and many in turn.

The path is mixed: it wanders across lines, arms, turns, trades (filled at once), refuses and rests; each session has
lots open. Parameters: `sessions` (default 1 and 500), `quotes` per figure, `styles`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from grid.domain.ledger import GridFill, Ledger, book
from grid.domain.parameters import GridRules
from grid.domain.rules import build, ended, step
from grid.domain.state import Facts, GridState, Outcome, Stop, Trade, start
from trading.domain.instruments import LotRule
from trading.domain.types import CHINA, Quote, Side, Symbol

SYMBOL, LOT = Symbol("600036.SH"), LotRule(100, 100, 1_000_000)
DAY = date(2026, 7, 21)
CENTRE = Decimal(10)
PARAMETERS: dict[str, dict[str, Any]] = {
    "centred": {
        "max_investment": Decimal(100_000),
        "interval": Decimal("0.01"),
        "callback": Decimal("0.002"),
        "max_deviation": Decimal("0.5"),
        "target_profit": Decimal(1),
        "stop_loss": Decimal("-0.5"),
    },
    "lot": {
        "max_investment": Decimal(100_000),
        "grid_price_drop": Decimal("0.01"),
        "grid_take_profit_ratio": Decimal("0.02"),
        "grid_stop_loss_ratio": Decimal("-0.05"),
    },
}


class Session:
    """A session whose orders are filled at once, at their trigger, without fees."""

    def __init__(self, rules: GridRules) -> None:
        self.rules, self.ledger = rules, Ledger()
        self.state: GridState = start(CENTRE)
        self.held, self.orders = 1000, 0
        self.facts = self._facts()

    def follow(self, quote: Quote) -> None:
        self.state, decision = step(self.state, quote, self.rules, quote.time, self.facts)
        if isinstance(decision, Trade):
            self._fill(decision, quote.time)
        elif isinstance(decision, Stop):
            self.state = start(quote.last)

    def _fill(self, trade: Trade, now: datetime) -> None:
        self.orders += 1
        closes = tuple(lot for lot, _ in trade.lots)
        self.ledger = book(
            self.ledger,
            GridFill(
                self.orders, trade.side, trade.quantity, trade.trigger, Decimal(0), DAY, closes
            ),
        )
        self.held += trade.quantity if trade.side is Side.BUY else -trade.quantity
        outcome = Outcome(trade.side, trade.quantity, trade.trigger * trade.quantity, now)
        self.state = ended(self.state, outcome, self.rules)
        self.facts = self._facts()

    def _facts(self) -> Facts:
        return Facts(self.ledger, LOT, DAY, self.held, self.held, base_quantity=1000, t1=False)


def mixed_path(quotes: int, seed: int = 7) -> Sequence[Quote]:
    """Return quotes 3 s apart that wander in ticks of a cent and come back to the centre."""
    chance = random.Random(seed)
    at, price, made = datetime(2026, 7, 21, 9, 30, tzinfo=CHINA), 1000, []
    for _ in range(quotes):
        pull = (1000 - price) // 60
        price += chance.choice((-2, -1, -1, 0, 0, 1, 1, 2)) + pull
        at += timedelta(seconds=3)
        made.append(Quote(SYMBOL, at, Decimal(price) / 100, CENTRE))
    return made


def measure(style: str, sessions: int, quotes: int) -> dict[str, Any]:
    """Let `sessions` sessions follow `quotes` quotes in all, in turn; each one a stretch of the path of its own."""
    many = [Session(build(style, PARAMETERS[style])) for _ in range(sessions)]
    each = quotes // sessions
    path = mixed_path(each + 7 * sessions)
    began = time.perf_counter()
    for at in range(each):
        for number, session in enumerate(many):
            session.follow(path[at + 7 * number])
    seconds = time.perf_counter() - began
    return {
        "style": style,
        "sessions": sessions,
        "quotes": each * sessions,
        "orders": sum(session.orders for session in many),
        "quotes_per_second": round(each * sessions / seconds),
    }


def run(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures: one per style and number of sessions, and the slowest of them."""
    quotes = int(parameters.get("quotes", 200_000))
    styles = parameters.get("styles", tuple(PARAMETERS))
    figures = [
        measure(style, sessions, quotes)
        for style in styles
        for sessions in parameters.get("sessions", (1, 500))
    ]
    return {
        "figures": figures,
        "slowest_quotes_per_second": min(figure["quotes_per_second"] for figure in figures),
    }
