"""The ports: what the house asks of a broker and of a source of quotes. Adapters subclass them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol

from trading.domain.calendar import books_closed
from trading.domain.reports import Event, Snapshot
from trading.domain.source_health import Said
from trading.domain.types import CHINA, GatewayStatus, Quote, Side, Symbol, Text


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A fixed-price limit order to send. `client_order_id` (≤ 13 ASCII characters) travels in the remark."""

    client_order_id: str
    symbol: Symbol
    side: Side
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Channel:
    """What a way to the broker can do; how long the gateway waits follows from it.

    `lag`: what a query shows may be this old (real time). `pushes`: orders and fills are told of without being asked
    for; else only queries show them.
    """

    lag: timedelta = timedelta(0)
    pushes: bool = True


class Broker(Protocol):
    """One broker session of one account. Every call returns at once; answers arrive as events from `drain`.

    The only thing that must come back of an order is its remark: in a push, or in a later snapshot.
    """

    channel: Channel = Channel()

    @property
    def epoch(self) -> int:
        """Number of the current connection; events of earlier ones carry theirs."""

    @property
    def pending(self) -> bool:
        """Whether `drain` has something to return."""

    def connect(self, now: datetime) -> None:
        """Open the session and subscribe. Raises GatewayUnavailable."""

    def submit(self, request: OrderRequest) -> int | None:
        """Send once and return the seq of the answer; None where nothing will answer.

        Raises OrderRejected (it certainly does not exist) or SubmitUncertain (it may).
        """

    def cancel(self, broker_order_id: int) -> None:
        """Ask for a cancel; only a later report tells. Raises GatewayUnavailable when it was not sent."""

    def request_snapshot(self, now: datetime) -> None:
        """Ask for account, positions, orders and trades; the answer is one Snapshot event, or none."""

    def drain(self, now: datetime) -> Sequence[Event]:
        """Return and forget the events received since the last call, in order of arrival."""

    def close(self) -> None:
        """End the session; safe to call twice."""


class Feed(Protocol):
    """A source of quotes."""

    name: str

    #: Seconds without any accepted quote after which the feed counts as silent (10; minute bars: one bar).
    heartbeat: int

    def subscribe(self, symbols: Iterable[Symbol]) -> None:
        """Make sure these symbols are delivered; idempotent."""

    def poll(self, now: datetime) -> Sequence[Quote]:
        """Return the quotes that arrived since the last call, oldest first. Raises GatewayUnavailable."""

    def unreadable(self) -> Sequence[tuple[Symbol, str]]:
        """Return and forget the symbol and field of each quote since the last call that could not even be read."""
        return ()

    def close(self) -> None:
        """End it; safe to call twice."""
        return None


class Arrival(NamedTuple):
    """An accepted quote and when its batch reached the store; batches arrive at strictly rising times.

    `source`: the name of the feed that delivered it.
    """

    at: datetime
    quote: Quote
    source: str = ""


#: Heartbeat in seconds of a symbol no feed has delivered yet.
DEFAULT_HEARTBEAT = 10


class Fed(NamedTuple):
    """The feed that serves a symbol: when it last delivered any accepted quote, its heartbeat in seconds, its name."""

    at: datetime | None = None
    heartbeat: int = DEFAULT_HEARTBEAT
    source: str = ""


class QuoteReader(Protocol):
    """The readable side of the quote store. Equal time stamps of a symbol are told apart by a microsecond."""

    def since(self, after: Mapping[Symbol, datetime]) -> Mapping[Symbol, Sequence[Arrival]]:
        """Return per symbol what arrived after its time, oldest first, at most the last 64; absent = nothing new.

        One call sees whole batches only, so the newest arrival it returns is a safe mark for the next call.
        """

    def latest(self, symbols: Iterable[Symbol]) -> Mapping[Symbol, Quote]:
        """Return the newest accepted quote of each symbol that has one."""

    def fed(self, symbol: Symbol) -> Fed:
        """Return the feed of this symbol; `Fed()` before any quote."""

    def feeds(self, symbols: Iterable[Symbol]) -> Mapping[Symbol, Fed]:
        """Return the feeds of many symbols at once."""
        return {symbol: self.fed(symbol) for symbol in symbols}


@dataclass(frozen=True, slots=True)
class Claimed:
    """An order this gateway has moved to SUBMITTING: to be sent exactly once."""

    order_id: int
    request: OrderRequest


@dataclass(frozen=True, slots=True)
class Agenda:
    """What a gateway has to do.

    `open_work`: any order that works, or ended in a chain that may go on. Of these, `approved`: how many wait to be
    sent; `submitting`, `to_cancel`: whether one was sent and is not answered, or is to be cancelled; `oldest`: the
    first trade date. `decided`: a person decided about an unknown one. `snapshot_wanted`: when somebody asked for a
    fresh snapshot.
    """

    open_work: bool
    approved: int
    submitting: bool
    to_cancel: bool
    decided: bool
    oldest: date | None
    snapshot_wanted: datetime | None

    @property
    def in_flight(self) -> bool:
        """Whether an order waits for the gateway."""
        return bool(self.approved) or self.submitting or self.to_cancel

    def day_ended(self, now: datetime) -> bool:
        """Whether a working order may have outlived its day."""
        if self.oldest is None:
            return False
        return books_closed(now) or self.oldest < now.astimezone(CHINA).date()


class Desk(Protocol):
    """The services the gateway calls; every method is one short transaction, none calls the outside."""

    def take_over(self, now: datetime) -> int:
        """Take the lease with a higher epoch and return it; SUBMITTING orders of lower epochs become UNKNOWN.

        Raises StandDown while another gateway holds it.
        """

    def beat(self, status: GatewayStatus, reason: Text, now: datetime) -> None:
        """Record the gateway's status and heartbeat."""

    def record(self, events: Sequence[Event], now: datetime) -> bool:
        """Store the raw reports, then reconcile: bind, book fills, move states, project the snapshot.

        True when the books may have changed; a snapshot equal to the last one changes nothing.
        """

    def pushes(self, *, dead: bool, now: datetime) -> None:
        """Tell that fills are not pushed any more and only queries show them, or that they are again."""

    def problem_with(self, snapshot: Snapshot) -> Text | None:
        """Say why a snapshot cannot be trusted (a failed, empty or shrunken list is a bad query), or None."""

    def agenda(self) -> Agenda:
        """Return what there is to do."""

    def expire(self, now: datetime) -> int:
        """End approved orders that waited too long in the outbox; return how many."""

    def claim_next(self, epoch: int, now: datetime) -> Claimed | None:
        """Claim the most urgent approved order, as the pace allows: SUBMITTING is committed."""

    def objection(self, claimed: Claimed, now: datetime) -> str | None:
        """Check phase and quote age once more after the claim, and last, just before the call, the main switch."""

    def kill(self, name: str, now: datetime) -> None:
        """Latch HALTED: the kill file `name` is there."""

    def hold_back(self, order_id: int, why: str, epoch: int, now: datetime) -> None:
        """A claimed order was not sent after all: EXPIRED."""

    def sent(
        self, order_id: int, seq: int | None, epoch: int, now: datetime, connection: int = 0
    ) -> None:
        """Remember the seq of a submit, if it has one, and through which broker connection it went."""

    def refused(self, order_id: int, why: str, epoch: int, now: datetime) -> None:
        """The order certainly does not exist: REJECTED."""

    def uncertain(self, order_id: int, why: str, epoch: int, now: datetime) -> None:
        """The order may exist: UNKNOWN, reservation kept, alarm."""

    def overdue(self, epoch: int, now: datetime, lag: timedelta = timedelta(0)) -> int:
        """Move SUBMITTING orders without evidence for 8 s to UNKNOWN, and carry out what a person decided about those.

        `lag`: the channel's; evidence may come so much later. Returns how many moved.
        """

    def claim_cancels(self, epoch: int, seen_at: datetime | None, now: datetime) -> Sequence[int]:
        """Claim wanted cancels of orders re-read at or after the wish; return broker order ids."""

    def day_end(self, epoch: int, now: datetime) -> int:
        """After 15:35: end what still rests, with reason DAY_END, of earlier days at any time; return how many."""


class QuoteWriter(Protocol):
    """The writable side of the quote store."""

    def put(self, feed: str, quotes: Iterable[Quote], heartbeat: int, now: datetime) -> None:
        """Store accepted quotes in their order of arrival and note that the feed delivered at `now`.

        `heartbeat`: the feed's, in seconds. Without quotes nothing changes: silence is not a delivery.
        """

    def note(self, said: Iterable[Said]) -> None:
        """Keep what the sources say, for people to read; a store may forget it."""
        return None
