"""What is answered about money and its protection, where the console's own values are not what a program needs.

Types of the console are used as they are wherever they hold no rows; nothing is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from monitoring.api.shapes import Word, word
from monitoring.console.holding_levels import LevelView
from monitoring.console.holding_story import Entry, HoldingPage
from monitoring.console.order_chains import ChainView, OrderLine, UnknownView, Wait
from monitoring.console.signal_records import SignalRecord
from monitoring.console.values import (
    AccountView,
    EventView,
    FillView,
    GatewayView,
    HoldingView,
    ProcessView,
    SwitchView,
    TickView,
)
from trading.domain.calendar import MarketPhase
from trading.domain.orders import OrderState
from trading.domain.types import AccountMode, Side, SignalKind, Symbol, Text, TradingState


@dataclass(frozen=True, slots=True)
class AccountAnswer:
    """An account. `revision`: of its settings, null = there are no usable ones. Amounts in yuan, as the broker said at
    `read_at` (market time); `day_profit`: since the previous close."""

    pk: int
    name: str
    number: str
    mode: AccountMode
    is_enabled: bool
    market_time: datetime
    market_speed: Decimal
    phase: MarketPhase
    trading_state: TradingState
    state_reason: Text
    revision: int | None
    problem: Text | None
    warnings: tuple[Text, ...]
    switches: tuple[SwitchView, ...]
    gateway: GatewayView
    read_at: datetime | None
    total: Decimal | None
    cash: Decimal | None
    market_value: Decimal | None
    day_profit: Decimal | None
    day_ratio: Decimal | None
    holdings: int
    protected: int


def account_answer(view: AccountView, market_time: datetime, speed: Decimal) -> AccountAnswer:
    """Return an account as it is answered."""
    same = AccountAnswer.__dataclass_fields__.keys() & AccountView.__dataclass_fields__.keys()
    values = {name: getattr(view, name) for name in same}
    return AccountAnswer(
        **{
            **values,
            "market_time": market_time,
            "market_speed": speed,
            "holdings": len(view.holdings),
            "protected": view.protected,
        }
    )


@dataclass(frozen=True, slots=True)
class Unprotected:
    """How many holdings are not protected for one reason."""

    reason: Word
    holdings: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything at one glance. `taken_at`: real time; `quotes_problem`: no quotes could be read, so prices are null."""

    taken_at: datetime
    quotes_problem: bool
    holdings: int
    protected: int
    unprotected: tuple[Unprotected, ...]
    troubles: tuple[Text, ...]
    accounts: tuple[AccountAnswer, ...]


@dataclass(frozen=True, slots=True)
class Accounts:
    """All accounts at one moment (real time)."""

    taken_at: datetime
    items: tuple[AccountAnswer, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """An open holding of an account, with what would sell it now and whether it is protected."""

    account: int
    account_name: str
    holding: HoldingView
    is_protected: bool
    is_reached: bool


@dataclass(frozen=True, slots=True)
class Holdings:
    """The open holdings at one moment (real time), those without protection first."""

    taken_at: datetime
    quotes_problem: bool
    items: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class HoldingStory:
    """One life of a holding: `now` is null once it is sold. `locked`: bought today (T+1). `story`: newest first;
    `next`: where older entries begin, null = there are none."""

    pk: int
    account: int
    symbol: Symbol
    name: str
    life: int
    opened_on: date
    closed_at: datetime | None
    quantity: int
    exits_on: bool
    market_time: datetime
    now: HoldingView | None
    levels: tuple[LevelView, ...]
    notes: tuple[Text, ...]
    locked: int | None
    revision: int | None
    story: tuple[Entry, ...]
    next: str | None


def holding_story(page: HoldingPage) -> HoldingStory:
    """Return a holding's page as it is answered."""
    row = page.row
    return HoldingStory(
        pk=row.pk,
        account=row.account_id,
        symbol=Symbol(row.symbol),
        name=page.name,
        life=row.life,
        opened_on=row.opened_on,
        closed_at=row.closed_at,
        quantity=row.quantity,
        exits_on=row.exit_enabled,
        market_time=page.market_now,
        now=page.now,
        levels=page.levels,
        notes=page.notes,
        locked=page.locked,
        revision=page.revision,
        story=page.entries,
        next=None if page.older is None else str(page.older),
    )


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """One order of a chain. `price` in yuan; `attempt`: which re-order; `wait`: what it waits for; `end`: why it ended."""

    pk: int
    client_order_id: str
    broker_order_id: int | None
    attempt: int
    state: OrderState
    is_working: bool
    quantity: int
    filled: int
    filled_amount: Decimal
    price: Decimal
    approved_at: datetime
    submitted_at: datetime | None
    ended_at: datetime | None
    end: Text
    message: str
    wait: Wait | None
    cancel: Text | None
    cancel_at: datetime | None
    unknown: UnknownView | None
    fills: tuple[FillView, ...]


def _order(line: OrderLine) -> OrderAnswer:
    row = line.row
    return OrderAnswer(
        pk=row.pk,
        client_order_id=row.client_order_id,
        broker_order_id=row.broker_order_id,
        attempt=row.attempt,
        state=line.state,
        is_working=line.state.working,
        quantity=row.quantity,
        filled=row.filled_quantity,
        filled_amount=row.filled_amount,
        price=row.price,
        approved_at=row.approved_at,
        submitted_at=row.submitted_at,
        ended_at=row.ended_at,
        end=line.end,
        message=line.message,
        wait=line.wait,
        cancel=line.cancel,
        cancel_at=line.cancel_at,
        unknown=line.unknown,
        fills=line.fills,
    )


@dataclass(frozen=True, slots=True)
class Chain:
    """An order with its re-orders and further pieces. `quantity`, `filled`: of the whole; `average`: yuan a share."""

    pk: int
    account: int
    account_name: str
    trade_date: date
    symbol: Symbol
    name: str
    side: Side
    kind: SignalKind
    quantity: int
    filled: int
    average: Decimal | None
    state: OrderState
    reason: Text
    decided: Text
    signal: int | None
    holding: int | None
    orders: tuple[OrderAnswer, ...]


def chain(view: ChainView) -> Chain:
    """Return a chain as it is answered."""
    root = view.root
    return Chain(
        pk=root.pk,
        account=root.account_id,
        account_name=view.account,
        trade_date=root.trade_date,
        symbol=view.symbol,
        name=view.name,
        side=view.side,
        kind=view.kind,
        quantity=view.quantity,
        filled=view.filled,
        average=view.average,
        state=view.state,
        reason=view.reason,
        decided=view.decided,
        signal=root.signal_id,
        holding=root.position_id,
        orders=tuple(map(_order, view.orders)),
    )


@dataclass(frozen=True, slots=True)
class Chains:
    """Orders, newest first. `outside`: fills nobody here ordered, with the first page alone."""

    items: tuple[Chain, ...]
    outside: tuple[FillView, ...]
    more_outside: bool
    next: str | None


@dataclass(frozen=True, slots=True)
class Fills:
    """Fills, newest first."""

    items: tuple[FillView, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Signals:
    """Signals with their denials, and denials without a signal (`state` null), newest first."""

    items: tuple[SignalRecord, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """Something that happened, at `at` (market time). `actor`: who did it, `system` = the program."""

    pk: int
    account: int
    at: datetime
    level: Word
    code: str
    symbol: str
    words: Text
    actor: str


def event(view: EventView, account: int) -> EventAnswer:
    """Return an event as it is answered."""
    return EventAnswer(
        pk=view.pk,
        account=account,
        at=view.at,
        level=word(view.level),
        code=view.code,
        symbol=view.symbol,
        words=view.words,
        actor=view.actor,
    )


@dataclass(frozen=True, slots=True)
class Events:
    """The journal, newest first."""

    items: tuple[EventAnswer, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class ProcessAnswer:
    """A process that `manage.py up` runs."""

    name: str
    state: Word
    since: datetime | None
    restarts: int
    story: Text


def process(view: ProcessView) -> ProcessAnswer:
    """Return a process as it is answered."""
    return ProcessAnswer(view.name, word(view.state), view.since, view.restarts, view.story)


@dataclass(frozen=True, slots=True)
class AccountHealth:
    """What keeps an account running: its gateway and its ticks (real time)."""

    account: int
    account_name: str
    gateway: GatewayView
    ticks: tuple[TickView, ...]


@dataclass(frozen=True, slots=True)
class FindingAnswer:
    """Something that is wrong now; `since` is market time."""

    account: int
    code: str
    subject: str
    symbol: str
    level: Word
    words: Text
    since: datetime


@dataclass(frozen=True, slots=True)
class Health:
    """Whether everything runs. `processes` null: nobody supervises this web server."""

    taken_at: datetime
    quotes_problem: bool
    troubles: tuple[Text, ...]
    processes: tuple[ProcessAnswer, ...] | None
    accounts: tuple[AccountHealth, ...]
    findings: tuple[FindingAnswer, ...]
