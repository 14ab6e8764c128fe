"""What the invariants look at: our rows as they are stored, and the twin's own records, each read once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from tests.simulation.database import ACCOUNT
from tests.simulation.grid_facts import GridFacts
from tests.simulation.world import World
from trading.domain.types import CHINA, Side
from trading.models import (
    Account,
    Denial,
    Event,
    Fill,
    Order,
    OrderEvent,
    Position,
    Signal,
    TradingConfig,
)
from trading.models.prepared import Prepared
from trading.paper.records import Order as BrokerOrder
from trading.paper.records import Trade

OPENING_CASH = Decimal(300_000)


@dataclass(frozen=True, slots=True)
class FillRow:
    traded_id: str
    order_id: int | None
    position_id: int | None
    symbol: str
    side: str
    quantity: int
    price: Decimal
    fees: Decimal


#: Asked of every world.
_ACCOUNT = Prepared(lambda: Account.objects.filter(pk=ACCOUNT))
_ORDERS = Prepared(lambda: Order.objects.order_by("pk"))
_POSITIONS = Prepared(lambda: Position.objects.order_by("pk"))
_SIGNALS = Prepared(lambda: Signal.objects.order_by("pk"))
_FILLS = Prepared(lambda: Fill.objects.order_by("pk"))
_MOVES = Prepared(lambda: OrderEvent.objects.order_by("pk"))
_EVENTS = Prepared(lambda: Event.objects.order_by("pk"))


class Facts:
    """The rows and records of one settled world."""

    def __init__(self, world: World) -> None:
        self.world = world
        [self.account] = _ACCOUNT()
        self.orders = {row.client_order_id: row for row in _ORDERS()}
        self.positions = _POSITIONS()
        self.signals = _SIGNALS()
        self.broker_orders: list[BrokerOrder] = list(world.account.orders.values())
        self.trades: list[Trade] = list(world.account.trades)
        self.opening_cash = OPENING_CASH
        self.opening_yesterday = {stock.symbol: stock.held for stock in world.plan.stocks}
        self.fills = [
            FillRow(
                row.traded_id,
                row.order_id,
                row.position_id,
                row.symbol,
                row.side,
                row.quantity,
                row.price,
                row.commission + row.stamp_duty + row.transfer_fee,
            )
            for row in _FILLS()
        ]
        self.moves: dict[int, list[Any]] = defaultdict(list)
        for event in _MOVES():
            self.moves[event.order_id].append(event)

    @cached_property
    def grids(self) -> GridFacts:
        return GridFacts()

    @cached_property
    def events(self) -> list[Event]:
        return _EVENTS()

    @cached_property
    def reasons(self) -> dict[int, str]:
        """Why the settings became what they are, by revision."""
        return dict(TradingConfig.history.values_list("revision", "changed_why"))

    @cached_property
    def shown(self) -> dict[tuple[str, datetime], set[Decimal]]:
        """Prices that the exchange really quoted, by symbol and second."""
        found: dict[tuple[str, datetime], set[Decimal]] = defaultdict(set)
        for quote in self.world.prices.shown:
            found[str(quote.symbol), quote.time.astimezone(CHINA)].add(quote.last)
        return found

    def alarms(self, code: str, symbol: str) -> bool:
        return any(event.code == code and event.symbol == symbol for event in self.events)

    @property
    def armed(self) -> bool:
        return bool(self.account.gateway_status == "armed")

    @cached_property
    def bindable(self) -> bool:
        """Whether our orders could be recognised: a remark that never comes back leaves them to a person."""
        return not {"remark_truncated", "remark_rewritten", "remark_empty"} & set(
            self.world.plan.misbehaviours
        )

    def is_t1(self, symbol: str) -> bool:
        return not symbol.startswith("51")

    def somebody_sold(self, symbol: str) -> bool:
        return any(
            one.order.symbol == symbol and one.order.side is Side.SELL and not one.order.remark
            for one in self.world.arrived
        )

    def somebody_bought(self) -> bool:
        return any(
            one.order.side is Side.BUY and not one.order.remark for one in self.world.arrived
        )

    def under_stop(self, row: Position) -> bool:
        last = next(
            (q.last for q in reversed(self.world.prices.shown) if q.symbol == row.symbol), None
        )
        if last is None or not row.bought_quantity:
            return False
        return last < row.bought_amount / row.bought_quantity * Decimal("0.924")

    def free(self, row: Position) -> int:
        """Shares of it that could be sold now, by the broker's own account, less what we hold in doubt."""
        doubtful = sum(
            order.quantity - order.filled_quantity
            for order in self.orders.values()
            if order.symbol == row.symbol and order.side == "sell" and self.in_doubt(order)
        )
        return self.world.account.sellable(row.symbol) - doubtful  # type: ignore[arg-type]

    def in_doubt(self, order: Order) -> bool:
        """Whether nobody can say what became of an order that still holds its shares or cash."""
        return bool(order.state == "unknown")

    def explained(self, row: Position) -> bool:
        """Whether somebody who looks is told why nothing is sold."""
        denied = Denial.objects.filter(symbol=row.symbol, cleared_at=None).exists()
        rests = row.exits_paused_until
        # What rested is looked at by the next tick.
        paused = rests is not None and self.world.now < rests + timedelta(seconds=10)
        lately = self.world.now - timedelta(seconds=60)
        tried = any(
            order.symbol == row.symbol and order.side == "sell" and order.approved_at > lately
            for order in self.orders.values()
        )
        return tried or denied or paused or row.stale_since is not None
