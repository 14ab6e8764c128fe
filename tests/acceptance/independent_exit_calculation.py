"""The exit rules once more, written from the rules alone: it imports nothing of the program and reads the files itself.

A replay must find the same decisions: kind, time of the strategy tick, quantity. Conventions:

* A quote arrives at its snapshot time. It counts when last > 0 and, while the file says TRADE with both sides
  present, bid 1 < ask 1.
* Strategy ticks run at every whole 5 s in 09:30:00 <= t < 11:30:00 and 13:00:00 <= t < 14:57:00 and see quotes up to
  and including t. A tick folds the quotes since the last tick that folded (the first: since 09:25), the last 64.
* A tick decides only on fresh quotes: the symbol's newest at most 90 s old, the feed's (any symbol) at most 10 s.
  Otherwise it folds nothing and the quotes wait for the next fresh tick.
* The holding was bought the session before: all of it is sellable, the day's high counts. What is decided sells at
  once, whole, at the tick.

Run it to see tables: `python tests/acceptance/independent_exit_calculation.py FOLDER_WITH_THE_ZIPS`.
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

STOP, PULLBACK = Decimal("-0.075"), Decimal("0.005")
FIRST, SELL_PART = Decimal("0.06"), Decimal("0.6")
# (gain in %, level in % of the high)
TIERS = [(5, 96), (10, 93), (15, 90), (20, 87), (30, 85), (40, 83), (50, 80)]
SECOND = 1000  # times are milliseconds since midnight


class Row(NamedTuple):
    """One accepted snapshot."""

    symbol: str
    time: int
    last: Decimal
    high: Decimal


class Decision(NamedTuple):
    """What is sold at which tick; `last` is the price it was decided at."""

    kind: str
    time: str
    quantity: int
    last: Decimal


def clock(text: str) -> int:
    """Return `09:30:05.000` as milliseconds since midnight."""
    hours, minutes, seconds = text.split(":")
    return (int(hours) * 60 + int(minutes)) * 60 * SECOND + int(Decimal(seconds) * SECOND)


def written(time: int) -> str:
    """Return milliseconds since midnight as `09:30:05`."""
    seconds = time // SECOND
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def read(archive: Path, member: str, columns: str) -> list[Row]:
    """Return the accepted snapshots of a ZIP's member in order of time; equal times stay as the file has them."""
    rows = []
    with zipfile.ZipFile(archive) as opened, opened.open(member) as stream:
        for cells in csv.DictReader(io.TextIOWrapper(stream, "utf-8")):
            time, status, *prices = (cells[column] for column in columns.split())
            last, high, bid, ask = map(yuan, prices)
            if last > 0 and not (status == "TRADE" and 0 < ask <= bid):
                symbol = cells["SecurityID"] + ".SH"
                rows.append(Row(symbol, clock(time.split("T")[-1]), last, high))
    return sorted(rows, key=lambda row: row.time)


def yuan(text: str) -> Decimal:
    """Return a price in yuan, to the cent; an empty cell is 0."""
    return Decimal(text or 0).quantize(Decimal("0.01"), ROUND_HALF_UP)


def moutai(data: Path) -> list[Row]:
    """Return the recorded day of 600519."""
    columns = "UpdateTime InstruStatus LastPrice HighPrice BidPrice1 AskPrice1"
    zipped = data / "600519_20230201_snapshot_orders_trades.zip"
    return read(zipped, "20230201/snapshot.csv", columns)


def thirty(data: Path) -> list[Row]:
    """Return the recorded morning of thirty symbols."""
    columns = "DateTime InstrumentStatus LastPx HighPx BidPrice0 OfferPrice0"
    zipped = data / "sh30_20211201_morning_snapshot.zip"
    return read(zipped, "20211201snapshot_30stocks.csv", columns)


def ticks() -> list[int]:
    """Return the times at which the strategy runs."""
    sessions = (("09:30:00", "11:30:00"), ("13:00:00", "14:57:00"))
    return [tick for a, b in sessions for tick in range(clock(a), clock(b), 5 * SECOND)]


class Holding:
    """One holding of `quantity` shares bought at `cost` the session before."""

    def __init__(self, symbol: str, quantity: int, cost: Decimal) -> None:
        self.symbol, self.quantity, self.cost = symbol, quantity, cost
        self.high = self.armed_high = self.level = Decimal(0)
        self.armed = self.first_done = False

    def fold(self, row: Row) -> set[str]:
        """Take one quote in and return which rules it reaches; `disarmed` takes a pullback back."""
        self.high = max(self.high, row.last, row.high)
        reached = {"stop_loss"} if row.last <= self.cost * (1 + STOP) else set()
        rule = self.trailing if self.first_done else self.first_take_profit
        return reached | rule(row.last)

    def first_take_profit(self, price: Decimal) -> set[str]:
        if not self.armed:
            self.armed = (price - self.cost) / self.cost >= FIRST
            self.armed_high = price
            return set()
        self.armed_high = max(self.armed_high, price)
        if (self.armed_high - price) / self.armed_high < PULLBACK:
            return set()
        self.armed = price >= self.cost * (1 + FIRST) * (1 - PULLBACK) ** 2
        return {"first_take_profit"} if self.armed else {"disarmed"}

    def trailing(self, price: Decimal) -> set[str]:
        gain = (self.high - self.cost) / self.cost * 100
        levels = [self.high * part / 100 for tier, part in TIERS if gain >= tier]
        self.level = max([self.level, *levels[-1:]])
        return {"trailing_take_profit"} if price <= self.level else set()

    def sell_part(self) -> int:
        """Return the shares the first take-profit sells: a part, floored to a lot, at least the minimum order."""
        least, step = (200, 1) if self.symbol.startswith("688") else (100, 100)
        return min(self.quantity, max(int(self.quantity * SELL_PART) // step * step, least))


def decide(holding: Holding, rows: list[Row]) -> str:
    """Fold the rows and return the rule that sells now, or nothing."""
    reached: set[str] = set()
    for row in rows:
        now = holding.fold(row)
        if "disarmed" in now:
            reached.discard("first_take_profit")
        reached |= now
    order = ("stop_loss", "trailing_take_profit", "first_take_profit")
    return next((kind for kind in order if kind in reached), "")


def decisions(rows: list[Row], symbol: str, quantity: int, cost: Decimal) -> list[Decision]:
    """Return every decision of a day for one holding, in order."""
    holding, made = Holding(symbol, quantity, cost), []
    waiting: list[Row] = []
    fed = newest = -SECOND * 86400
    arriving = iter([*rows, Row("", SECOND * 10**6, Decimal(0), Decimal(0))])
    following = next(arriving)
    for tick in ticks():
        while following.time <= tick:
            fed = following.time
            if following.symbol == symbol:
                newest = following.time
                waiting = [*waiting, following][-64:] if newest >= clock("09:25:00") else []
            following = next(arriving)
        fresh = tick - newest <= 90 * SECOND and tick - fed <= 10 * SECOND
        if not waiting or not fresh:
            continue
        folded, waiting = waiting, []
        if not (kind := decide(holding, folded)):
            continue
        sold = holding.sell_part() if kind == "first_take_profit" else holding.quantity
        holding.quantity -= sold
        holding.first_done = holding.first_done or kind == "first_take_profit"
        made.append(Decision(kind, written(tick), sold, folded[-1].last))
        if not holding.quantity:
            break
    return made


def table(rows: list[Row], symbol: str, quantity: int, costs: Iterable[Decimal]) -> None:
    """Print what each cost would have led to."""
    for cost in costs:
        made = decisions(rows, symbol, quantity, cost)
        told = " | ".join(" ".join(map(str, decision)) for decision in made) or "-"
        sys.stdout.write(f"{symbol} {quantity} @ {cost}: {told}\n")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    table(moutai(folder), "600519.SH", 1000, [Decimal(cost) for cost in range(1680, 2011, 10)])
    table(thirty(folder), "688233.SH", 1000, [Decimal(cost) / 2 for cost in range(150, 230)])
