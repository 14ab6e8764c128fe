"""From a grid's trade to trading's wish."""

from __future__ import annotations

from grid.domain.state import Trade
from grid.services.ending import CLOSING
from grid.services.work import Work
from trading.domain.types import Side, SignalKind
from trading.services.view import TickView
from trading.strategy import Wish


def wish_of(view: TickView, work: Work, trade: Trade, *, closing: bool = False) -> Wish:
    """Return a trade of a session as trading's wish; it names the session, and a sale the lots it closes."""
    row = view.rows.get(work.symbol) if trade.side is Side.SELL else None
    detail: dict[str, object] = {"lots": [list(lot) for lot in trade.lots]} if trade.lots else {}
    if closing:
        detail[CLOSING] = True
    return Wish(
        kind=SignalKind.GRID,
        symbol=work.symbol,
        side=trade.side,
        quantity=trade.quantity,
        trigger_price=trade.trigger,
        last=trade.trigger,
        quote_time=trade.at,
        reason=trade.reason,
        position_id=None if row is None else row.pk,
        life=None if row is None else row.life,
        source=work.row.source,
        detail=detail,
        highest=trade.highest or None,
    )
