"""A recorded week drawn from a seed: every session holdings fall through their stops, and two grids trade all day.

Offsets are seconds of market time after the first opening, nights and lunches included. Prices in yuan.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from tests.simulation.processes.market import (
    CENTRED,
    CENTRED_WAY,
    CLOSE,
    FALLEN,
    LEVELS,
    LOTS,
    LOTS_WAY,
    WINDOW,
    Market,
    Stock,
)
from tests.stack import OPENING

#: Both halves of a session, in seconds after its opening.
MORNING, AFTERNOON = (0, 7_200), (12_600, 19_800)
DAY = 86_400
#: Seconds between two snapshots of a symbol, and of one whose price changes soon or has just changed.
SELDOM, OFTEN, AROUND = 60, 6, 120
#: Holdings that fall in a session, and how long a grid's price stays where it is.
FALLS, STEP = 6, 300
#: How long no quote at all comes, once a session: at 20 times the speed time for a worker that hangs meanwhile to be
#: started again, and then for two looks of the health tick.
SILENCE = 3_000
_TICK = Decimal("0.01")
_HEADER = ["time", "symbol", "last", "previous_close", "volume", "amount"]


@dataclass(frozen=True)
class Session:
    """One day: its opening (China, naive), when its holdings fall, and when its quotes fall silent."""

    opens: datetime
    offset: int
    falls: Sequence[int]
    silent: tuple[int, int] | None

    @property
    def lunch(self) -> tuple[datetime, datetime]:
        return self._at(MORNING[1]), self._at(AFTERNOON[0])

    @property
    def closes(self) -> datetime:
        return self._at(AFTERNOON[1])

    def _at(self, seconds: int) -> datetime:
        return self.opens + timedelta(seconds=seconds)


def sessions(chance: random.Random, days: int, *, lasts: int = AFTERNOON[1]) -> list[Session]:
    """Draw the sessions, from Monday on. `lasts`: seconds of each in which something is to happen."""
    found: list[Session] = []
    on = OPENING
    while len(found) < days:
        if on.weekday() < 5:
            found.append(_session(on, chance, lasts))
        on += timedelta(days=1)
    return found


def _session(opens: datetime, chance: random.Random, lasts: int) -> Session:
    offset = round((opens - OPENING).total_seconds())
    # The last ones fall early enough to be sold before the close, whatever happens meanwhile.
    moments = [at for at in range(60, max(120, lasts - 2_400), 10) if _trading(at)]
    falls = sorted(chance.sample(moments, min(FALLS, len(moments) // 2)))
    silent = None
    if lasts > 4 * SILENCE:
        begins = chance.randrange(AFTERNOON[0] + 600, lasts - 2_400 - SILENCE)
        silent = (begins, begins + SILENCE)
    return Session(opens, offset, falls, silent)


def write_week(path: Path, week: Sequence[Session], chance: random.Random) -> Market:
    """Write what the terminal plays; a file that is there already is left as it is."""
    stocks: list[Stock] = []
    for session in week:
        stocks += [
            _falling(len(stocks) + number, session.offset + at, chance)
            for number, at in enumerate(session.falls)
        ]
    stocks += [_grid(LOTS, LOTS_WAY, week, chance), _grid(CENTRED, CENTRED_WAY, week, chance)]
    if not path.exists():
        spare = path.with_suffix(".half")
        with spare.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            names = [f"{side}{level}" for side in ("bid", "ask") for level in range(1, LEVELS + 1)]
            book = [part for name in names for part in (name, f"{name}_quantity")]
            writer.writerow([*_HEADER, *book, "status"])
            for number, session in enumerate(week):
                writer.writerows(_rows(stocks, session, week[:number]))
        spare.replace(path)
    return Market(path, stocks)


def _falling(number: int, at: int, chance: random.Random) -> Stock:
    way = [(0, CLOSE), (at, FALLEN)]
    if chance.random() < 0.4 and at % DAY > 700:
        way.insert(1, (at - 600, WINDOW))
    shares = chance.choice([300, 500, 900, 1250])
    return Stock(f"{600100 + number}.SH", shares, chance.choice([100, 200, 5000]), way)


def _grid(
    symbol: str, prices: Sequence[str], week: Sequence[Session], chance: random.Random
) -> Stock:
    turn = chance.randrange(len(prices))
    steps = [
        session.offset + at
        for session in week
        for at in range(0, AFTERNOON[1] - 2_400, STEP)
        if _trading(at)
    ]
    way = [(at, Decimal(prices[(turn + number) % len(prices)])) for number, at in enumerate(steps)]
    return Stock(symbol, 1000, chance.choice([300, 5000]), way)


def _rows(
    stocks: Sequence[Stock], session: Session, before: Sequence[Session]
) -> Iterator[list[object]]:
    close = -1 if not before else before[-1].offset + AFTERNOON[1]
    closes = {one.symbol: one.price(close) for one in stocks}
    changes = {one.symbol: {at for at, _ in one.way} for one in stocks}
    near = {one.symbol: _near(changes[one.symbol], session) for one in stocks}
    # What fell before yesterday is sold, and a terminal that starts again reads all of it.
    since = before[-1].offset if before else 0
    stocks = [one for one in stocks if one.falls_at is None or one.falls_at >= since]
    for second in range(AFTERNOON[1]):
        if not _trading(second) or _within(second, session.silent):
            continue
        for number, stock in enumerate(stocks):
            every = OFTEN if second in near[stock.symbol] else SELDOM
            changed = session.offset + second in changes[stock.symbol]
            if changed or second % every == number % every or not second:
                yield _row(session, stock, second, closes[stock.symbol])


def _near(changes: set[int], session: Session) -> set[int]:
    inside = [at - session.offset for at in changes if 0 <= at - session.offset < AFTERNOON[1]]
    return {second for at in inside for second in range(at - 6, at + AROUND)}


def _row(session: Session, stock: Stock, second: int, close: Decimal) -> list[object]:
    last, volume = stock.price(session.offset + second), 100_000 + 100 * second
    book: list[object] = []
    for side in (-1, 1):
        for level in range(LEVELS):
            book += [last + side * level * _TICK + (_TICK if side > 0 else 0), stock.depth]
    moment = (session.opens + timedelta(seconds=second)).isoformat(" ")
    return [moment, stock.symbol, last, close, volume, volume * last, *book, "continuous"]


def _trading(second: int) -> bool:
    return any(begins <= second < ends for begins, ends in (MORNING, AFTERNOON))


def _within(second: int, span: tuple[int, int] | None) -> bool:
    return span is not None and span[0] <= second < span[1]


def at_time(on: datetime, hour: int, minute: int, second: int = 0) -> datetime:
    """Return a moment of the day of `on`."""
    return datetime.combine(on.date(), time(hour, minute, second))
