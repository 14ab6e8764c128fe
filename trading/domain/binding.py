"""Whose order is it: the broker's orders bound to ours, by the strongest evidence that names exactly one.

Id, remark, beginning of the remark, `seq` of an answer, and last the fingerprint, which binds weakly. The price type a
query shows is the counter's own number and is never compared. Nothing here changes anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from trading.domain.order_ids import SHORTEST_PREFIX, own_prefix
from trading.domain.orders import OrderState
from trading.domain.reports import BrokerOrder
from trading.domain.types import ZERO, Side, Symbol

#: An order we sent shows at the broker with a time this much before or after the call: clocks differ, requests lag.
#: Until then it may still come, beside one that looks like it.
EARLIEST, LATEST = timedelta(seconds=-5), timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class LocalOrder:
    """An order in our books, today's ones of any state.

    `epoch`: of the lease, `connection`: of the broker session it was submitted through; a `seq` means something only
    there. `sent_at`: just before the call, None when it was not sent. `tick`: the price step in yuan. `weak`: its
    broker id was found by its fingerprint only. `known_before`: broker orders that others had placed before the call.
    """

    id: int
    client_order_id: str
    symbol: Symbol
    side: Side
    quantity: int
    price: Decimal
    state: OrderState
    filled: int
    broker_order_id: int | None
    seq: int | None
    submitted_at: datetime | None
    epoch: int
    connection: int = 0
    sent_at: datetime | None = None
    tick: Decimal = ZERO
    weak: bool = False
    known_before: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Binding:
    """Which of the broker's orders is which of ours.

    `bound`: by the id of our order; `weak`: those of them that only their fingerprint names. `foreign`: placed
    elsewhere, without a remark of ours; they count in risk and are never cancelled by us. `ambiguous`: perhaps ours,
    but it cannot be said which; a person decides. `early`: perhaps ours, and too early to say so by likeness.
    `orphans`: the remark is ours, our books have no such order (they lost it). `doubled`: a second broker order of one
    of ours; invariant I1 is broken.
    """

    bound: Mapping[int, BrokerOrder] = field(default_factory=dict)
    weak: frozenset[int] = frozenset()
    foreign: tuple[BrokerOrder, ...] = ()
    ambiguous: tuple[BrokerOrder, ...] = ()
    early: tuple[BrokerOrder, ...] = ()
    orphans: tuple[BrokerOrder, ...] = ()
    doubled: tuple[tuple[int, BrokerOrder], ...] = ()


Matcher = Callable[[BrokerOrder, LocalOrder], bool]


def _same_broker_id(report: BrokerOrder, order: LocalOrder) -> bool:
    # The client's numbers start again: one that returns for another symbol is another day's.
    return report.broker_order_id == order.broker_order_id and _agrees(report, order)


def _same_remark(report: BrokerOrder, order: LocalOrder) -> bool:
    return report.remark == order.client_order_id and _agrees(report, order)


def _remark_begins_alike(report: BrokerOrder, order: LocalOrder) -> bool:
    prefix = own_prefix(report.remark)
    return (
        prefix is not None and order.client_order_id.startswith(prefix) and _agrees(report, order)
    )


#: Evidence a single report carries, strongest first (R2). The seq of an answer gives an order its broker id
#: (`order_of_answer`); the fingerprint needs the whole list.
MATCHERS: tuple[Matcher, ...] = (_same_broker_id, _same_remark, _remark_begins_alike)


def bind(
    local: Sequence[LocalOrder],
    reports: Sequence[BrokerOrder],
    *,
    complete_at: datetime | None = None,
) -> Binding:
    """Bind reports to our orders; the same whatever the order of the reports.

    A report is bound by the strongest evidence that names exactly one of our orders; evidence that names several
    binds none. A report that repeats a broker order id is the same order: the one with most traded counts.
    `complete_at`: the reports are a clean list of all orders as of then, so that a fingerprint can be seen to be unique.
    """
    left = _one_per_order(reports)
    bound: dict[int, BrokerOrder] = {}
    ambiguous: list[BrokerOrder] = []
    doubled: list[tuple[int, BrokerOrder]] = []
    for matches in MATCHERS:
        undecided: list[BrokerOrder] = []
        for report in left:
            candidates = [order for order in local if matches(report, order)]
            if not candidates:
                undecided.append(report)
            elif len(candidates) > 1 or _was_taken_for_another(candidates[0], report):
                ambiguous.append(report)
            elif candidates[0].id in bound:
                doubled.append((candidates[0].id, report))
            else:
                bound[candidates[0].id] = report
        left = undecided
    named = _by_fingerprint(local, left, bound, complete_at) if complete_at else _Likely()
    settled = {
        report.broker_order_id for report in (*named.found.values(), *named.unclear, *named.early)
    }
    left = [report for report in left if report.broker_order_id not in settled]
    return Binding(
        bound={**bound, **named.found},
        weak=frozenset(named.found),
        foreign=tuple(report for report in left if own_prefix(report.remark) is None),
        ambiguous=(*ambiguous, *named.unclear),
        early=named.early,
        orphans=tuple(report for report in left if own_prefix(report.remark) is not None),
        doubled=tuple(doubled),
    )


def order_of_answer(
    local: Iterable[LocalOrder], remark: str, seq: int, epoch: int, connection: int
) -> LocalOrder | None:
    """Return the order an answer is about: by its remark, else the one in doubt with this seq of this very connection.

    Every connection counts its seq from 1 again, so a number of an earlier one says nothing.
    """
    orders = list(local)
    for order in orders:
        if remark and order.client_order_id == remark:
            return order
    by_seq = [
        order
        for order in orders
        if order.seq == seq
        and (order.epoch, order.connection) == (epoch, connection)
        and order.state in (OrderState.SUBMITTING, OrderState.UNKNOWN)
    ]
    return by_seq[0] if len(by_seq) == 1 else None


def looks_like(report: BrokerOrder, order: LocalOrder) -> bool:
    """Whether a broker order has the fingerprint of ours, whatever its remark: symbol, side, volume, price and time.

    What was at the broker before the call is not what the call made, however alike: a person may sell the same shares.
    An unknown side is no contradiction here: what may be ours speaks against its absence.
    """
    return (
        order.sent_at is not None
        and report.broker_order_id not in order.known_before
        and _agrees(report, order)
        and report.quantity == order.quantity
        and abs(report.price - order.price) <= order.tick
        and EARLIEST <= report.time - order.sent_at <= LATEST
    )


def _was_taken_for_another(order: LocalOrder, report: BrokerOrder) -> bool:
    """Its fingerprint once named another order than this stronger evidence does."""
    return order.weak and order.broker_order_id != report.broker_order_id


@dataclass(frozen=True, slots=True)
class _Likely:
    """What the fingerprint binds, one to one; what it leaves to a person; what it leaves to later lists."""

    found: Mapping[int, BrokerOrder] = field(default_factory=dict)
    unclear: tuple[BrokerOrder, ...] = ()
    early: tuple[BrokerOrder, ...] = ()


def _by_fingerprint(
    local: Sequence[LocalOrder],
    reports: Sequence[BrokerOrder],
    bound: Mapping[int, BrokerOrder],
    as_of: datetime,
) -> _Likely:
    """Bind by likeness, only what is still sought when better evidence has had its time.

    A request can be on its way for most of a minute, while a person sells the same shares in the client. And where
    the terminal returns our remarks whole, a row without one is a person's.
    """
    if any(_same_remark(report, order) for order in local for report in bound.values()):
        return _Likely()
    sought = [
        order
        for order in local
        if order.state is OrderState.UNKNOWN
        and order.broker_order_id is None
        and order.id not in bound
    ]
    orders_of: dict[int, list[LocalOrder]] = defaultdict(list)
    reports_of: dict[int, list[BrokerOrder]] = defaultdict(list)
    for report in reports:
        for order in sought:
            if report.side is not None and looks_like(report, order) and _may_be(report, order):
                orders_of[report.broker_order_id].append(order)
                reports_of[order.id].append(report)
    found: dict[int, BrokerOrder] = {}
    unclear: list[BrokerOrder] = []
    early: list[BrokerOrder] = []
    for report in reports:
        candidates = orders_of.get(report.broker_order_id, [])
        if any(as_of - (order.sent_at or as_of) <= LATEST for order in candidates):
            early.append(report)
        elif len(candidates) == 1 and len(reports_of[candidates[0].id]) == 1:
            found[candidates[0].id] = report
        elif candidates:
            unclear.append(report)
    return _Likely(found, tuple(unclear), tuple(early))


def _may_be(report: BrokerOrder, order: LocalOrder) -> bool:
    """Whether the remark leaves it open: empty, or cut too short to name anything. Any other is somebody else's."""
    remark = report.remark
    return len(remark) < SHORTEST_PREFIX and order.client_order_id.startswith(remark)


def _agrees(report: BrokerOrder, order: LocalOrder) -> bool:
    """Whether symbol and side allow it to be the same order; an unknown side is not a sale, nor a contradiction."""
    return report.symbol == order.symbol and report.side in (None, order.side)


def _one_per_order(reports: Sequence[BrokerOrder]) -> list[BrokerOrder]:
    newest: dict[tuple[int, Symbol], BrokerOrder] = {}
    for report in sorted(reports, key=_progress):
        newest[report.broker_order_id, report.symbol] = report
    return sorted(newest.values(), key=lambda report: (report.broker_order_id, report.symbol))


def _progress(report: BrokerOrder) -> tuple[int, bool, tuple[str, ...]]:
    """A total order, so that the order of delivery never decides which of two rows of one order counts."""
    rest = (report.state, report.remark, report.sysid, str(report.side), str(report.quantity))
    return (
        report.traded_quantity,
        report.state.terminal,
        (*rest, str(report.price), str(report.time)),
    )
