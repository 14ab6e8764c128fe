"""A recorded day made for the faults: many holdings fall through their stops one after the other, into a thin book.

A sale of 3,600 shares meets about 300 at a time: it fills for half a minute, is cancelled by its timeout and goes out
again. Whenever a process is killed, some sales are half filled.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from tests.stack import OPENING

#: Every holding: shares, and cost in yuan; the stop-loss is 7.5 % below.
SHARES, COST = 3_600, Decimal("10.00")
#: Prices in yuan before and after the fall, and the shares on each level of the book.
BEFORE, AFTER, DEPTH = Decimal("9.60"), Decimal("9.10"), 100
#: Seconds between two snapshots of a symbol.
EVERY = 3
_TICK = Decimal("0.01")
_HEADER = ["time", "symbol", "last", "previous_close", "volume", "amount"]
_LEVELS = 3


@dataclass(frozen=True)
class Fall:
    """One holding, and when in the market its price is below the stop for the first time (naive, China)."""

    symbol: str
    at: datetime


@dataclass(frozen=True)
class Market:
    """What `up --replay` plays, the holdings to give the account, and when each of them falls."""

    path: Path
    falls: Sequence[Fall]
    shares: int = SHARES

    @property
    def options(self) -> list[str]:
        options = ["--replay", str(self.path)]
        for fall in self.falls:
            options += ["--position", f"{fall.symbol}:{self.shares}@{COST}"]
        return options

    @property
    def opening(self) -> dict[str, int]:
        """What the account holds before the first trade."""
        return {fall.symbol: self.shares for fall in self.falls}


def write_market(
    path: Path, falls: Sequence[float], lasts: float, *, depth: int = DEPTH, shares: int = SHARES
) -> Market:
    """Write a day in which holding number n falls `falls[n]` seconds after the opening; `lasts` seconds of quotes."""
    made = [
        Fall(f"{600100 + number}.SH", OPENING + timedelta(seconds=seconds))
        for number, seconds in enumerate(falls)
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        names = [f"{side}{level}" for side in ("bid", "ask") for level in range(1, _LEVELS + 1)]
        writer.writerow(
            [*_HEADER, *(part for n in names for part in (n, f"{n}_quantity")), "status"]
        )
        writer.writerows(_rows(made, lasts, depth))
    return Market(path, made, shares)


def _rows(falls: Sequence[Fall], lasts: float, depth: int) -> Iterator[list[object]]:
    for second in range(int(lasts)):
        moment = OPENING + timedelta(seconds=second)
        for number, fall in enumerate(falls):
            # The symbols take turns; at its fall each has a snapshot, whoever's turn it is.
            if second % EVERY == number % EVERY or fall.at == moment:
                last = BEFORE if moment < fall.at else AFTER
                yield _row(moment, fall.symbol, last, second, depth)


def _row(moment: datetime, symbol: str, last: Decimal, second: int, depth: int) -> list[object]:
    volume = 100_000 + 10 * second
    book: list[object] = []
    for side in (-1, 1):
        for level in range(_LEVELS):
            book += [last + side * level * _TICK + (_TICK if side > 0 else 0), depth]
    return [
        moment.isoformat(" "),
        symbol,
        last,
        BEFORE,
        volume,
        volume * last,
        *book,
        "continuous",
    ]
