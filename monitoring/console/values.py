"""What the console shows, as frozen values. Money in yuan, times aware; None is "not known", never zero.

Market times are the account's own (`AccountView.clock`), real times are those of this computer.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Generic, TypeVar

from monitoring.console.curve import CurveView
from monitoring.run_file import GATEWAY
from trading.domain.calendar import MarketPhase
from trading.domain.protection import Protection
from trading.domain.stages import Stage
from trading.domain.types import (
    AccountMode,
    GatewayStatus,
    Side,
    SignalKind,
    SignalState,
    Symbol,
    Text,
    TradingState,
)
from trading.services.clock import Clock
from trading.services.reach import Reach

Row = TypeVar("Row")

#: Between the name of a process and that of its machine, where there are several.
AT = " @ "
#: Reasons for no protection that are the ordinary course of a day and ask nobody to act.
ORDINARY = frozenset({Protection.MARKET_CLOSED, Protection.ORDER_WORKING, Protection.T1})


@dataclass(frozen=True, slots=True)
class HoldingView:
    """One open holding. `sale_price`: what would sell it now, by the rule `sale_kind`; `distance`: how far the price
    would have to fall to it, a ratio. `change`: of the price since the previous close, a ratio. `quote_at` (market time) and `fresh` tell how old the price is.
    """

    pk: int
    symbol: Symbol
    name: str
    quantity: int
    sellable: int | None
    cost: Decimal | None
    last: Decimal | None
    change: Decimal | None
    quote_at: datetime | None
    fresh: bool
    profit: Decimal | None
    profit_ratio: Decimal | None
    high: Decimal | None
    sale_kind: SignalKind | None
    sale_price: Decimal | None
    distance: Decimal | None
    status: Protection
    words: Text

    @property
    def is_protected(self) -> bool:
        return self.status is Protection.PROTECTED

    @property
    def is_reached(self) -> bool:
        """Whether the price is at the level that sells, or below."""
        return self.distance is not None and self.distance <= 0


@dataclass(frozen=True, slots=True)
class SignalView:
    """A signal of today with its reason; `outcome` says what became of it, where there is something to say."""

    pk: int
    at: datetime
    symbol: Symbol
    name: str
    kind: SignalKind
    side: Side
    quantity: int
    state: SignalState
    reason: Text
    outcome: Text
    revision: int


@dataclass(frozen=True, slots=True)
class DenialView:
    """What risk control refused; `over_at`: since when it does not any more."""

    pk: int
    at: datetime
    symbol: Symbol
    name: str
    kind: SignalKind
    code: str
    words: Text
    over_at: datetime | None


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order of today, or one that still works. `state`: a value of OrderState; `end`: why it ended."""

    pk: int
    at: datetime
    symbol: Symbol
    name: str
    side: Side
    kind: SignalKind
    quantity: int
    filled: int
    price: Decimal
    attempt: int
    state: str
    is_working: bool
    client_order_id: str
    broker_order_id: int | None
    end: Text
    message: str


@dataclass(frozen=True, slots=True)
class FillView:
    """One fill. `fees`: commission, stamp duty and transfer fee together."""

    pk: int
    at: datetime
    symbol: Symbol
    name: str
    side: Side
    quantity: int
    price: Decimal
    amount: Decimal
    fees: Decimal
    traded_id: str
    broker_order_id: int


@dataclass(frozen=True, slots=True)
class EventView:
    """Something that happened today; `level`: info, warning or alarm."""

    pk: int
    at: datetime
    level: str
    code: str
    symbol: str
    words: Text
    actor: str


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """The newest rows of today; `more`: there are others, to be read in the admin."""

    rows: tuple[Row, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class SwitchView:
    """A switch of the configuration; `guards`: off, it takes protection away."""

    label: Text
    is_on: bool
    guards: bool


@dataclass(frozen=True, slots=True)
class GatewayView:
    """The account's gateway. `heard_at`: its last sign of life (real time)."""

    status: GatewayStatus
    reason: Text
    is_alive: bool
    heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class TickView:
    """A tick of an account: when it last started (real time). `is_needed`: it has something to do at this hour."""

    name: str
    label: Text
    period: float
    started_at: datetime | None
    is_needed: bool
    is_late: bool
    #: Late for ten periods and a minute at least: it is not merely behind.
    is_down: bool = False

    @property
    def next_at(self) -> datetime | None:
        """When the next one is due (real time); one period more is its grace, then it is late."""
        return (
            None if self.started_at is None else self.started_at + timedelta(seconds=self.period)
        )

    @property
    def state(self) -> str:
        """One word for it: a key of what the console calls states."""
        if self.is_late:
            return "down" if self.is_down else "late"
        if not self.is_needed:
            return "idle"
        return "new" if self.started_at is None else "up"


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account. `clock`: how its market time runs, None = real time. `day_profit`: since the previous close."""

    pk: int
    name: str
    number: str
    mode: AccountMode
    is_enabled: bool
    clock: Clock | None
    phase: MarketPhase
    trading_state: TradingState
    state_reason: Text
    revision: int | None
    problem: Text | None
    #: What stands and is to be done something about: the calendar ends, or is disputed.
    warnings: tuple[Text, ...]
    switches: tuple[SwitchView, ...]
    gateway: GatewayView
    #: When the broker was last read completely (market time): how old the five amounts are.
    read_at: datetime | None
    total: Decimal | None
    cash: Decimal | None
    market_value: Decimal | None
    day_profit: Decimal | None
    day_ratio: Decimal | None
    #: Its total through the session, None while nothing was recorded.
    curve: CurveView | None
    holdings: tuple[HoldingView, ...]
    ticks: tuple[TickView, ...]
    signals: Listing[SignalView]
    denials: Listing[DenialView]
    orders: Listing[OrderView]
    fills: Listing[FillView]
    events: Listing[EventView]
    #: Whether whoever looks may act on it as far as the roles go.
    may_act: bool = True
    #: Where it stands on the path to live.
    stands: Stage = Stage.PAPER

    @property
    def protected(self) -> int:
        return sum(holding.is_protected for holding in self.holdings)

    @property
    def rests(self) -> bool:
        """Switched off with nothing to show today: the ledger of an earlier stage, or an account that was given up."""
        lists = (self.signals, self.denials, self.orders, self.fills, self.events)
        return not (self.is_enabled or self.holdings or any(one.rows for one in lists))


@dataclass(frozen=True, slots=True)
class ProcessView:
    """A process `manage.py up` runs. `story`: what happened to it, in words; empty while nothing did."""

    name: str
    state: str
    since: datetime | None
    restarts: int
    story: Text


def _without_machine(name: str) -> str:
    return name.partition(AT)[0]


@dataclass(frozen=True)
class Console:
    """Everything the page shows at one moment. `processes` None: nobody supervises this web server.

    `digest` names the content: it stays while nothing but the clock has changed.
    """

    taken_at: datetime
    accounts: tuple[AccountView, ...]
    processes: tuple[ProcessView, ...] | None
    quotes_problem: bool

    @cached_property
    def digest(self) -> str:
        content = repr((self.accounts, self.processes, self.quotes_problem))
        return hashlib.sha256(content.encode()).hexdigest()[:24]

    def within(self, reach: Reach) -> Console:
        """Return what somebody of this reach sees of it; nothing is read again."""
        if reach.is_everything:
            return self
        accounts = tuple(
            one if reach.trades(one.pk) else replace(one, may_act=False)
            for one in self.accounts
            if reach.sees(one.pk)
        )
        gateways = {f"{GATEWAY}{one.name}" for one in accounts}
        processes = self.processes and tuple(
            one
            for one in self.processes
            if _without_machine(one.name) in gateways or not one.name.startswith(GATEWAY)
        )
        return replace(self, accounts=accounts, processes=processes)

    @property
    def holdings(self) -> int:
        return sum(len(account.holdings) for account in self.accounts)

    @property
    def protected(self) -> int:
        return sum(account.protected for account in self.accounts)

    @property
    def to_look_at(self) -> tuple[HoldingView, ...]:
        """Holdings without protection, but for those of which all know why: the market is closed, T+1, being sold."""
        every = (one for account in self.accounts for one in account.holdings)
        return tuple(one for one in every if not one.is_protected and one.status not in ORDINARY)

    @property
    def troubles(self) -> tuple[Text, ...]:
        """What does not run as it should, in a few words each: processes, gateways, ticks."""
        found = [
            Text(f"{one.name} does not run", f"{one.name} 未在运行")
            for one in self.processes or ()
            if one.state != "running"
        ]
        for account in self.accounts:
            name = account.name
            said = any(one.status is Protection.GATEWAY_DOWN for one in account.holdings)
            if account.is_enabled and not account.gateway.is_alive and not said:
                found.append(Text(f"gateway of {name} is down", f"{name} 的网关未运行"))
            late = [tick.label for tick in account.ticks if tick.is_late]
            if late:
                en, zh = ", ".join(one.en for one in late), "、".join(one.zh for one in late)
                found.append(Text(f"late: {en} of {name}", f"{name} 的定时检查超时：{zh}"))
        return tuple(found)

    @property
    def unprotected(self) -> dict[Protection, int]:
        """How many holdings have each reason why they are not protected, the most frequent first."""
        reasons = Counter(
            holding.status
            for account in self.accounts
            for holding in account.holdings
            if not holding.is_protected
        )
        return dict(reasons.most_common())
