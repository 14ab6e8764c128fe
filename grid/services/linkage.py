"""A grid pauses when the exits have sold its symbol: two engines must not pull a holding in two directions (F102)."""

from __future__ import annotations

from collections.abc import Sequence

from grid.domain.state import SessionStatus
from grid.selectors import state_of
from grid.services.ending import pause_session
from grid.services.work import Work
from trading.domain.orders import OrderState
from trading.domain.types import Purpose, SignalKind, Symbol, Text
from trading.models import EventLevel, Order
from trading.models.prepared import Prepared
from trading.services.events import journal
from trading.services.view import TickView

#: These sell everything that can be sold.
_FULL = (SignalKind.STOP_LOSS, SignalKind.TRAILING_TAKE_PROFIT)


def pause_after_full_exits(view: TickView, works: Sequence[Work]) -> None:
    """Pause each active session whose symbol had a filled stop-loss or full take-profit today; one query.

    Exits that ended before the session was started or resumed do not count.
    """
    active = {work.symbol: work for work in works if work.status is SessionStatus.ACTIVE}
    if not active or not view.settings.pause_grid_after_full_exit:
        return
    for order in _FILLED_EXITS(view.account_id, view.on):
        work = active.get(Symbol(order.symbol))
        if work is not None and work.status is SessionStatus.ACTIVE and _is_full(order):
            ended_at = order.ended_at or view.now
            if ended_at > work.row.exits_seen_at:
                _pause(view, work, SignalKind(order.kind))


_FILLED_EXITS = Prepared(
    lambda account, on: Order.objects.filter(
        account_id=account, trade_date=on, purpose=Purpose.EXIT, state=OrderState.FILLED
    ).order_by("pk")
)


def _is_full(order: Order) -> bool:
    emptied = order.position is not None and order.position.closed_at is not None
    return order.kind in _FULL or emptied


def _pause(view: TickView, work: Work, kind: SignalKind) -> None:
    words = kind.value.replace("_", " ")
    zh = SignalKind(kind) is SignalKind.STOP_LOSS
    text = Text(f"a {words} sold its holding", "止损已卖出其持仓" if zh else "止盈已卖出其持仓")
    pause_session(work.row, text, view.now)
    work.state, work.changed = state_of(work.row), True
    told = Text(
        f"Grid on {work.symbol} paused: {text.en}. Resume it when it is to trade again.",
        f"{work.symbol} 网格已暂停：{text.zh}。如需继续请恢复会话。",
    )
    journal(view.account_id, EventLevel.WARNING, "GRID_PAUSED", told, view.now, symbol=work.symbol, session=work.row.pk)  # fmt: skip
