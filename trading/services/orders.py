"""Orders before the gateway (birth, reservation) and around it (timeouts, cancel requests, re-orders)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError
from django.db.models import Q

from trading.domain.fees import cash_needed
from trading.domain.order_ids import client_order_id, decision_key, next_counter
from trading.domain.orders import OrderState, WorkingRef, expires_at_outbox
from trading.domain.risk import Intent
from trading.domain.types import AccountMode, Side, SignalKind, Symbol, Text
from trading.faults import crash_point
from trading.models import Account, EventLevel, Order, Position, Signal
from trading.models.prepared import Prepared, PreparedUpdate
from trading.services.accounts import fee_schedule, want_snapshot
from trading.services.events import journal
from trading.services.moves import tell_move
from trading.services.pace import pace_of
from trading.services.pricing import Priced

#: Reasons of a cancel after which the rest is not ordered again: something higher took its place, or nobody wants it.
WITHDRAWN = "WITHDRAWN"
NOT_ORDERED_AGAIN = frozenset({"SUPERSEDED", WITHDRAWN})
#: After a person cancelled an exit, that holding's automatic exits rest (rules §1).
PERSON_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Approval:
    """What an order is born with. `attempt`: 0, or the number of the re-order."""

    account: Account
    revision: int
    priced: Priced
    now: datetime
    on: date
    attempt: int = 0


def approve(
    approval: Approval,
    *,
    signal: Signal | None,
    position: Position | None,
    chain_quantity: int,
    root: Order | None = None,
) -> Order:
    """Write an approved order with its reservation, inside the caller's transaction.

    A quantity above the exchange's largest order starts a chain: this is its first piece.
    """
    intent, account, now = approval.priced.intent, approval.account, approval.now
    quantity = intent.lot.split(intent.quantity)[0]
    reserved = Decimal(0)
    if intent.side is Side.BUY:
        reserved = cash_needed(
            fee_schedule(account), intent.instrument, quantity, intent.price, approval.on
        )
    order = Order.objects.create(
        account=account,
        signal=signal,
        position=position,
        root=root,
        client_order_id=_client_order_id(account, now),
        decision_key=_decision_key(account, intent, position, approval.on),
        trade_date=approval.on,
        symbol=intent.symbol,
        side=intent.side,
        kind=intent.kind,
        purpose=intent.kind.purpose,
        quantity=quantity,
        chain_quantity=chain_quantity,
        price=intent.price,
        limit_down=approval.priced.limits.down,
        trigger_price=signal.trigger_price if signal is not None else None,
        attempt=approval.attempt,
        state=OrderState.APPROVED,
        reserved_cash=reserved,
        approved_at=now,
        expires_at=expires_at_outbox(intent.kind, now, pace_of(AccountMode(account.mode))),
        config_revision=approval.revision,
        source=signal.source if signal is not None else "",
    )
    crash_point("orders.approved")
    tell_move(
        {
            "order_id": order.pk,
            "at": now,
            "new_state": OrderState.APPROVED.value,
            "detail": {"attempt": order.attempt},
        }
    )
    return order


def working_ref(order: Order) -> WorkingRef:
    """Return what other decisions need to know of an order."""
    return WorkingRef(
        client_order_id=order.client_order_id,
        symbol=Symbol(order.symbol),
        side=Side(order.side),
        kind=SignalKind(order.kind),
        state=OrderState(order.state),
        quantity=order.quantity,
        filled=order.filled_quantity,
        price=order.price,
        cash=order.reserved_cash,
    )


def chain_left(order: Order) -> int:
    """Return the shares its chain has not traded yet."""
    root = order.root_id or order.pk
    return order.chain_quantity - sum(_FILLED(root))


_FILLED = Prepared(
    lambda root: Order.objects.filter(Q(pk=root) | Q(root_id=root)).values_list(
        "filled_quantity", flat=True
    )
)


def claimed_by_exits(orders: Iterable[Order], symbol: Symbol, kind: SignalKind) -> int:
    """Return the shares of higher exits that were cancelled to be ordered again: theirs until that is done or given up."""
    return sum(
        chain_left(order)
        for order in orders
        if order.symbol == symbol
        and SignalKind(order.kind).protective
        and SignalKind(order.kind).priority > kind.priority
        and _may_go_on(order)
    )


def _may_go_on(order: Order) -> bool:
    """Whether the chain of this ended order may be ordered again: nobody has settled it, nor withdrawn what it is for."""
    ended = order.state in (
        OrderState.CANCELLED,
        OrderState.PARTIALLY_CANCELLED,
        OrderState.FILLED,
    )
    withdrawn = order.cancelled_by_person or order.cancel_reason in NOT_ORDERED_AGAIN
    return ended and not order.chain_settled and not withdrawn


def request_cancel(order: Order, reason: str, now: datetime, *, by_person: bool = False) -> bool:
    """Ask the gateway to cancel; it reads the order again first. True when this is a new wish.

    An order still in the outbox is simply not sent: its expiry is moved to now.
    """
    rows = Order.objects.filter(pk=order.pk, cancel_wanted_at__isnull=True)
    if (
        not by_person
        and OrderState(order.state) is OrderState.CANCEL_REQUESTED
        and reason == order.cancel_reason
    ):
        rows = rows.none()  # under way; a retry is the orders tick's, which passes its own reason
    return _want_cancel(rows, order, reason, now, by_person)


def retry_cancel(order: Order, now: datetime) -> bool:
    """Ask again for a cancel that did not end the order."""
    rows = Order.objects.filter(pk=order.pk, cancel_wanted_at__isnull=True)
    return _want_cancel(
        rows, order, order.cancel_reason or "TIMEOUT", now, order.cancelled_by_person
    )


def _want_cancel(rows, order: Order, reason: str, now: datetime, by_person: bool) -> bool:  # type: ignore[no-untyped-def]
    if OrderState(order.state) is OrderState.APPROVED:
        return bool(
            rows.filter(state=OrderState.APPROVED).update(
                expires_at=now - timedelta(seconds=1),
                cancel_reason=reason,
                cancelled_by_person=by_person,
            )
        )
    # What a person wants gone is cancelled as soon as it is known to be at the broker.
    working = [
        state.value
        for state in OrderState
        if state.at_broker or (by_person and state in _NOT_KNOWN_THERE)
    ]
    done = rows.filter(state__in=working).update(
        cancel_wanted_at=now, cancel_reason=reason, cancelled_by_person=by_person
    )
    if done:
        crash_point("orders.cancel_wanted")
        want_snapshot(order.account_id, now)
    return bool(done)


_NOT_KNOWN_THERE = (OrderState.SUBMITTING, OrderState.UNKNOWN)


def pause_after_person(order: Order, now: datetime) -> None:
    """A person ended an exit order: its holding's automatic exits rest for five minutes, with an alarm."""
    if order.position_id is None or not SignalKind(order.kind).protective:
        return
    Position.objects.filter(pk=order.position_id).update(exits_paused_until=now + PERSON_PAUSE)
    text = Text(
        f"The exit order of {order.symbol} was cancelled by a person: its automatic exits rest for 5 minutes.",
        f"{order.symbol} 的退出委托被人工撤销：该持仓的自动退出暂停 5 分钟。",
    )
    journal(order.account_id, EventLevel.ALARM, "EXITS_PAUSED", text, now, symbol=order.symbol)


def _client_order_id(account: Account, now: datetime) -> str:
    """Take the next number of the account by a conditional update: two writers never get the same."""
    for _ in range(10):
        seen = _COUNTER(account.pk)[0]
        number = next_counter(seen, now)
        if _COUNT(account.pk, seen, order_counter=number):
            return client_order_id(account.pk % 1024, number)
    raise IntegrityError("the order counter was contended ten times in a row")


_COUNTER = Prepared(
    lambda account: Account.objects.filter(pk=account).values_list("order_counter", flat=True)
)
_COUNT = PreparedUpdate(
    lambda account, seen: Account.objects.filter(pk=account, order_counter=seen)
)


def _decision_key(account: Account, intent: Intent, position: Position | None, on: date) -> str:
    """The key counts *ended* orders: a doubled tick makes the same key, and the database refuses it.

    An order that was ever unknown counts for good: one that is bound and works again must not give a key back.
    """
    life = position.life if position is not None else 0
    asked = (account.pk, on, intent.kind, intent.side, intent.symbol)
    ended = _ENDED(*asked) if position is None else _ENDED_OF_LIFE(*asked, position.pk)
    key = decision_key(on, intent.kind, intent.side, intent.symbol, life, len(ended))
    return f"{account.pk}|{key}"


_COUNTS_AS_ENDED = Q(state__in=[one.value for one in OrderState if one.terminal]) | Q(
    was_unknown=True
)
_ENDED = Prepared(
    lambda account, on, kind, side, symbol: Order.objects.filter(
        _COUNTS_AS_ENDED, account_id=account, trade_date=on, kind=kind, side=side, symbol=symbol,
        position=None,
    ).values_list("pk")
)  # fmt: skip
_ENDED_OF_LIFE = Prepared(
    lambda account, on, kind, side, symbol, position: Order.objects.filter(
        _COUNTS_AS_ENDED, account_id=account, trade_date=on, kind=kind, side=side, symbol=symbol,
        position_id=position,
    ).values_list("pk")
)  # fmt: skip
