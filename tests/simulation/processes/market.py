"""A recorded day drawn from a seed: holdings that fall through their stops, that are bought more of, and two grids.

Books are thin, so that sales fill in parts, run out of time and are sent again. Prices in yuan, offsets in seconds of
market time after the opening.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from tests.stack import OPENING

#: Every holding was bought at this; the stop-loss is 7.5 % below, an add-on buys between 7 % and that. `FALLEN` is below
#: the stop of any cost that add-ons can lead to, and above the day's limit.
COST, CLOSE = Decimal("10.00"), Decimal("9.40")
BEFORE, WINDOW, FALLEN = Decimal("9.60"), Decimal("9.28"), Decimal("8.55")
#: The two symbols with a grid session of the prepared directory: by lots (bought today, sold today), and around a centre.
LOTS, CENTRED = "513100.SH", "600036.SH"
#: How they move, by steps of `STEP` seconds, again and again until the last holding falls; then they rest.
LOTS_WAY = ("10", "9.78", "9.75", "9.9", "10.05", "10")
CENTRED_WAY = ("10", "10.26", "10.18", "10", "9.72", "9.8")
STEP = 20
#: Seconds between two snapshots of a symbol.
EVERY = 3
LEVELS = 3
_TICK = Decimal("0.01")
_HEADER = ["time", "symbol", "last", "previous_close", "volume", "amount"]


@dataclass(frozen=True)
class Stock:
    """One holding: its shares, the shares on each level of its book, and its price from each offset on."""

    symbol: str
    shares: int
    depth: int
    way: Sequence[tuple[int, Decimal]]

    def price(self, offset: float) -> Decimal:
        return [price for at, price in self.way if at <= max(offset, 0)][-1]

    @property
    def falls_at(self) -> int | None:
        """The offset at which it is below its stop, None when it never is."""
        return next((at for at, price in self.way if price == FALLEN), None)

    def fell_at(self, opens: datetime) -> datetime | None:
        """The same in market time (China, naive)."""
        return None if self.falls_at is None else opens + timedelta(seconds=self.falls_at)


@dataclass(frozen=True)
class Market:
    """What the terminal plays, and what the account holds before it."""

    path: Path
    stocks: Sequence[Stock]
    opens: datetime = field(default=OPENING)

    @property
    def opening(self) -> Mapping[str, int]:
        return {stock.symbol: stock.shares for stock in self.stocks}

    @property
    def positions(self) -> list[str]:
        """The options of the terminal that open the account with these holdings."""
        return [
            word
            for one in self.stocks
            for word in ("--position", f"{one.symbol}:{one.shares}@{COST}")
        ]

    @property
    def last_offset(self) -> int:
        return max(stock.falls_at for stock in self.stocks if stock.falls_at is not None)

    @property
    def last_fall(self) -> datetime:
        return self.opens + timedelta(seconds=self.last_offset)

    def fallen(self, now: datetime) -> list[Stock]:
        """The holdings that are below their stop at this market time (China, naive)."""
        passed = (now - self.opens).total_seconds()
        return [one for one in self.stocks if one.falls_at is not None and one.falls_at <= passed]


def write_market(
    path: Path,
    chance: random.Random,
    *,
    falls: int = 7,
    until: int = 150,
    lasts: int = 1500,
    opens: datetime = OPENING,
    unsold: int = 0,
) -> Market:
    """Write a day in which `falls` holdings fall through their stops one after the other, the last one at `until`.

    Nobody buys the last `unsold` of them.
    """
    sooner = chance.sample(range(min(20, until // 3), until - 8 * unsold), falls - 1 - unsold)
    moments = [*sorted(sooner), *(until - 8 * number for number in range(unsold, -1, -1))]
    stocks = [_falling(number, at, chance) for number, at in enumerate(moments)]
    stocks[falls - unsold :] = [replace(stock, depth=0) for stock in stocks[falls - unsold :]]
    stocks += [_grid(LOTS, LOTS_WAY, until, chance), _grid(CENTRED, CENTRED_WAY, until, chance)]
    return write_day(path, stocks, opens, lasts)


def write_day(path: Path, stocks: Sequence[Stock], opens: datetime, lasts: int) -> Market:
    """Write what the terminal plays: these stocks, for so many seconds from the opening on."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        names = [f"{side}{level}" for side in ("bid", "ask") for level in range(1, LEVELS + 1)]
        book = [part for name in names for part in (name, f"{name}_quantity")]
        writer.writerow([*_HEADER, *book, "status"])
        writer.writerows(_rows(stocks, opens, lasts))
    return Market(path, stocks, opens)


def _falling(number: int, at: int, chance: random.Random) -> Stock:
    """Some fall at once, others rest in the window of the add-on before."""
    way = [(0, BEFORE), (at, FALLEN)]
    if chance.random() < 0.4:
        way.insert(1, (max(1, at - 60), WINDOW))
    shares = chance.choice([300, 500, 900, 1250])
    return Stock(f"{600100 + number}.SH", shares, chance.choice([100, 200, 5000]), way)


def _grid(symbol: str, prices: Sequence[str], until: int, chance: random.Random) -> Stock:
    turn = chance.randrange(len(prices))
    way = [
        (at, Decimal(prices[(turn + at // STEP) % len(prices)])) for at in range(0, until, STEP)
    ]
    return Stock(symbol, 1000, chance.choice([300, 5000]), way)


def _rows(stocks: Sequence[Stock], opens: datetime, lasts: int) -> Iterator[list[object]]:
    for second in range(lasts):
        for number, stock in enumerate(stocks):
            # The symbols take turns; when its price changes each has a snapshot, whoever's turn it is.
            changed = second and stock.price(second) != stock.price(second - 1)
            if changed or second % EVERY == number % EVERY or not second:
                yield _row(opens + timedelta(seconds=second), stock, second)


def _row(moment: datetime, stock: Stock, second: int) -> list[object]:
    last, volume = stock.price(second), 100_000 + (100 * second if stock.depth else 0)
    book: list[object] = []
    for side in (-1, 1):
        for level in range(LEVELS):
            book += [last + side * level * _TICK + (_TICK if side > 0 else 0), stock.depth]
    amount = volume * last
    return [moment.isoformat(" "), stock.symbol, last, CLOSE, volume, amount, *book, "continuous"]
