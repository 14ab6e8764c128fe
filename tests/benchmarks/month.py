"""The database after a month of trading: its size, and which rows it is made of.

Twenty-two sessions on a virtual clock through the services that write in production: gateway, ticks and reconciliation
as in a replay; every minute the curves and the alerts, every ten the health tick; after the close the bars, the day's
report, the audit chain, what may be forgotten, and the look after the file. The holdings are quoted once a minute (how
often does not matter: quotes are no rows), three of them fall through their stops each day, so that 76 become 10, two
grids trade all day, and the processes warn of something 300 times a day. SQLite.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from tests.benchmarks.ground import Ground
from tests.benchmarks.measured import Case, Target
from trading.domain.symbols import parse_symbol
from trading.domain.types import CHINA, BookStatus, Level, Quote, Symbol
from trading.market_data.sources import Recording
from trading.replay.engine import Options, Replay, Seed
from trading.services.calendar import load_calendar

MONDAY = date(2026, 8, 10)
#: What the grids do, one price after the other.
GRID_WAY = ("10", "9.78", "9.6", "9.78", "10.05", "10.3")
GRIDS = ("600036.SH:lot,grid_buy_amount=5000,max_investment=60000,grid_take_profit_ratio=0.02",
         "601166.SH:centred,max_investment=60000,interval=0.02,base_quantity=0")  # fmt: skip
UP, DOWN = Decimal("9.40"), Decimal("8.55")


@dataclass(frozen=True)
class Parameters:
    """`minutes`: of each session in which there are quotes; `step`: those until a grid's price changes.

    `holdings`: those that never fall.
    """

    sessions: int = 22
    minutes: int = 330
    step: int = 10
    holdings: int = 10
    falls: int = 3
    warnings: int = 300


PARAMETERS = Parameters()
QUICK = Parameters(sessions=2, minutes=12, step=1, holdings=4, falls=1, warnings=30)

#: MB after the whole month, and bytes that a session may add to a migrated database in the small form.
MONTH_MB, QUICK_BYTES = 60.0, 80_000


def run(ground: Ground, parameters: Parameters) -> Iterator[Case]:
    from django.db import connection

    ground.fresh()
    empty = ground.database.stat().st_size
    month = _Month(ground, parameters)
    month.run()
    connection.close()
    size = sum(one.stat().st_size for one in ground.home.glob(f"{ground.database.name}*"))
    limit = MONTH_MB
    if parameters != PARAMETERS:
        limit = (empty + QUICK_BYTES * parameters.sessions) / 1e6
    yield Case(
        f"database after {parameters.sessions} sessions",
        [size / 1e6],
        "MB",
        facts={"migrated": round(empty / 1e6, 2), "by day": month.sizes, **_largest(ground)},
        targets=[Target("size", size / 1e6, limit)],
    )


class _Month(Replay):
    """A replay on the ground's own database, with everything else that writes rows beside it."""

    def __init__(self, ground: Ground, parameters: Parameters) -> None:
        self.ground, self.parameters = ground, parameters
        self.sizes: list[float] = []
        calendar = load_calendar()
        days = _sessions(parameters.sessions, calendar.is_session)
        count = parameters.holdings + parameters.falls * len(days)
        self._held = [parse_symbol(f"{600100 + number}.SH") for number in range(count)]
        quotes = tuple(self._quotes(days))
        symbols = tuple(sorted({quote.symbol for quote in quotes}))
        recording = Recording("a month", "0" * 64, tuple(days), symbols, (), 10, quotes)
        settings = {"grid_enabled": "on", "daily_loss_ratio": "0.5"}
        seeds = [Seed(symbol, 500, Decimal(10)) for symbol in self._held]
        super().__init__([recording], Options(seeds, settings=settings, guests={"grids": GRIDS}))

    def _quotes(self, days: Sequence[date]) -> Iterator[Quote]:
        grids = [parse_symbol(spec.split(":")[0]) for spec in GRIDS]
        falls = self.parameters.falls
        for number, on in enumerate(days):
            falling = self._held[number * falls : (number + 1) * falls]
            held = self._held[number * falls :]
            for minute, moment in enumerate(_minutes(on, self.parameters.minutes)):
                for place, symbol in enumerate(held):
                    down = symbol in falling and minute > 2 + 3 * place
                    yield _quote(symbol, moment, DOWN if down else UP, UP, minute)
                step = number + minute // self.parameters.step
                price = Decimal(GRID_WAY[step % len(GRID_WAY)])
                for symbol in grids:
                    yield _quote(symbol, moment, price, Decimal(10), minute)

    def _second(self, now: datetime, batch: Sequence[Quote]) -> None:
        from monitoring.alerts.collect import collect
        from monitoring.services.curves import record_curves
        from monitoring.services.health import check_health

        if not batch and self._is_idle(now):
            return  # nothing happens, and nothing that happens adds a row
        super()._second(now, batch)
        if now.second == 30:
            record_curves(now, self.store)
            collect(now, self.ground.home)
            if now.minute % 10 == 0:
                check_health(self.store, lambda: now, self.ground.home)
        if now.time() == time(15, 35, 20):
            self._evening(now + timedelta(minutes=20))

    def _is_idle(self, now: datetime) -> bool:
        """Before the opening, at lunch, and once the quotes of a short session are over: the clock goes on alone."""
        ends = datetime.combine(now.date(), time(9, 31), CHINA) + timedelta(
            minutes=self.parameters.minutes
        )
        return (
            now.time() < time(9, 29)
            or time(11, 31) < now.time() < time(12, 59)
            or ends < now < now.replace(hour=15, minute=34, second=0)
        )

    def _evening(self, now: datetime) -> None:
        from monitoring.alerts.collect import collect
        from monitoring.audit import chain
        from monitoring.care.retention import forget
        from monitoring.care.round import look_after_file
        from monitoring.log_rows import collect as collect_lines
        from monitoring.services.day_report import make_day_reports
        from trading.models import Account
        from trading.services.daily_bars import bars_of_quotes, keep_bars

        account = Account.objects.get()
        latest = self.store.latest(self.recordings[0].symbols)
        keep_bars(bars_of_quotes(latest, now.date()), "quotes", self.calendar, now)
        assert make_day_reports(now), account
        self._warn(now)
        collect_lines(self.ground.home)
        collect(now, self.ground.home)
        chain.extend(now)
        while forget(now).more:
            pass
        look_after_file()
        self.sizes.append(round(self.ground.database.stat().st_size / 1e6, 2))

    def _warn(self, now: datetime) -> None:
        folder = self.ground.home / "logs"
        folder.mkdir(exist_ok=True)
        line = {
            "at": now.isoformat(),
            "level": "warning",
            "process": "worker",
            "logger": "trading.services.tick",
            "event": "600100.SH: the quote is 12.4 s old, nothing is decided on it, and this is said once a minute",
        }
        with (folder / "worker.jsonl").open("a", encoding="utf-8") as file:
            for number in range(self.parameters.warnings):
                file.write(json.dumps({**line, "task": f"{number}"}) + "\n")


def _sessions(count: int, is_session: Callable[[date], bool]) -> list[date]:
    found: list[date] = []
    on = MONDAY
    while len(found) < count:
        if is_session(on):
            found.append(on)
        on += timedelta(days=1)
    return found


def _minutes(on: date, count: int) -> Iterator[datetime]:
    at = datetime.combine(on, time(9, 30), CHINA)
    while count:
        if not time(11, 30) <= at.time() < time(13) and at.time() <= time(15):
            yield at
        count -= 1
        at += timedelta(minutes=1)


def _quote(
    symbol: Symbol, moment: datetime, last: Decimal, previous_close: Decimal, minute: int
) -> Quote:
    tick = Decimal("0.01")
    bids = tuple(Level(last - tick * (level + 1), 10_000) for level in range(5))
    asks = tuple(Level(last + tick * (level + 1), 10_000) for level in range(5))
    return Quote(
        symbol=symbol,
        time=moment,
        last=last,
        previous_close=previous_close,
        open=last,
        high=last,
        low=last,
        volume=1_000_000 + 10_000 * minute,
        bids=bids,
        asks=asks,
        status=BookStatus.CONTINUOUS,
    )


def _largest(ground: Ground) -> dict[str, Any]:
    """The tables with most bytes: rows and MB; without dbstat rows alone."""
    import sqlite3

    with closing(sqlite3.connect(ground.database)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]  # fmt: skip
        rows = {name: database.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in names}  # fmt: skip
        try:
            sizes = dict(
                database.execute(
                    "SELECT s.tbl_name, SUM(d.pgsize) FROM dbstat d JOIN sqlite_master s ON s.name = d.name"
                    " GROUP BY s.tbl_name ORDER BY 2 DESC LIMIT 12"
                )
            )
        except sqlite3.OperationalError:
            sizes = dict.fromkeys(sorted(rows, key=lambda name: -rows[name])[:12], 0)
    return {name: f"{rows.get(name)} rows, {sizes[name] / 1e6:.2f} MB" for name in sizes}
