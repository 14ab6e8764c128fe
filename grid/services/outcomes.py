"""What became of a session's pending trade: read from its signal and its orders, as often as anybody likes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from grid.domain.rules import ended
from grid.domain.state import Outcome, reset
from grid.services.work import Work
from trading.domain.types import ZERO, Side, SignalState, Text
from trading.models import Order, Signal
from trading.services.view import TickView


def settle(view: TickView, works: Sequence[Work]) -> None:
    """Bring sessions to the end of their pending trade; two queries for all of them, none when nothing is pending.

    A chain that filled anything is one booking at its average price; one that filled nothing resets the tracker.
    """
    waiting = [work for work in works if work.row.signal_id is not None]
    if not waiting:
        return
    ids = [work.row.signal_id for work in waiting]
    signals = Signal.objects.in_bulk(ids)
    chains: dict[int, list[Order]] = defaultdict(list)
    for order in Order.objects.filter(signal__in=ids).order_by("pk"):
        if order.signal_id is not None:
            chains[order.signal_id].append(order)
    for work in waiting:
        assert work.row.signal_id is not None
        signal = signals[work.row.signal_id]
        _settle(view, work, signal, chains.get(signal.pk, []))


def _settle(view: TickView, work: Work, signal: Signal, orders: list[Order]) -> None:
    state = SignalState(signal.state)
    if state is SignalState.PENDING or any(not order.chain_settled for order in orders):
        return
    if state is not SignalState.ACCEPTED:
        text = Text(signal.outcome_en, signal.outcome_zh)
        work.say(view, signal.denial_code or state.name, text)
        finish(work, None)
        return
    outcome = Outcome(
        side=Side(signal.side),
        quantity=sum(order.filled_quantity for order in orders),
        amount=sum((order.filled_amount for order in orders), ZERO),
        at=_ended_at(orders, view.now),
    )
    if outcome.quantity == 0:
        last = orders[-1].state if orders else "-"
        text = Text(f"its order ended as {last}, nothing filled", f"委托以 {last} 结束，未成交")
        work.say(view, "NOT_FILLED", text)
    finish(work, outcome)


def finish(work: Work, outcome: Outcome | None) -> None:
    """Take the pending trade off a session."""
    work.row.signal = None
    state = reset(work.state) if outcome is None else ended(work.state, outcome, work.rules)
    work.state = state
    work.write_state()


def _ended_at(orders: Sequence[Order], now: datetime) -> datetime:
    return max((order.ended_at for order in orders if order.ended_at is not None), default=now)
