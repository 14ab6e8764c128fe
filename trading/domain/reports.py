"""What the broker's terminal reports, as values: the adapter turns its objects into these and nothing else leaves it.

Prices and cash are `Decimal` yuan, quantities shares, times aware in China time. A failed query is None, never an
empty tuple: unknown is not zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from trading.domain.types import ZERO, Side, Symbol, Text


class BrokerState(StrEnum):
    """The terminal's order status (xtconstant 48-57, 255) in words."""

    UNREPORTED = "unreported"  # 48
    WAIT_REPORTING = "wait_reporting"  # 49
    REPORTED = "reported"  # 50
    CANCEL_PENDING = "cancel_pending"  # 51
    PARTIAL_CANCEL_PENDING = "partial_cancel_pending"  # 52
    PARTIALLY_CANCELLED = "partially_cancelled"  # 53
    CANCELLED = "cancelled"  # 54
    PARTIALLY_FILLED = "partially_filled"  # 55
    FILLED = "filled"  # 56
    REJECTED = "rejected"  # 57
    UNKNOWN = "unknown"  # 255 and anything else

    @property
    def terminal(self) -> bool:
        return self in (
            BrokerState.PARTIALLY_CANCELLED,
            BrokerState.CANCELLED,
            BrokerState.FILLED,
            BrokerState.REJECTED,
        )


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """One order as the terminal shows it. `broker_order_id`: the client's number; `sysid`: the counter's, "" until reported."""

    broker_order_id: int
    symbol: Symbol
    side: Side | None  # None: the terminal's code is neither buy nor sell; never guessed
    quantity: int
    price: Decimal
    state: BrokerState
    traded_quantity: int
    time: datetime
    sysid: str = ""
    remark: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class BrokerTrade:
    """One fill as the terminal shows it. `commission` is 0 when the terminal does not say."""

    traded_id: str
    broker_order_id: int
    symbol: Symbol
    side: Side | None
    quantity: int
    price: Decimal
    time: datetime
    sysid: str = ""
    remark: str = ""
    commission: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """One holding row. `open_price`: the seed of our cost; `diluted_cost`: the terminal's own, shown beside it.

    `market_value` moves with every quote and is no part of what makes two rows equal; None: not stated.
    """

    symbol: Symbol
    quantity: int
    sellable: int
    open_price: Decimal = ZERO
    diluted_cost: Decimal = ZERO
    frozen: int = 0
    yesterday: int = 0
    name: str = ""
    market_value: Decimal | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class BrokerAsset:
    """Cash and totals in yuan. `cash` is usable cash, what open buys froze is in `frozen_cash`."""

    cash: Decimal
    frozen_cash: Decimal
    market_value: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One complete round of queries; a part that failed is None. `epoch`: of the broker connection that answered.

    `taken_at`: when it was asked for. What it shows was so at some moment between `as_of` and `taken_at`, each part at
    one of its own; `lag` (market time) is the channel's.
    """

    taken_at: datetime
    epoch: int
    account_ok: bool
    asset: BrokerAsset | None = None
    positions: tuple[BrokerPosition, ...] | None = None
    orders: tuple[BrokerOrder, ...] | None = None
    trades: tuple[BrokerTrade, ...] | None = None
    lag: timedelta = timedelta(0)

    @property
    def as_of(self) -> datetime:
        """Everything that had happened by then is shown."""
        return self.taken_at - self.lag

    @property
    def complete(self) -> bool:
        """Whether every query answered and the account was in order."""
        parts = (self.asset, self.positions, self.orders, self.trades)
        return self.account_ok and all(part is not None for part in parts)


@dataclass(frozen=True, slots=True)
class SubmitResponse:
    """The answer to an async submit; `broker_order_id` ≤ 0 means the client refused it without an order row."""

    seq: int
    broker_order_id: int
    remark: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class SubmitError:
    """The push `on_order_error`: a hint, matched by remark or seq and confirmed by query."""

    broker_order_id: int
    remark: str
    message: str
    seq: int = 0


@dataclass(frozen=True, slots=True)
class CancelResponse:
    """The answer to an async cancel, or a pushed cancel error; `accepted` says only that the request went out."""

    broker_order_id: int
    accepted: bool
    message: str = ""
    sysid: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """A change of the connection or of the account's login.

    `ok` False: nothing can be sent. `lost`: the connection is gone and has to be made anew; an account that is only
    not in order comes back by itself, through the same connection. `message` in English, `message_zh` in Chinese.
    """

    ok: bool
    message: str = ""
    message_zh: str = ""
    lost: bool = False

    @property
    def reason(self) -> Text:
        return Text(self.message, self.message_zh or self.message)


Report = (
    BrokerOrder
    | BrokerTrade
    | SubmitResponse
    | SubmitError
    | CancelResponse
    | ConnectionReport
    | Snapshot
)


@dataclass(frozen=True, slots=True)
class Event:
    """A report as it arrived. `epoch`: of the connection it came through (late status of an old one is dropped)."""

    report: Report
    epoch: int
    received_at: datetime
