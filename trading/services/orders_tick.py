"""The orders tick: timeouts, cancel requests, re-orders, and the end of old signals."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from trading.domain import risk
from trading.domain.calendar import TradingCalendar, books_closed, continuous_seconds, phase_at
from trading.domain.orders import OrderState
from trading.domain.timeouts import (
    DueAction,
    EndedOrder,
    ReorderDecision,
    WorkingOrder,
    due_action,
    reorder_after,
)
from trading.domain.types import Denial as DenialValue
from trading.domain.types import Purpose, Side, SignalKind, SignalState, Symbol, Text
from trading.faults import crash_point
from trading.models import EventLevel, Order, Signal
from trading.models.prepared import Prepared
from trading.ports import QuoteReader
from trading.services.accounts import want_snapshot
from trading.services.booking import settle_chain
from trading.services.decisions import Decisions
from trading.services.events import journal
from trading.services.orders import (
    NOT_ORDERED_AGAIN,
    Approval,
    approve,
    chain_left,
    pause_after_person,
    retry_cancel,
    working_ref,
)
from trading.services.pricing import price_intent
from trading.services.risk_facts import gather_facts
from trading.services.tick import Nudge, settings_or_alarm
from trading.services.view import TickView


def orders_tick(
    account_id: int, now: datetime, quotes: QuoteReader, calendar: TradingCalendar, nudge: Nudge
) -> None:
    """Run one orders tick."""
    phase = phase_at(calendar, now)
    with transaction.atomic():
        settings = settings_or_alarm(account_id, now)
        if settings is None:
            return
        view = TickView(account_id, settings, now, phase, quotes, calendar)
        _expire_signals(view)
        acted = False
        for order in view.orders:
            state = OrderState(order.state)
            acted |= (
                _watch(view, order) if state.working else _continue_chain(view, order, calendar)
            )
        if acted:
            transaction.on_commit(lambda: nudge(account_id))


def _expire_signals(view: TickView) -> None:
    for signal in view.pending:
        kind = SignalKind(signal.kind)
        if view.now - signal.held_at <= view.settings.signals.max_age(kind):
            continue
        seconds = int(view.settings.signals.max_age(kind).total_seconds())
        Signal.objects.filter(pk=signal.pk, state=SignalState.PENDING).update(
            state=SignalState.EXPIRED,
            decided_at=view.now,
            outcome_en=f"its condition last held more than {seconds} s ago",
            outcome_zh=f"触发条件最后成立已超过 {seconds} 秒",
        )


def _watch(view: TickView, order: Order) -> bool:
    """Look after a working order; True when the gateway has something to do."""
    if order.submitted_at is None or order.cancel_wanted_at is not None:
        return False
    working = WorkingOrder(
        client_order_id=order.client_order_id,
        symbol=Symbol(order.symbol),
        side=Side(order.side),
        kind=SignalKind(order.kind),
        state=OrderState(order.state),
        quantity=order.quantity,
        filled=order.filled_quantity,
        price=order.price,
        attempt=order.attempt,
        submitted_at=order.submitted_at,
        cancel_tries=order.cancel_tries,
        last_cancel_at=order.last_cancel_at,
        cancelled_by_person=order.cancelled_by_person,
        limit_down=order.limit_down,
        continuous_seconds=continuous_seconds(view.calendar, order.submitted_at, view.now),
    )
    action = due_action(working, view.settings.orders, view.phase, view.now)
    if action is DueAction.CANCEL:
        return retry_cancel(order, view.now)
    if action is DueAction.ALERT and not order.cancel_alerted:
        Order.objects.filter(pk=order.pk).update(cancel_alerted=True)
        text = Text(
            f"The {order.side} of {order.quantity} {order.symbol} could not be cancelled in {order.cancel_tries} tries. "
            "It still works and is tried again every minute. Cancel it at the terminal.",
            f"{order.symbol} {order.quantity} 股的委托撤单 {order.cancel_tries} 次未成，仍在挂单，之后每分钟再试一次。请在客户端撤单。",
        )
        journal(
            view.account_id, EventLevel.ALARM, "CANCEL_FAILED", text, view.now, symbol=order.symbol
        )
    return False


_LATER = Prepared(
    lambda root, order: Order.objects.filter(root_id=root, pk__gt=order).values_list("pk")[:1]
)


def _continue_chain(view: TickView, order: Order, calendar: TradingCalendar) -> bool:
    """Re-order the remainder of an ended order, send the next piece, or close the chain."""
    if _LATER(order.root_id or order.pk, order.pk):
        Order.objects.filter(pk=order.pk).update(chain_settled=True)  # the chain went on already
        return False
    if order.trade_date != view.on or books_closed(view.now):
        return _close(view, order)
    by_person = order.cancelled_by_person or _cancelled_elsewhere(order)
    if by_person:
        if _unconfirmed(order):
            return _ask(view)  # until a query shows the shares free, an exit would count too few
        pause_after_person(order, view.now)
        return _close(view, order)
    held = view.rows.get(Symbol(order.symbol))
    if order.side == Side.SELL and (held is None or held.pk != order.position_id):
        return _close(view, order)  # its holding's life is over
    if order.cancel_reason in NOT_ORDERED_AGAIN:
        # What superseded it waits for the query that confirms the end, and so does this chain.
        return _ask(view) if _unconfirmed(order) else _close(view, order)
    decision = _next(view, order)
    if decision is None:
        if _unconfirmed(order):
            return _ask(view)
        return _close(view, order, exhausted=_exhausted(order))
    if not view.phase.continuous or not view.fresh(Symbol(order.symbol)):
        return False  # wait: a re-order is priced from a fresh book
    return _reorder(view, order, decision)


def _next(view: TickView, order: Order) -> ReorderDecision | None:
    left = chain_left(order)
    if left <= 0:
        return None  # a late fill did it
    if OrderState(order.state) is OrderState.FILLED:
        return ReorderDecision(left, 0)
    decision = reorder_after(
        EndedOrder(
            kind=SignalKind(order.kind),
            state=OrderState(order.state),
            quantity=order.quantity,
            filled=order.filled_quantity,
            attempt=order.attempt,
            confirmed=order.end_confirmed,
        ),
        view.settings.orders,
    )
    return decision and ReorderDecision(left, decision.attempt)


def _reorder(view: TickView, order: Order, decision: ReorderDecision) -> bool:
    symbol, kind = Symbol(order.symbol), SignalKind(order.kind)
    quote = view.latest(symbol)
    if quote is None:
        return False
    decisions = Decisions(view)
    sellable = decisions.sellable(symbol)
    quantity = decision.quantity
    if order.side == Side.SELL:
        quantity = min(quantity, sellable)
    if quantity <= 0:
        return False  # the terminal has not freed the shares yet; the next check sees them
    priced = price_intent(
        kind=kind,
        side=Side(order.side),
        quantity=quantity,
        quote=quote,
        instrument=view.instrument(symbol),
        on=view.on,
        session=view.session(symbol),
        mode=view.settings.orders.price_mode,
        trigger=order.trigger_price,
        attempt=decision.attempt,
        highest=order.signal.highest if order.signal is not None else None,
    )
    working = [ref for ref in map(working_ref, view.orders) if ref.state.working]
    denial = priced if isinstance(priced, DenialValue) else None
    if not isinstance(priced, DenialValue):
        denial = risk.check(
            priced.intent, gather_facts(view, priced, working, sellable), view.settings.risk
        )
    if denial is not None:
        if denial.code.blocks:
            return False
        text = Text(
            f"The rest of {order.symbol} was not ordered again: {denial.text.en}",
            f"{order.symbol} 剩余部分未重新委托：{denial.text.zh}",
        )
        journal(view.account_id, EventLevel.ALARM, "REORDER_DENIED", text, view.now, symbol=symbol)
        return _close(view, order)
    assert not isinstance(priced, DenialValue)
    again = approve(
        Approval(
            view.account,
            view.settings.revision,
            priced,
            view.now,
            view.on,
            attempt=decision.attempt,
        ),
        signal=order.signal,
        position=order.position,
        chain_quantity=order.chain_quantity,
        root=order.root or order,
    )
    view.approved(again)
    crash_point("orders_tick.reordered")
    Order.objects.filter(pk=order.pk).update(chain_settled=True)
    return True


def _close(view: TickView, order: Order, *, exhausted: bool = False) -> bool:
    settle_chain(order, order.epoch, view.now, final=True)
    if exhausted:
        text = Text(
            f"{order.symbol}: the last re-order ended with {chain_left(order)} shares unsold. "
            "A rule that still holds decides anew.",
            f"{order.symbol}：最后一次重挂结束，仍有 {chain_left(order)} 股未成交。规则仍成立时将重新决定。",
        )
        journal(
            view.account_id,
            EventLevel.ALARM,
            "ATTEMPTS_EXHAUSTED",
            text,
            view.now,
            symbol=order.symbol,
        )
    return False


def _unconfirmed(order: Order) -> bool:
    """A cancel that only a push reported waits for the query that confirms it."""
    return (
        OrderState(order.state) in (OrderState.CANCELLED, OrderState.PARTIALLY_CANCELLED)
        and not order.end_confirmed
    )


def _ask(view: TickView) -> bool:
    """Ask the gateway for a query now: an idle one would look ten seconds later, and a sale waits for this."""
    want_snapshot(view.account_id, view.now)
    return True


def _exhausted(order: Order) -> bool:
    cancelled = OrderState(order.state) in (OrderState.CANCELLED, OrderState.PARTIALLY_CANCELLED)
    return cancelled and order.purpose == Purpose.EXIT and chain_left(order) > 0


def _cancelled_elsewhere(order: Order) -> bool:
    """Cancelled although we never asked: somebody did it at the terminal."""
    cancelled = OrderState(order.state) in (OrderState.CANCELLED, OrderState.PARTIALLY_CANCELLED)
    return cancelled and order.cancel_tries == 0 and not order.end_reason
