"""One seed as a slice of a day: one thread, a virtual clock, and one scheduler over everything that acts.

Each second the market, the terminal, the gateway, the ticks and people act in an order drawn from the seed. A process
that crashes at a crash point is dropped; its database or store stays, and a new one is built some seconds later.
"""

from __future__ import annotations

import itertools
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import partial
from unittest import mock

from django.db import OperationalError, connection

from grid.strategy import GRID
from tests.simulation.database import ACCOUNT, BROKER_ACCOUNT, TODAY, Database
from tests.simulation.logged import LoggedErrors
from tests.simulation.market import EVERY, Prices
from tests.simulation.people import act, steer
from tests.simulation.plan import PAUSES, SETTLE, Plan
from tests.simulation.wire import Arrived, Crash, WatchedExchange, Wire
from trading import faults
from trading.broker.gateway import Gateway
from trading.broker.qmt import QmtBroker
from trading.domain.fees import FeeSchedule
from trading.domain.pace import Pace
from trading.domain.types import CHINA, GatewayStatus, Side, Symbol
from trading.errors import StandDown
from trading.management import gateway_loop
from trading.management.gateway_loop import GatewayLoop, Protection
from trading.management.watchdog import Keeper, Watchdog
from trading.market_data.pump import MarketData
from trading.market_data.store import MemoryQuoteStore
from trading.market_data.xtquant_feed import XtQuantFeed
from trading.models import Fill
from trading.paper import transport, xtdata, xttrader, xttype
from trading.paper.misbehaviours import Misbehaviours
from trading.paper.records import Account
from trading.paper.store import Store
from trading.paper.terminal import Terminal
from trading.ports import Broker
from trading.selectors import instruments_of, read_agenda, read_busy
from trading.services import config, runner
from trading.services.desk import AccountDesk
from trading.services.gateway_lease import END_AFTER, RENEW
from trading.services.pricing import limits_by_rule
from trading.services.runner import ORDERS, STRATEGY, SYNC, TICKS, Due, TickSpec, run_tick

STARTS = datetime.combine(TODAY, time(9, 40), CHINA)
SESSION = 100
SECOND = timedelta(seconds=1)
#: When the afternoon of a day that closes at once is over, and for how many seconds things go wrong then.
CLOSING, WRONG_AT_THE_CLOSE = datetime.combine(TODAY, time(15, 34, 57), CHINA), 25
#: Seconds without anything open after which a calm world has settled: two ticks of every kind.
QUIET = timedelta(seconds=12)
#: Afterwards the scheduler comes by every second for so long, then less often: a slow machine, on which most waits
#: for the proof that an order does not exist pass.
AWAKE, LEAP = timedelta(seconds=10), timedelta(seconds=3)
#: The ticks, and the second of its period at which each is due.
_TICKS = {SYNC: 3, STRATEGY: 1, ORDERS: 0, GRID: 2}
_names = itertools.count()
log = logging.getLogger("trading.simulation")
ARMED = GatewayStatus.ARMED


@dataclass(eq=False, slots=True)
class Program:
    """One gateway process."""

    number: int
    broker: Broker
    gateway: Gateway
    session: int
    #: Renews the lease as the command does, and ends the program that lost it.
    keeper: Keeper
    loop: GatewayLoop | None = None
    alive: bool = True
    frozen: bool = False
    #: Fills that were pushed to it and not looked for yet in the books.
    told: dict[str, datetime] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        return self.gateway._epoch


class World:
    """The whole of one seed. `run` plays it; afterwards `tests.simulation.invariants` looks at the rows and records."""

    def __init__(self, plan: Plan, database: Database) -> None:
        self.plan, self.calendar = plan, database.calendar
        database.reset()
        self.chance = random.Random(f"world:{plan.seed}")
        self.now = STARTS
        self.story: list[str] = []
        self.hits: Counter[str] = Counter()
        self.crashes: list[Crash] = []
        self.injected: list[str] = []
        self.errors = LoggedErrors()
        self.problems: list[str] = []  # what the checks during the run found
        self.running: Program | None = None
        self._process = "worker"
        self._interlude = False
        self._numbers = itertools.count(1)
        self.calm = self.closed = self._opened = False
        self._periods = dict.fromkeys(_TICKS, -1)
        self._looked: tuple[object, tuple[bool, bool]] = None, (True, True)
        self._wish: datetime | None = None  # for a snapshot that shows what had happened by then
        self._done = 0, 0
        self.prices = Prices(plan)
        self.store = MemoryQuoteStore()
        self.wire = Wire(self)
        self._address = f"memory://simulation-{next(_names)}"
        self.trouble = STARTS + timedelta(seconds=plan.seconds)
        self._twin = Store(":memory:")
        self.exchange: WatchedExchange
        self.terminal: Terminal | None = None
        self.arrived: list[Arrived] = []
        self._terminal_back: datetime | None = None
        self._gateway_back: datetime | None = None
        self.programs: list[Program] = []
        self.externals: set[str] = set()
        self.revisions = [(STARTS, 1)]
        self.kill_file: str | None = None
        self._open_account()
        transport.serve_in_process(self._address, self.wire)  # type: ignore[arg-type]
        self._feed = XtQuantFeed(xtdata.connect_to(self._address), heartbeat=10)
        self.market_data = MarketData([self._feed], self.store, limits_by_rule(self.calendar))
        self.market_data.subscribe([Symbol(stock.symbol) for stock in plan.stocks])

    # -- the start

    def _open_account(self) -> None:
        self.exchange = self._new_exchange()
        before = self.calendar.previous_session(TODAY) or TODAY
        self.exchange.open_account(BROKER_ACCOUNT, Decimal(300_000), FeeSchedule())
        self.exchange.advance(datetime.combine(before, time(15, 40), CHINA))
        for stock in self.plan.stocks:
            if stock.held:
                symbol = Symbol(stock.symbol)
                self.exchange.seed_position(
                    BROKER_ACCOUNT, symbol, stock.held, stock.first, before
                )
        self.terminal = self._new_terminal()
        early = STARTS - timedelta(minutes=5)
        for quote in self.prices.quotes(-EVERY, early):
            self.terminal.feed([quote])
        for stock in self.plan.stocks:
            if stock.bought_today:
                price = stock.first + Decimal("0.20")
                self._by_hand(stock.symbol, Side.BUY, stock.bought_today, price, early)
        config.change(ACCOUNT, self.plan.settings, actor=None, why="simulation")
        self.revisions = [(STARTS, 2)]
        until = self.trouble
        if self.plan.closes_at_once:
            until = CLOSING + WRONG_AT_THE_CLOSE * SECOND
        self.misbehaving = Misbehaviours(self.plan.misbehaviours, self.plan.seed, until)
        self.terminal.delivery = self.misbehaving
        self.opening = {
            symbol: holding.quantity for symbol, holding in self.account.positions.items()
        }

    def _by_hand(
        self, symbol: str, side: Side, quantity: int, price: Decimal, at: datetime
    ) -> None:
        self.exchange.submit(
            BROKER_ACCOUNT, Symbol(symbol), side, quantity, price, "", "by hand", at
        )

    def _new_exchange(self) -> WatchedExchange:
        symbols = [Symbol(stock.symbol) for stock in self.plan.stocks]
        exchange = WatchedExchange(self.calendar, dict(instruments_of(symbols)))
        exchange.arrived = self.arrived if hasattr(self, "arrived") else []
        self.arrived = exchange.arrived
        return exchange

    def _new_terminal(self) -> Terminal:
        return Terminal(self.exchange, self._twin, getattr(self, "misbehaving", None))

    def _broker(self, session: int) -> Broker:
        return QmtBroker(xttrader, xttype, self._address, session, BROKER_ACCOUNT)

    def never_shown(self, order_id: int) -> bool:
        """Whether the channel leaves out this order when it is refused."""
        return False

    def _start_gateway(self, session: int = SESSION) -> Program:
        broker = self._broker(session)
        desk = AccountDesk(ACCOUNT, self.store, self.calendar)
        gateway = Gateway(broker, desk, killed=lambda: self.kill_file)
        watchdog = Watchdog(END_AFTER.total_seconds, self._monotonic)
        keeper = Keeper(desk.renew, watchdog, RENEW.total_seconds(), self._monotonic)
        program = Program(len(self.programs) + 1, broker, gateway, session, keeper)
        if self.plan.worker_dead:
            protection = Protection(
                ACCOUNT,
                self.store,
                gateway.nudge,
                lambda: self.now,
                self._monotonic,
                [*TICKS.values(), *([GRID] if self.plan.grids else [])],
            )
            program.loop = GatewayLoop(
                ACCOUNT, gateway, protection, self.calendar, lambda: self.now
            )
        self.programs.append(program)
        self.log("gateway", f"number {program.number} starts")
        return program

    # -- what the parts ask

    @property
    def account(self) -> Account:
        return self.exchange.accounts[BROKER_ACCOUNT]

    def _monotonic(self) -> float:
        return (self.now - STARTS).total_seconds()

    def count(self) -> int:
        return next(self._numbers)

    def trading_state(self) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT trading_state FROM trading_account WHERE id = 1")
            return str(cursor.fetchone()[0])

    def lease_epoch(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT epoch FROM trading_gatewaylease WHERE account_id = 1")
            return int(cursor.fetchone()[0])

    def log(self, who: str, what: str) -> None:
        self.story.append(f"{self.now:%H:%M:%S} {who}: {what}")

    @contextmanager
    def as_process(self, name: str) -> Iterator[None]:
        before, self._process = self._process, name
        try:
            yield
        finally:
            self._process = before

    # -- crash points

    def _point(self, name: str) -> None:
        self.hits[name] += 1
        plan = self.plan
        if self.calm or self._interlude or (plan.points and name not in plan.points):
            return
        if plan.crashes and self.chance.random() < plan.crashes:
            crash = Crash("terminal" if name.startswith("terminal.") else self._process, name)
            self.crashes.append(crash)
            self.log("CRASH", str(crash))
            raise crash
        if plan.raises and not name.startswith("terminal.") and self.chance.random() < plan.raises:
            self.injected.append(name)
            for program in self.programs:
                program.told.clear()
            self.log("FAULT", f"database is locked at {name}")
            raise OperationalError("database is locked")
        if plan.delays and name in PAUSES and self.chance.random() < plan.delays:
            self._meanwhile(name)

    def _meanwhile(self, name: str) -> None:
        """The gateway is paused here for some seconds; everybody else goes on."""
        seconds = self.chance.randint(1, 4)
        self.log("PAUSE", f"{seconds} s at {name}")
        self._interlude, paused = True, self.running
        self.running = None
        with self.as_process("worker"):
            for _ in range(seconds):
                self.now += SECOND
                self._second(self._others())
            if self.plan.kill_at_point and name in ("gateway.claimed", "gateway.checked"):
                act(self, "halt")
        self._interlude, self.running = False, paused

    # -- the run

    def run(self) -> World:
        root = logging.getLogger("trading")
        level, root.level = root.level, logging.ERROR
        root.addHandler(self.errors)
        propagate, root.propagate = root.propagate, False
        faults.arm(self._point)
        try:
            with self._known_facts():
                self._play()
        finally:
            faults.arm(None)
            root.removeHandler(self.errors)
            root.setLevel(level)
            root.propagate = propagate
            transport.forget(self._address)
            self._twin.close()
        return self

    @contextmanager
    def _known_facts(self) -> Iterator[None]:
        """The calendar and which account is due are the same for every tick: not read again each time."""
        due = [Due(ACCOUNT, "sim", self.now, None, Pace())]

        def times(real: datetime, only: int | None = None) -> list[Due]:
            due[0] = Due(ACCOUNT, "sim", real, None, Pace())
            return due

        with (
            mock.patch.object(runner, "load_calendar", return_value=self.calendar),
            mock.patch.object(runner, "market_times", times),
            mock.patch.object(gateway_loop, "market_times", times),
        ):
            yield

    def _play(self) -> None:
        start = self.chance.randint(10, 25) if self.plan.late_start else 0
        self._gateway_back = STARTS + timedelta(seconds=start)
        while self.now < self.trouble:
            if self.plan.second_gateway:
                self._two_gateways(int((self.now - STARTS).total_seconds()))
            self._second(self._everybody())
            self.now += SECOND
        if self.plan.closes_at_once:
            self._close_at_once()
        self._calm_down()
        end, leap_from = self.now + timedelta(seconds=SETTLE), self.now + AWAKE
        quiet = timedelta(0)
        while quiet < QUIET and self.now < end:
            self._second(self._everybody())
            passed = SECOND if self.now < leap_from and not quiet else LEAP
            self.now += passed
            quiet = quiet + passed if self._is_quiet() else timedelta(0)
        if self.plan.day_end and not self.closed:
            self._end_of_the_day()

    def _close_at_once(self) -> None:
        """The afternoon is left out, and the books close while orders rest and things go wrong."""
        self.now = CLOSING
        self.log("clock", "the books close in three seconds")
        self.closed = True
        for _ in range(WRONG_AT_THE_CLOSE):
            self._second(self._everybody())
            self.now += SECOND

    def _end_of_the_day(self) -> None:
        """The afternoon is left out: the books close, and everything is asked once more."""
        self.now = datetime.combine(TODAY, time(15, 34, 50), CHINA)
        self.log("clock", "the books close in ten seconds")
        self.closed = True
        for _ in range(15):
            self._second(self._everybody())
            self.now += LEAP

    def _is_quiet(self) -> bool:
        """Whether nothing is open, the gateway armed, and last price and account read: what is to come has come."""
        acting = [p.gateway for p in self.programs if p.alive and p.gateway.status is ARMED]
        # An order may begin and end within one second.
        done, self._done = self._done, (len(self.wire.sent), len(self.account.trades))
        if done != self._done or self._open[0] or not self.prices.known(self.store):
            return False
        return any(
            self._wish is None or (one.snapshot_at or STARTS) >= self._wish for one in acting
        )

    @property
    def _open(self) -> tuple[bool, bool]:
        """Whether a signal or an order is open, and an orders tick has something to look at; read after a change."""
        changes = getattr(connection.connection, "total_changes", object())  # else: always
        if changes != self._looked[0]:
            busy = read_busy(ACCOUNT)
            agenda = read_agenda(ACCOUNT)
            at_work, self._wish = busy.signals or agenda.open_work, agenda.snapshot_wanted
            self._looked = changes, (at_work, busy.orders or busy.signals)
        return self._looked[1]

    def _two_gateways(self, second: int) -> None:
        """A gateway stands still, a second one with a session of its own takes over, and the first comes to itself.

        That is in the middle of a cycle, and at a bad moment: when an order waits for its gateway.
        """
        if second == 15:
            for program in self.programs:
                program.frozen = True
        if second == 17:
            self._start_gateway(SESSION + 1)
        frozen = [program for program in self.programs if program.frozen and program.alive]
        if second > 20 and frozen and (self._order_waits() or second + 2 > self.plan.seconds):
            for program in frozen:
                program.frozen = False
                self._step(program)

    def _order_waits(self) -> bool:
        return bool(read_agenda(ACCOUNT).approved)

    def _end(self, program: Program) -> None:
        program.alive = False
        if self.terminal is not None:
            self.terminal.release_session(program.session)

    def _calm_down(self) -> None:
        """The time of faults is over: everything that is down comes back, nothing misbehaves any more."""
        self.log("CALM", "no more faults")
        self.calm = True
        for line in self.wire.leaked:
            line.terminal.close_client(line.client)
        self.wire.leaked.clear()
        if self._terminal_back is not None:
            self._terminal_back = self.now
        self._gateway_back = self.now  # unless one lives, it starts now
        for program in self.programs:
            program.frozen = False

    def _second(self, actors: list[Callable[[], None]]) -> None:
        self.chance.shuffle(actors)
        for actor in actors:
            actor()

    def _everybody(self) -> list[Callable[[], None]]:
        return [*self._others(), *self._gateways()]

    def _others(self) -> list[Callable[[], None]]:
        second = int((self.now - STARTS).total_seconds())
        actors: list[Callable[[], None]] = [self._twin_steps]
        if not self.closed:
            actors.append(self._market)
        if self.plan.leaked_stop and not self.calm and second % 12 == 11:
            actors.append(self.wire.break_connections)
        worker = not self.plan.worker_dead or not 15 < second < self.plan.seconds
        for spec in _TICKS:
            if worker and self._due(spec, second) and self._useful(spec):
                times = self.chance.choice([1, 2]) if self.plan.doubled_ticks else 1
                actors += [lambda spec=spec: self._tick(spec)] * times  # type: ignore[misc]
        actors += [partial(self._guard, "web", deed) for deed in self._deeds(second)]
        return actors

    def _deeds(self, second: int) -> Iterator[Callable[[], None]]:
        """What people do in this second, each in a process of the web server."""
        for grid in self.plan.grids:
            for at, what in ((grid.second, "start"), *grid.deeds):
                if at == second:
                    yield partial(steer, self, grid, what)
        for deed in self.plan.deeds:
            if deed.second == second:
                yield partial(act, self, deed.kind, deed)

    def _due(self, spec: TickSpec, second: int) -> bool:
        """Whether a period of a tick has begun since it was due last."""
        begun = (second - _TICKS[spec]) // int(spec.period.total_seconds())
        if begun == self._periods[spec]:
            return False
        self._periods[spec] = begun
        return True

    def _useful(self, spec: TickSpec) -> bool:
        if spec is GRID:
            return bool(self.plan.grids)
        return spec is not ORDERS or self._open[1]

    def _market(self) -> None:
        second = int((self.now - STARTS).total_seconds())
        quotes = self.prices.quotes(second, self.now)
        if quotes and self.terminal is not None:
            self._guard("terminal", lambda: self.terminal.feed(quotes))  # type: ignore[union-attr]
        if self._feed._xtdata._connection is None and second % 3 == 0:  # type: ignore[attr-defined]
            self._feed._subscribed.clear()
            self.market_data.subscribe([Symbol(stock.symbol) for stock in self.plan.stocks])
        self.market_data.step(self.now)

    def _twin_steps(self) -> None:
        if self.terminal is None:
            if self._terminal_back is not None and self.now >= self._terminal_back:
                self._terminal_returns()
            return
        self._guard("terminal", lambda: self.terminal.step(self.now))  # type: ignore[union-attr]

    def _terminal_returns(self) -> None:
        self.log("terminal", "is back")
        self.exchange = self._new_exchange()
        self._terminal_back, self.terminal = None, self._new_terminal()
        terminal, again = self.terminal, self.prices.again(self.now)
        self._guard("terminal", lambda: terminal.feed(again))
        self._feed._xtdata.disconnect()  # type: ignore[attr-defined]

    def terminal_died(self, crash: Crash) -> None:
        dead, self.terminal = self.terminal, None
        self._terminal_back = self.now + timedelta(seconds=self.chance.randint(1, 10))
        if dead is not None and self.chance.random() < 0.5:
            dead.close()

    def _tick(self, spec: TickSpec) -> None:
        """Run it as a worker does; without the lease where nobody doubles it, which saves half of its queries."""
        if self.plan.doubled_ticks or self.plan.worker_dead:
            self._guard(
                "worker", lambda: run_tick(spec, self.store, self._nudge, lambda: self.now)
            )
        else:
            arguments = (ACCOUNT, self.now, self.store, self.calendar, self._nudge)
            self._guard("worker", lambda: spec.run(*arguments))

    def _nudge(self, account_id: int) -> None:
        for program in self.programs:
            program.gateway.nudge()

    def _gateways(self) -> list[Callable[[], None]]:
        actors: list[Callable[[], None]] = []
        living = [program for program in self.programs if program.alive]
        if not living:
            if self._gateway_back is not None and self.now >= self._gateway_back:
                self._gateway_back = None
                if self.terminal is not None:
                    self.terminal.release_session(SESSION)
                self._start_gateway()
            return self._gateways() if self._gateway_back is None else []
        for program in living:
            if not program.frozen:
                actors.append(lambda program=program: self._step(program))  # type: ignore[misc]
        return actors

    def _step(self, program: Program) -> None:
        self.running = program
        try:
            self._guard("gateway", lambda: self._steps(program), program)
        finally:
            self.running = None

    def _steps(self, program: Program) -> None:
        """One cycle, and then what begins the next: a program that stands still does so in the middle of a cycle."""
        self._cycle(program)
        if self.plan.second_gateway:  # else nobody competes for the lease
            try:
                program.keeper.keep()
            except StandDown as problem:
                self.log("gateway", f"number {program.number} stands down: {problem}")
                program.gateway.close(self.now)
                self._end(program)

    def _cycle(self, program: Program) -> None:
        for _ in range(6):
            if program.loop is not None:
                program.loop.cycle()
            elif program.gateway.due(self.now):
                program.gateway.step(self.now)
            else:
                return
            self._told_is_booked(program)
            if not self._opened and program.gateway.status is GatewayStatus.ARMED:
                self._opened = True
            self._twin_steps()
            if not program.broker.pending:
                return

    def _told_is_booked(self, program: Program) -> None:
        """I3 while it runs: a fill that was pushed to a program and taken from its adapter is in the books."""
        told = program.told
        if not told or program.broker.pending:
            return
        if not self._opened:
            told.clear()  # before the books are open no fill is booked
            return
        booked = set(Fill.objects.filter(traded_id__in=told).values_list("traded_id", flat=True))
        for traded_id in told.keys() - booked:
            self.problems.append(
                f"I3 fill {traded_id} was told at {told[traded_id]:%H:%M:%S} and is not booked"
            )
        told.clear()

    def _guard(
        self, process: str, act: Callable[[], object], program: Program | None = None
    ) -> None:
        with self.as_process(process):
            try:
                act()
            except Crash as crash:
                self._died(crash, program)
            except Exception:
                # A process logs what went wrong and goes on; whether it was to be expected is I19's question.
                log.exception("%s failed", process)

    def _died(self, crash: Crash, program: Program | None) -> None:
        if crash.process == "terminal":
            self.terminal_died(crash)
        elif crash.process == "gateway" and program is not None:
            program.alive = False
            program.told.clear()
            self._gateway_back = self.now + timedelta(seconds=self.chance.randint(1, 15))
            with suppress(Exception):
                program.broker._inbox.clear()  # type: ignore[attr-defined]
