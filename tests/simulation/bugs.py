"""Twenty mistakes that systems like this one really made, each planted by the harness at one seam of the real code.

Nothing in production code knows of them. Each is to be caught by the invariants, never by a check made for it.
`further_bugs` has more of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from tests.simulation.further_bugs import FURTHER
from tests.simulation.grid_bugs import GRID
from tests.simulation.planting import Bug, Patch, misbehaving, moving, needs, put
from trading.broker import gateway
from trading.broker.qmt import QmtBroker
from trading.domain import absence, reconcile
from trading.domain.orders import OrderState
from trading.domain.reports import BrokerOrder, CancelResponse, Snapshot
from trading.errors import SubmitUncertain
from trading.models import Account, GatewayLease, Order, OrderEvent, Position
from trading.ports import OrderRequest
from trading.services import (
    adoption,
    booking,
    decisions,
    desk,
    execution,
    orders_tick,
    sync,
    unknown_outcomes,
)
from trading.services.desk import AccountDesk
from trading.services.execution import Execution
from trading.services.moves import move
from trading.services.view import TickView

_AT_BROKER = [state.value for state in OrderState if state.at_broker]


# -- answers that are believed


@needs(misbehaving("none_lists"))
def none_as_empty() -> list[Patch]:
    """A failed query counts as an empty list, also when the books are opened."""
    return [
        put(QmtBroker, "_rows", lambda was: lambda self, make, rows: was(self, make, rows or [])),
        mock.patch.object(adoption, "opening_problem", return_value=None),
    ]


def empty_positions_wipe_the_book() -> list[Patch]:
    """A holding the terminal does not list is written off."""

    def made(was: Any) -> Any:
        def project(account: Account, reported: Any) -> Any:
            open_lives = Position.objects.filter(account=account, closed_at=None)
            gone = open_lives.exclude(symbol__in=list(reported))
            gone.update(quantity=0, closed_at=account.snapshot_at)
            return was(account, reported)

        return project

    return [put(sync, "_project_positions", made)]


@needs(misbehaving("shrunken_lists", "empty_lists", "stale_queries"))
def shrunken_list_accepted() -> list[Patch]:
    """A list that lacks an order is the news that the order has ended (R6)."""

    def seen(self: Execution, snapshot: Snapshot, now: datetime) -> None:
        if self.judge(snapshot) is not None:
            return
        shown = {order.broker_order_id for order in snapshot.orders or ()}
        for order in Order.objects.filter(
            state__in=_AT_BROKER, submitted_at__lt=snapshot.taken_at
        ):
            if order.broker_order_id not in shown:
                move(order, _cancelled(order), self.epoch, now, end_confirmed=True)

    def believed(was: Any) -> Any:
        return lambda known, snapshot: was((), snapshot)

    return [_after_snapshot(seen), put(execution, "clean", believed)]


def _cancelled(order: Order) -> OrderState:
    return OrderState.PARTIALLY_CANCELLED if order.filled_quantity else OrderState.CANCELLED


@needs(lambda plan: bool(plan.away) or "zombie" in plan.misbehaviours)
def absence_from_one_query() -> list[Patch]:
    """One query that does not show an order of more than a minute proves that it never existed (R5)."""
    return [mock.patch.object(unknown_outcomes, "proven", absence.counts)]


@needs(misbehaving("zombie", "stale_queries", "shrunken_lists"))
def young_order_window_off() -> list[Patch]:
    """Two queries in a row prove that an order does not exist, however young it is (R4)."""
    return [
        mock.patch.object(absence, name, timedelta(0)) for name in ("YOUNG", "YOUNG_WITHOUT_LIST")
    ]


def _after_snapshot(seen: Callable[[Execution, Snapshot, datetime], None]) -> Patch:
    def made(was: Any) -> Any:
        def snapshot(self: Execution, snapshot: Snapshot, now: datetime) -> None:
            was(self, snapshot, now)
            seen(self, snapshot, now)

        return snapshot

    return put(Execution, "_snapshot", made)


# -- orders that are sent again


def retry_after_timeout() -> list[Patch]:
    """What got no answer in 8 s is sent again."""

    def overdue(self: AccountDesk, epoch: int, now: datetime, lag: timedelta) -> int:
        late = self._orders(OrderState.SUBMITTING).filter(
            claimed_at__lte=now - desk.SUBMIT_DEADLINE
        )
        for order in late:
            OrderEvent.objects.create(
                order=order, at=now, old_state=order.state, new_state=OrderState.APPROVED
            )
        again = {"state": OrderState.APPROVED, "expires_at": now + timedelta(seconds=15)}
        return int(late.update(**again))

    return [mock.patch.object(AccountDesk, "overdue", overdue)]


@needs(misbehaving("minus_one_though_live"))
def second_attempt_after_minus_one() -> list[Patch]:
    """A call that returned -1 is made again."""

    def made(was: Any) -> Any:
        def submit(self: QmtBroker, request: OrderRequest) -> int:
            try:
                return int(was(self, request))
            except SubmitUncertain:
                return int(was(self, request))

        return submit

    return [put(QmtBroker, "submit", made)]


@needs(moving("rises", "breakout"))
def reorder_of_the_full_quantity() -> list[Patch]:
    """A re-order takes the quantity of the order, not what it left unfilled."""
    return [mock.patch.object(orders_tick, "chain_left", lambda order: order.quantity)]


@needs(misbehaving("late_fill", "delayed", "reordered", "stale_queries"))
def reorder_before_terminal() -> list[Patch]:
    """A push of the cancel is enough for the next order; no query has to confirm it."""
    return [
        put(
            orders_tick,
            "reorder_after",
            lambda was: lambda ended, rules: was(replace(ended, confirmed=True), rules),
        ),
        mock.patch.object(orders_tick, "_unconfirmed", return_value=False),
        mock.patch.object(decisions.Decisions, "_being_confirmed", return_value=False),
    ]


@needs(misbehaving("cancel_true_for_nothing", "lost_request", "late_fill"))
def cancel_treated_as_cancelled() -> list[Patch]:
    """A cancel that was sent off has cancelled."""

    def made(was: Any) -> Any:
        def cancelled(self: Execution, response: CancelResponse, now: datetime) -> None:
            was(self, response, now)
            order = Order.objects.filter(broker_order_id=response.broker_order_id).last()
            if response.accepted and order is not None:
                move(order, _cancelled(order), self.epoch, now, end_confirmed=True)

        return cancelled

    return [put(Execution, "_cancelled", made)]


# -- fills


def fill_key_without_trade_id() -> list[Patch]:
    """A fill is known by its order alone."""

    def key(account: str, on: Any, trade: Any, sysids: Any = None) -> str:
        return f"{account}|{on:%Y%m%d}|{trade.symbol}|{trade.broker_order_id}"

    return [
        mock.patch.object(reconcile, "fill_key", key),
        mock.patch.object(reconcile, "_early_key", key),
    ]


def fill_by_status_volume() -> list[Patch]:
    """What an order's row says is traded counts as filled; its fills count too when they come."""

    def made(was: Any) -> Any:
        def report(
            self: Execution, order: Order, told: BrokerOrder, now: datetime, **more: Any
        ) -> None:
            if told.traded_quantity > order.filled_quantity:
                order.filled_quantity = told.traded_quantity
                order.save(update_fields=["filled_quantity"])
            was(self, order, told, now, **more)

        return report

    return [put(Execution, "_report", made)]


@needs(lambda plan: plan.leaked_stop)
def old_epochs_fills_dropped() -> list[Patch]:
    """What an old connection tells is dropped, its fills too."""
    return [mock.patch.object(gateway, "BrokerTrade", type("Nothing", (), {}))]


def partial_fill_ends_tracking() -> list[Patch]:
    """The first fill of an order is taken for its end."""

    def ended(state: OrderState, quantity: int, filled: int) -> OrderState:
        return OrderState.FILLED if filled > 0 else state

    return [mock.patch.object(booking, "state_after_fill", ended)]


def zero_volume_row_keeps_its_life() -> list[Patch]:
    """A holding that was sold out goes on with no shares."""

    def made(was: Any) -> Any:
        def moved(account: Account, trade: Any, side: Any, now: datetime) -> Position | None:
            row: Position | None = was(account, trade, side, now)
            if row is not None and row.closed_at is not None:
                Position.objects.filter(pk=row.pk).update(closed_at=None)
            return row

        return moved

    return [put(booking, "_move_position", made)]


# -- promises and switches


def reservation_released_on_unknown() -> list[Patch]:
    """An order whose outcome is unknown holds nothing."""
    ended = [state for state in OrderState if state.terminal]
    works = property(lambda self: self not in ended and self is not OrderState.UNKNOWN)
    return [mock.patch.object(OrderState, "working", works)]


@needs(lambda plan: plan.second_gateway)
def lease_not_checked_at_claim() -> list[Patch]:
    """An order is claimed without a look at who holds the lease, and until when."""

    def made(was: Any) -> Any:
        def moved(
            order: Order, new: OrderState, epoch: int, now: datetime, /, **more: Any
        ) -> bool:
            if new is not OrderState.SUBMITTING:
                return bool(was(order, new, epoch, now, **more))
            holder = GatewayLease.objects.values_list("epoch", flat=True).get(
                account_id=order.account_id
            )
            fields = {**more, "lease_must_last": False}
            return bool(was(order, new, holder, now, **fields))

        return moved

    return [put(desk, "move", made)]


def t1_from_volume() -> list[Patch]:
    """Everything that is held can be sold, today's buys too."""

    def made(was: Any) -> Any:
        def seen(row: Position, broker: Any) -> dict[str, Any]:
            fields: dict[str, Any] = was(row, broker)
            return {**fields, "broker_sellable": fields["broker_quantity"]}

        return seen

    return [
        put(sync, "_seen_at_broker", made),
        mock.patch.object(TickView, "locked", return_value=0),
    ]


@needs(misbehaving("remark_truncated"))
def remark_by_prefix_without_uniqueness() -> list[Patch]:
    """However short a remark comes back, the first order that begins so is the one."""

    def made(was: Any) -> Any:
        def bind(local: Sequence[Any], reports: Sequence[BrokerOrder], **more: Any) -> Any:
            return was(local, [_first_alike(report, local) for report in reports], **more)

        return bind

    return [put(execution, "bind", made)]


def _first_alike(report: BrokerOrder, local: Sequence[Any]) -> BrokerOrder:
    for order in local:
        same = (order.symbol, order.side) == (report.symbol, report.side)
        if report.remark and same and order.client_order_id.startswith(report.remark):
            return replace(report, remark=order.client_order_id)
    return report


@needs(lambda plan: plan.kill_at_point)
def kill_switch_before_the_claim_only() -> list[Patch]:
    """The main switch is read before the claim, and not again before the call."""

    def claim(was: Any) -> Any:
        def claim_next(self: AccountDesk, epoch: int, now: datetime) -> Any:
            state = Account.objects.values_list("trading_state", flat=True).get()
            return None if state == "halted" else was(self, epoch, now)

        return claim_next

    def check(was: Any) -> Any:
        def objection(self: AccountDesk, claimed: Any, now: datetime) -> str | None:
            why: str | None = was(self, claimed, now)
            return None if why == "TRADING_STATE" else why

        return objection

    return [put(AccountDesk, "claim_next", claim), put(AccountDesk, "objection", check)]


TWENTY: dict[str, Bug] = {
    bug.__name__: bug
    for bug in (
        none_as_empty,
        empty_positions_wipe_the_book,
        retry_after_timeout,
        second_attempt_after_minus_one,
        fill_key_without_trade_id,
        fill_by_status_volume,
        reservation_released_on_unknown,
        lease_not_checked_at_claim,
        old_epochs_fills_dropped,
        young_order_window_off,
        absence_from_one_query,
        shrunken_list_accepted,
        reorder_of_the_full_quantity,
        reorder_before_terminal,
        cancel_treated_as_cancelled,
        t1_from_volume,
        zero_volume_row_keeps_its_life,
        remark_by_prefix_without_uniqueness,
        kill_switch_before_the_claim_only,
        partial_fill_ends_tracking,
    )
}
BUGS = {**TWENTY, **FURTHER, **GRID}
NAMES = tuple(BUGS)


def meaning(name: str) -> str:
    """Return what a bug is, in words."""
    return (BUGS[name].__doc__ or "").strip().splitlines()[0]


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Plant a bug for a while; None plants none. Raises KeyError on an unknown name."""
    with ExitStack() as stack:
        for patch in BUGS[name]() if name else ():
            stack.enter_context(patch)
        yield
