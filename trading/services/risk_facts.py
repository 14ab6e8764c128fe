"""What the risk checks need to know, read from rows; nothing is decided here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import takewhile

from trading.domain.caps import NOTHING
from trading.domain.fees import cash_needed
from trading.domain.orders import OrderState, WorkingRef
from trading.domain.portfolio import AccountFacts, Portfolio
from trading.domain.risk import RiskFacts, in_the_way
from trading.domain.stages import Stage
from trading.domain.types import ZERO, GatewayStatus, Purpose, Side, TradingState
from trading.selectors import used_today
from trading.services.accounts import fee_schedule
from trading.services.caps import caps_of
from trading.services.pricing import Priced
from trading.services.view import TickView

#: Ticks come this far apart: what one approves, the gateway must be able to send before the next.
TICK_SECONDS = 5


def gather_facts(
    view: TickView, priced: Priced, working: Sequence[WorkingRef], sellable: int
) -> RiskFacts:
    """Return the facts about one intent, at the view's now."""
    intent, account = priced.intent, view.account
    symbol = intent.symbol
    buy = intent.side is Side.BUY
    portfolio = _portfolio(view, working, buy)
    row = view.rows.get(symbol)
    waiting = sum(ref.state is OrderState.APPROVED for ref in working)
    refusals, since = _refusals(view, priced)
    capped = account.standing is Stage.CAPPED and not intent.protective_sale
    return RiskFacts(
        trading_state=TradingState(account.trading_state),
        gateway_armed=account.gateway_status == GatewayStatus.ARMED,
        calendar_known=view.calendar.knows(view.on),
        phase=view.phase,
        quote_fresh=view.fresh(symbol),
        quote_may_trade=view.may_trade(symbol),
        suspended=priced.quote.suspended,
        limits=priced.limits,
        limits_problem=None,
        sellable=sellable,
        held=row.quantity if row is not None else 0,
        held_sellable=max(0, row.quantity - view.locked(symbol)) if row is not None else 0,
        bought_today=view.bought.get(symbol, 0),
        cash=portfolio.free_cash(),
        cash_needed=cash_needed(
            fee_schedule(account), intent.instrument, intent.quantity, intent.price, view.on
        )
        if buy
        else None,
        position_value=portfolio.position_value(symbol),
        total_position_value=portfolio.total_position_value() if buy else None,
        total_asset=account.total_asset,
        day_loss_ratio=portfolio.day_loss_ratio(),
        buys_today=view.todays["buys"] if buy else 0,
        # Approved orders wait for the gateway, which sends at the allowed rate; more than a tick's worth wait here.
        orders_last_second=waiting // TICK_SECONDS,
        cancels_last_10s=view.todays["cancels_last_10s"] if buy else 0,
        orders_today=view.todays["orders"] if buy else 0,
        cancels_today=view.todays["cancels"] if buy else 0,
        opposite_working=in_the_way(intent, working),
        same_purpose_working=portfolio.works(symbol, intent.side, intent.kind.purpose),
        refusals_in_a_row=refusals,
        since_refusal=since,
        books_differ=(buy or intent.kind.purpose is Purpose.GRID) and view.books_differ,
        may_send=account.standing is not Stage.WITHDRAWN,
        capped=capped,
        caps=caps_of(account.pk) if capped else None,
        used=used_today(account.pk, view.on) if capped else NOTHING,
    )


def _portfolio(view: TickView, working: Sequence[WorkingRef], buy: bool) -> Portfolio:
    account, seen = view.account, view.account.snapshot_at
    frozen = {
        order.client_order_id
        for order in view.orders
        if seen is not None and order.submitted_at is not None and order.submitted_at < seen
    }
    before = account.previous_total if account.previous_total_on != view.on else None
    return Portfolio(
        account=AccountFacts(
            account.cash, account.total_asset, before, view.spent_unseen if buy else ZERO
        ),
        positions=view.positions,
        working=tuple(working),
        quotes=view.last_quotes,
        frozen_at_broker=frozenset(frozen),
    )


def _refusals(view: TickView, priced: Priced) -> tuple[int, timedelta | None]:
    """Return how many of today's newest orders of this symbol and side the broker refused with the same words."""
    newest = view.refused.get((priced.intent.symbol, priced.intent.side), ())[:10]
    same = list(
        takewhile(
            lambda order: (
                order.state == OrderState.REJECTED and order.message == newest[0].message
            ),
            newest,
        )
    )
    last = same[0].ended_at if same else None
    return len(same), None if last is None else view.now - last
