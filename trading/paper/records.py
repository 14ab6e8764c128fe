"""What the paper exchange keeps: accounts, holdings, orders and trades, and the events it tells.

Prices and cash are `Decimal` yuan, quantities are shares, times are aware in China time. Orders, trades and events are
immutable: a change of an order is a new row. Holdings and accounts are the exchange's own and changed in place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from trading.domain.fees import FeeSchedule
from trading.domain.instruments import Instrument, Settlement
from trading.domain.types import ZERO, CorporateAction, Side, Symbol
from trading.paper import xtconstant

_CENT = Decimal("0.01")

#: Statuses in which an order can still be filled.
WORKING = frozenset(
    {
        xtconstant.ORDER_WAIT_REPORTING,
        xtconstant.ORDER_REPORTED,
        xtconstant.ORDER_REPORTED_CANCEL,
        xtconstant.ORDER_PARTSUCC_CANCEL,
        xtconstant.ORDER_PART_SUCC,
    }
)


@dataclass(frozen=True, slots=True)
class Order:
    """One order at the counter. `status`: `xtconstant.ORDER_*`; `sysid`: "" until reported.

    `frozen_cash`: what a buy still holds back (yuan). `ahead`: shares before it in the queue at its price.
    `awaits_auction`: it takes part in the next uncrossing only; `after_hours`: in fixed-price trading only.
    """

    order_id: int
    account_id: str
    symbol: Symbol
    side: Side
    quantity: int
    price: Decimal
    at: datetime
    remark: str = ""
    strategy: str = ""
    status: int = xtconstant.ORDER_UNREPORTED
    sysid: str = ""
    message: str = ""
    traded_quantity: int = 0
    traded_amount: Decimal = ZERO
    frozen_cash: Decimal = ZERO
    ahead: int = 0
    awaits_auction: bool = False
    after_hours: bool = False

    @property
    def working(self) -> bool:
        return self.status in WORKING

    @property
    def refused(self) -> bool:
        return self.status == xtconstant.ORDER_JUNK

    @property
    def remaining(self) -> int:
        return self.quantity - self.traded_quantity


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill of one order; `fees` in yuan, all of them together."""

    traded_id: str
    order_id: int
    sysid: str
    account_id: str
    symbol: Symbol
    side: Side
    quantity: int
    price: Decimal
    fees: Decimal
    at: datetime
    remark: str = ""
    strategy: str = ""

    @property
    def amount(self) -> Decimal:
        return self.price * self.quantity


@dataclass(slots=True)
class Holding:
    """One holding of an account. A life's buys give `open_price`; `net_cost` is what it cost less what sells brought.

    `bought_today` counts for the session `bought_on`; `frozen` shares stand in open sells.
    """

    symbol: Symbol
    settlement: Settlement = Settlement.T1
    quantity: int = 0
    yesterday: int = 0
    bought_today: int = 0
    bought_on: date | None = None
    frozen: int = 0
    bought_quantity: int = 0
    bought_amount: Decimal = ZERO
    net_cost: Decimal = ZERO

    @property
    def sellable(self) -> int:
        """Shares an order may sell now: open sells are deducted, T+1 shares of today too."""
        locked = self.bought_today if self.settlement is Settlement.T1 else 0
        return max(0, self.quantity - locked - self.frozen)

    @property
    def open_price(self) -> Decimal:
        """Average price of this life's buys in yuan, 0 when there is none."""
        return self.bought_amount / self.bought_quantity if self.bought_quantity else ZERO

    @property
    def diluted_cost(self) -> Decimal:
        """Cost per share in yuan after fees and what sells brought, 0 when sold out."""
        return self.net_cost / self.quantity if self.quantity else ZERO

    def buy(self, quantity: int, amount: Decimal, fees: Decimal, on: date | None) -> None:
        """Book a buy; `on` the session on which the shares arrived."""
        if self.quantity == 0:
            self.bought_quantity, self.bought_amount, self.net_cost = 0, ZERO, ZERO
        self.quantity += quantity
        self.bought_today += quantity
        self.bought_on = on
        self.bought_quantity += quantity
        self.bought_amount += amount
        self.net_cost += amount + fees

    def sell(self, quantity: int, amount: Decimal, fees: Decimal) -> None:
        """Book a sale of shares that were frozen for it."""
        self.quantity -= quantity
        self.frozen -= quantity
        self.net_cost -= amount - fees
        # T+0 shares of today leave first, so that what is left is never counted as bought today twice.
        self.bought_today = min(self.bought_today, self.quantity)

    def start_session(self, on: date) -> None:
        """Make what was bought before `on` sellable."""
        if self.bought_on is None or self.bought_on < on:
            self.bought_today = 0
        self.yesterday = self.quantity - self.bought_today

    def ex_rights(self, action: CorporateAction) -> Decimal:
        """Apply an ex-rights event to the shares and costs and return the cash it pays, in yuan."""
        cash = (action.cash_per_share * self.quantity).quantize(_CENT, ROUND_HALF_UP)
        self.quantity = int(self.quantity * action.share_ratio)
        self.yesterday = int(self.yesterday * action.share_ratio)
        self.bought_today = int(self.bought_today * action.share_ratio)
        self.bought_quantity = int(self.bought_quantity * action.share_ratio)
        self.bought_amount *= action.factor * action.share_ratio
        self.net_cost -= cash
        return cash


@dataclass(slots=True)
class Account:
    """One account: usable cash, cash frozen by open buys, its holdings, today's orders and trades in order of arrival."""

    account_id: str
    cash: Decimal
    schedule: FeeSchedule
    frozen_cash: Decimal = ZERO
    positions: dict[Symbol, Holding] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)

    def holding(self, instrument: Instrument) -> Holding:
        """Return the holding of this instrument, a new empty one when there is none."""
        symbol = instrument.symbol
        if symbol not in self.positions:
            self.positions[symbol] = Holding(symbol, instrument.settlement)
        return self.positions[symbol]

    def sellable(self, symbol: Symbol) -> int:
        holding = self.positions.get(symbol)
        return holding.sellable if holding else 0


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """An order as it stands after a change of its status."""

    order: Order


@dataclass(frozen=True, slots=True)
class Traded:
    """A fill; the order's own change follows it."""

    trade: Trade


ExchangeEvent = OrderChanged | Traded
