"""A made-up day through the real services, for tests: quotes and actions at given times, then look at the rows.

    world = World(holdings=[("600036.SH", 1000, "10.00")])
    world.quote("09:30:00", "600036.SH", "10.00")
    world.hold("600036.SH", "9.20", since="09:31:00", until="09:40:00")   # a quote every 3 s
    world.at("09:35:00", lambda: config.change(world.account.pk, {...}, actor=None, why="test"))
    world.run(until="10:00:00")
    assert world.orders()[0].state == "filled"

Everything is real: exchange, terminal, look-alike, adapter, gateway, desk, ticks, database. Needs a test database
with the calendar filled (the `calendar` fixture in tests/conftest.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from trading.domain.symbols import parse_symbol
from trading.domain.types import CHINA, BookStatus, CorporateAction, Level, Quote, Side, Symbol
from trading.market_data.sources import Recording
from trading.models import Denial, Event, Fill, Order, Position, Signal
from trading.paper.terminal import Terminal
from trading.replay.engine import BROKER_ACCOUNT, Options, Replay, Seed

TODAY = date(2023, 2, 1)
TICK = Decimal("0.01")


class _EndOfTest(Exception):
    """The world has run as far as the test asked."""


class World(Replay):
    """One account on one made-up session (`on`), everything else as in a replay."""

    def __init__(
        self,
        holdings: Sequence[tuple[str, int, str]] = (),
        *,
        cash: str = "1000000",
        on: date = TODAY,
        settings: dict[str, str] | None = None,
        corporate_actions: Sequence[CorporateAction] = (),
        symbols: Sequence[str] = (),
        skip: bool = True,
    ) -> None:
        self.on = on
        self._made: list[Quote] = []
        self._actions: list[tuple[datetime, Callable[[], object]]] = []
        self._ends: datetime | None = None
        seeds = [Seed(parse_symbol(s), quantity, Decimal(cost)) for s, quantity, cost in holdings]
        known = {seed.symbol for seed in seeds} | {parse_symbol(s) for s in symbols}
        recording = Recording("made up", "0" * 64, (on,), tuple(sorted(known)), (), 10, ())
        options = Options(
            seeds, Decimal(cash), dict(settings or {}), tuple(corporate_actions), skip
        )
        super().__init__([recording], options)

    # -- what happens

    def moment(self, clock: str | datetime) -> datetime:
        """Return `09:30:05` on this session's day; a moment of another day is given whole."""
        if isinstance(clock, datetime):
            return clock
        return datetime.combine(self.on, time.fromisoformat(clock), CHINA)

    def quote(
        self,
        clock: str | datetime,
        symbol: str,
        last: str,
        *,
        previous_close: str = "10.00",
        bids: Sequence[tuple[str, int]] | None = None,
        asks: Sequence[tuple[str, int]] | None = None,
        high: str | None = None,
        low: str | None = None,
        volume: int | None = None,
        status: BookStatus = BookStatus.CONTINUOUS,
    ) -> Quote:
        """Add one quote; by default five levels of 10,000 shares a tick apart on each side of `last`."""
        at = self.moment(clock)
        price = Decimal(last)
        made = Quote(
            symbol=parse_symbol(symbol),
            time=at,
            last=price,
            previous_close=Decimal(previous_close),
            open=price,
            high=Decimal(high or last),
            low=Decimal(low or last),
            volume=volume if volume is not None else 1_000_000 + len(self._made) * 1000,
            bids=_levels(bids, price - TICK, -TICK),
            asks=_levels(asks, price + TICK, TICK),
            status=status,
        )
        self._made.append(made)
        return made

    def hold(
        self,
        symbol: str,
        last: str,
        *,
        since: str | datetime,
        until: str | datetime,
        every: int = 3,
        **more: Any,
    ) -> None:
        """Repeat the same quote every few seconds in [since, until)."""
        at, end = self.moment(since), self.moment(until)
        while at < end:
            self.quote(at, symbol, last, **more)
            at += timedelta(seconds=every)

    def at(self, clock: str | datetime, action: Callable[[], object]) -> None:
        """Run `action` after everything of that second has happened."""
        self._actions.append((self.moment(clock), action))

    def somebody(
        self, clock: str | datetime, side: Side, symbol: str, quantity: int, price: str
    ) -> None:
        """Somebody places an order at the terminal, past this program."""
        at, code = self.moment(clock), parse_symbol(symbol)
        arguments = (BROKER_ACCOUNT, code, side, quantity, Decimal(price), "", "by hand", at)
        self.at(at, lambda: self.exchange.submit(*arguments))

    def run(  # type: ignore[override]
        self, progress: object = None, until: str | datetime = "15:35:20"
    ) -> None:
        """Play the days up to and including the second `until`. May be called once."""
        self._ends = self.moment(until)
        self._made.sort(key=lambda quote: quote.time)
        recording = self.recordings[0]
        self.recordings = [
            Recording(
                recording.name,
                recording.sha256,
                recording.sessions,
                recording.symbols,
                (),
                10,
                tuple(self._made),
            )
        ]
        with suppress(_EndOfTest):
            super().run()

    def _second(self, now: datetime, batch: Sequence[Quote]) -> None:
        super()._second(now, batch)
        for moment, action in self._actions:
            if moment == now:
                action()
        if self._ends is not None and now >= self._ends:
            raise _EndOfTest

    def _converse(self, now: datetime) -> None:
        """The transaction around a test never commits: what waits for the commit, the nudge, is done here."""
        waiting, connection.run_on_commit = connection.run_on_commit, []
        for entry in waiting:
            entry[1]()
        super()._converse(now)

    # -- what came of it

    @property
    def terminal(self) -> Terminal:
        """The twin, to be told to misbehave (`delivery`, `set_account_status`, `close`) or to show its books."""
        return self._terminal

    def signals(self, **where: object) -> list[Signal]:
        return list(Signal.objects.filter(account=self.account, **where).order_by("pk"))

    def orders(self, **where: object) -> list[Order]:
        return list(Order.objects.filter(account=self.account, **where).order_by("pk"))

    def fills(self, **where: object) -> list[Fill]:
        return list(Fill.objects.filter(account=self.account, **where).order_by("pk"))

    def denials(self, **where: object) -> list[Denial]:
        return list(Denial.objects.filter(account=self.account, **where).order_by("pk"))

    def events(self, **where: object) -> list[Event]:
        return list(Event.objects.filter(account=self.account, **where).order_by("pk"))

    def position(self, symbol: str) -> Position:
        return Position.objects.get(
            account=self.account, symbol=Symbol(parse_symbol(symbol)), closed_at__isnull=True
        )


def _levels(
    given: Sequence[tuple[str, int]] | None, first: Decimal, step: Decimal
) -> tuple[Level, ...]:
    if given is not None:
        return tuple(Level(Decimal(price), quantity) for price, quantity in given)
    return tuple(Level(first + step * depth, 10_000) for depth in range(5))
