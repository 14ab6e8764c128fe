"""What runs between the programs and the terminal: it lets either side die, and remembers what was sent and told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from trading.domain.types import Symbol
from trading.paper import xtconstant
from trading.paper.delivery import Message
from trading.paper.exchange import Exchange
from trading.paper.records import Order
from trading.paper.terminal import Client, Terminal

if TYPE_CHECKING:
    from tests.simulation.world import Program, World


class Crash(BaseException):
    """A process dies at a crash point: nothing of it goes on, and nothing catches this but the scheduler."""

    def __init__(self, process: str, point: str) -> None:
        self.process, self.point = process, point
        super().__init__(f"{process} at {point}")


@dataclass(frozen=True, slots=True)
class Sent:
    """One order as a program posted it: under which epoch, and which one held the lease at that moment."""

    number: int
    at: datetime
    program: int
    epoch: int
    lease: int
    remark: str
    halted: bool
    reducing: bool
    buys: bool


@dataclass(frozen=True, slots=True)
class Arrived:
    """One order as it reached the counter, from whomever, and what stood there at that moment."""

    at: datetime
    order: Order
    sellable: int
    working: tuple[Order, ...]


class WatchedExchange(Exchange):
    """The exchange, writing down every order that arrives."""

    arrived: list[Arrived]

    def submit(
        self,
        account_id: str,
        symbol: Symbol,
        side: Any,
        quantity: int,
        price: Any,
        remark: str,
        strategy: str,
        at: datetime,
        refused: str = "",
    ) -> Order:
        account = self.accounts[account_id]
        sellable = account.sellable(symbol)
        working = tuple(
            one
            for one in account.orders.values()
            if one.working and one.symbol == symbol and one.side is side
        )
        order = super().submit(
            account_id, symbol, side, quantity, price, remark, strategy, at, refused
        )
        self.arrived.append(Arrived(at, order, sellable, working))
        return order


@dataclass(eq=False, slots=True)
class Line:
    """One program's connection: to which terminal object, and whose."""

    terminal: Terminal
    client: Client
    program: Program | None
    sink: Callable[[Message], None]


class Wire:
    """Served under the terminal's address in its place."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.sent: list[Sent] = []
        self.leaked: list[Line] = []
        self._open: list[Line] = []
        self._gone, self._loading_until = False, world.now

    # what `transport` asks of a terminal

    def open_client(self, sink: Callable[[Message], None]) -> Line:
        world = self._world
        if world.terminal is None:
            raise ConnectionError("no terminal")
        program = world.running
        client = world.terminal.open_client(partial(self._deliver, program, sink))
        line = Line(world.terminal, client, program, sink)
        if program is not None:
            self._open.append(line)
        return line

    def request(self, line: Line, message: Message) -> Any:
        if message["op"] == "connect" and self._gone:
            self._loading_until = self._world.now + self._world.plan.loading
        return self._at(line, lambda: line.terminal.request(line.client, message))

    def post(self, line: Line, message: Message) -> bool:
        if message["op"] == "order_stock":
            self._note(message)
        answer = self._at(line, lambda: line.terminal.post(line.client, message))
        if message["op"] == "order_stock" and self._world.plan.away and not self._gone:
            self._gone = True
            self._leave()
        return True if answer is None else bool(answer)

    def close_client(self, line: Line) -> None:
        if line in self._open:
            self._open.remove(line)
        if self._world.plan.leaked_stop and line.program is not None and line.client.open:
            self._leak(line)
        else:
            line.terminal.close_client(line.client)

    def break_connections(self) -> None:
        """Every program's library says that it lost its connection, and goes on hearing through it."""
        while self._open:
            line = self._open.pop()
            if line.client.open and line.program is not None and line.program.alive:
                self._leak(line)
                line.sink({"push": "disconnected"})

    # inside

    def _leak(self, line: Line) -> None:
        """The library did not stop: its callback goes on hearing, but the session is free."""
        line.client.session = None
        self.leaked.append(line)

    def _leave(self) -> None:
        """The terminal's window is closed for a while, and nobody is told."""
        world = self._world
        world.log("terminal", f"is closed for {world.plan.away}")
        world.terminal, world._terminal_back = None, world.now + world.plan.away

    def _at(self, line: Line, act: Callable[[], Any]) -> Any:
        """Do it unless the terminal has died; if it dies doing it, the caller only gets no answer."""
        world = self._world
        if line.terminal is not world.terminal:
            return None
        with world.as_process("terminal"):
            try:
                return act()
            except Crash as crash:
                if crash.process != "terminal":
                    raise
                world.terminal_died(crash)
                return None

    def _deliver(
        self, program: Program | None, sink: Callable[[Message], None], message: Message
    ) -> None:
        if program is not None and not program.alive:
            return
        if program is not None and message["push"] == "stock_trade":
            self._tell(program, message["row"])
        sink(self._loading(message))

    def _loading(self, message: Message) -> Message:
        """A client that was opened again shows its older orders and fills first."""
        listed = message.get("op") in ("query_stock_orders", "query_stock_trades")
        rows = message.get("result")
        if not listed or not rows or self._world.now >= self._loading_until:
            return message
        return {**message, "result": rows[: (len(rows) + 1) // 2]}

    def _tell(self, program: Program, row: dict[str, Any]) -> None:
        """Note a fill that was pushed whole and true; what the terminal garbled need not be believed."""
        for trade in self._world.account.trades:
            if trade.traded_id == row["traded_id"] and trade.quantity == row["traded_volume"]:
                program.told.setdefault(trade.traded_id, self._world.now)

    def _note(self, message: Message) -> None:
        world = self._world
        state, lease = world.trading_state(), world.lease_epoch()
        self.sent.append(
            Sent(
                number=world.count(),
                at=world.now,
                program=world.running.number if world.running else 0,
                epoch=world.running.epoch if world.running else 0,
                lease=lease,
                remark=message["order_remark"],
                halted=state == "halted" or world.kill_file is not None,
                reducing=state == "reducing",
                buys=message["order_type"] == xtconstant.STOCK_BUY,
            )
        )
        world.log(
            "sent", f"{message['order_remark']} {message['stock_code']} {message['order_volume']}"
        )
