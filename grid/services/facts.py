"""What the rules are told of a session, read from the tick's view; nothing is decided here."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from grid.domain.state import Facts, SessionStatus
from grid.services.work import Work
from trading.domain import positions
from trading.domain.instruments import Settlement, lot_rule
from trading.domain.limits import day_limits
from trading.domain.orders import OrderState
from trading.domain.types import ZERO, Denial, Side
from trading.services.view import TickView

#: What is held is known while the newest clean snapshot of the account is at most this old.
KNOWN_FOR = timedelta(seconds=60)


def facts_of(view: TickView, work: Work) -> Facts:
    """Return the facts of one session; the account's own are read once a tick."""
    symbol, row = work.symbol, view.rows.get(work.symbol)
    instrument = view.instrument(symbol)
    read_at = view.account.snapshot_at
    known = read_at is not None and view.now - read_at <= KNOWN_FOR
    promised = _promised(view, work)
    free = 0
    if row is not None:
        free = positions.sellable(
            row.quantity, view.locked(symbol), True, row.broker_sellable, promised
        )
    held = row.quantity if row is not None else 0
    return Facts(
        ledger=work.ledger,
        lot=lot_rule(instrument, view.on),
        on=view.on,
        held=held if known else None,
        sellable=free + promised,
        promised=promised,
        reserved_buys=_reserved(view, work),
        base_quantity=work.row.base_quantity,
        limit_up=_limit_up(view, work),
        t1=instrument.settlement is Settlement.T1,
        read_at=read_at,
        ends_at=work.row.ends_at,
        may_trade=_may_trade(view, work),
    )


def _may_trade(view: TickView, work: Work) -> bool:
    row = view.rows.get(work.symbol)
    return (
        work.status is SessionStatus.ACTIVE
        and view.settings.grid_enabled
        and not work.row.ex_rights_unclear
        and not (row is not None and row.paused_by_ex_rights)
    )


def _promised(view: TickView, work: Work) -> int:
    return sum(
        order.quantity - order.filled_quantity
        for order in view.orders
        if order.symbol == work.symbol
        and order.side == Side.SELL
        and OrderState(order.state).working
    )


def _reserved(view: TickView, work: Work) -> Decimal:
    return sum(
        (
            (order.quantity - order.filled_quantity) * order.price
            for order in view.orders
            if order.source == work.row.source
            and order.side == Side.BUY
            and OrderState(order.state).working
        ),
        ZERO,
    )


def _limit_up(view: TickView, work: Work) -> Decimal | None:
    quote = view.latest(work.symbol)
    if quote is None:
        return None
    limits = day_limits(view.instrument(work.symbol), quote, view.on, view.session(work.symbol))
    return None if isinstance(limits, Denial) else limits.up
