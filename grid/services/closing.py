"""How a stopping session ends: its orders end first, then its lots are sold if it was asked to, then it is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from grid.domain import levels
from grid.domain.ledger import Lot
from grid.domain.lot_grid import LotGrid, allot
from grid.domain.state import SessionStatus, Trade, reset
from grid.models.sessions import StopPolicy
from grid.services.ending import withdraw
from grid.services.facts import facts_of
from grid.services.wishes import wish_of
from grid.services.work import Work
from trading.domain.types import Side, Text
from trading.models import EventLevel
from trading.services.events import journal
from trading.services.view import TickView
from trading.strategy import Wish

#: A closing sale that came to nothing is tried again after this long.
AGAIN_AFTER = timedelta(seconds=60)


def close_sessions(view: TickView, works: Sequence[Work]) -> list[tuple[Work, Wish]]:
    """Bring stopping sessions one step nearer to their end; returns the sales that close them.

    A session ends only when no order of it works, an UNKNOWN one included; it does not matter how often the process
    died in between, for everything is read from rows.
    """
    wishes = []
    for work in works:
        if work.status is not SessionStatus.STOPPING:
            continue
        orders = [order for order in view.orders if order.source == work.row.source]
        if orders or work.row.signal_id is not None:
            withdraw(work.row, view.now, orders)
            continue
        if _has_lots_to_sell(view, work):
            if (trade := _sale(view, work)) is not None:
                work.put(replace(work.state, pending=trade, sell_tried_at=view.now))
                wishes.append((work, wish_of(view, work, trade, closing=True)))
            continue
        _end(view, work)
    return wishes


def _has_lots_to_sell(view: TickView, work: Work) -> bool:
    if work.row.stop_policy != StopPolicy.SELL_LOTS or work.ledger.quantity == 0:
        return False
    # A person sold everything: nothing is left to sell, whatever the lots say.
    return facts_of(view, work).held != 0


def _sale(view: TickView, work: Work) -> Trade | None:
    """Return the sale of what the session bought and may sell now, None when that is nothing at this moment."""
    tried, quote = work.state.sell_tried_at, view.latest(work.symbol)
    if tried is not None and view.now - tried < AGAIN_AFTER:
        return None
    if not view.phase.continuous or quote is None or not view.fresh(work.symbol):
        return None
    if quote.suspended or quote.last <= 0:
        return None
    facts = facts_of(view, work)
    due = [lot for lot in work.ledger.lots if not (facts.t1 and lot.on >= facts.on)]
    free = max(0, facts.sellable - facts.promised)
    wanted = min(_sellable_lots(work, due), levels.available(facts))
    quantity = facts.lot.floor_sell(wanted, free)
    if quantity == 0:
        return None
    by_cost = sorted(due, key=lambda lot: (lot.price, lot.id))
    named = allot(by_cost, quantity) if work.row.style == LotGrid.style else ()
    text = Text(
        f"the session stops and sells its lots: sell {quantity}",
        f"会话停止并卖出批次：卖出 {quantity} 股",
    )
    return Trade(Side.SELL, quantity, quote.last, quote.time, text, lots=named)


def _sellable_lots(work: Work, due: Sequence[Lot]) -> int:
    """Style A sells lots, each tomorrow at the earliest; style B as many shares as its lots have."""
    if work.row.style == LotGrid.style:
        return sum(lot.quantity for lot in due)
    return work.ledger.quantity


def _end(view: TickView, work: Work) -> None:
    row = work.row
    row.status, row.stopped_at = SessionStatus.STOPPED, view.now
    work.state = reset(work.state)
    work.write_state()
    left = work.ledger.quantity
    text = Text(
        f"Grid on {row.symbol} stopped: {work.ledger.realised:.2f} yuan realised, {left} shares of its lots kept.",
        f"{row.symbol} 网格已停止：已实现 {work.ledger.realised:.2f} 元，批次保留 {left} 股。",
    )
    journal(row.account_id, EventLevel.INFO, "GRID_STOPPED", text, view.now, symbol=row.symbol, session=row.pk)  # fmt: skip
