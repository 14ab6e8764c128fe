"""The protection status of every holding: the facts `domain.protection` asks for, gathered from rows and quotes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trading.domain.exits import ExitRules
from trading.domain.instruments import lot_rule
from trading.domain.limits import day_limits
from trading.domain.orders import OrderState
from trading.domain.protection import ProtectionFacts, ProtectionReport, protection_of
from trading.domain.types import Denial, GatewayStatus, Purpose, Quote, Side, Symbol, TradingState
from trading.models import Account, Order, Position
from trading.selectors import instruments_today, orders_in_hand
from trading.services.clock import Clock
from trading.services.view import TickView

#: A gateway silent for this long (real time) is down. Armed, it reads the account every 10 s at least; without a
#: terminal it only tries again, after up to 60 s.
SILENT_AFTER = {
    GatewayStatus.ARMED: timedelta(seconds=20),
    GatewayStatus.OBSERVING: timedelta(seconds=75),
}
_CANCELLED = (OrderState.CANCELLED, OrderState.PARTIALLY_CANCELLED)


def gateway_heard_at(account: Account, clock: Clock | None) -> datetime | None:
    """Return the real time of the gateway's last sign of life: its heartbeat, or a snapshot it brought.

    None when there was none since the account's market clock was set. `clock` None: market time is real time.
    """
    signs = [at for at in (account.gateway_seen_at, account.snapshot_at) if at is not None]
    if not signs:
        return None
    return max(signs) if clock is None else clock.real(max(signs))


def gateway_alive(status: GatewayStatus, heard_at: datetime | None, real: datetime) -> bool:
    """Whether the gateway was heard recently enough (real times)."""
    return heard_at is not None and real - heard_at <= SILENT_AFTER[status]


def protection_reports(
    view: TickView, alive: bool, refused: Mapping[Symbol, datetime] | None = None
) -> Mapping[Symbol, ProtectionReport]:
    """Return the protection status of every holding of the view's account, at the view's market time.

    `alive`: whether its gateway is (`gateway_alive`). `refused`: since when the quotes of a symbol are refused
    (`services.quote_sources.refused_since`). A constant number of queries.
    """
    refused = refused or {}
    instruments_today(view.rows, view.now)  # all at once; afterwards they are asked for one by one
    orders: dict[str, list[Order]] = defaultdict(list)
    for order in orders_in_hand(view.account_id, view.on):
        orders[order.symbol].append(order)
    return {
        symbol: protection_of(
            view.positions[symbol],
            _rules(view, row),
            replace(
                _facts(view, row, _in_hand(row, orders[symbol], view.latest(symbol)), alive),
                quote_refused_since=refused.get(symbol),
            ),
        )
        for symbol, row in view.rows.items()
    }


@dataclass(frozen=True, slots=True)
class _InHand:
    """What orders of a holding are under way, or have just failed."""

    working: bool
    at_limit_down: bool
    unknown: bool
    exhausted: bool


def _rules(view: TickView, row: Position) -> ExitRules:
    rules = view.rules_of(row)
    # Settings that cannot be used: the last valid revision goes on, and only its stop-loss acts.
    return rules if view.settings.valid else replace(rules, take_profit_enabled=False)


def _facts(view: TickView, row: Position, in_hand: _InHand, alive: bool) -> ProtectionFacts:
    symbol, account, risk = Symbol(row.symbol), view.account, view.settings.risk
    quote, rests = view.latest(symbol), row.exits_paused_until
    instrument = view.instrument(symbol)
    return ProtectionFacts(
        sellable=view.free_after_cancels(symbol),
        holding_on=row.exit_enabled,
        paused_until=rests if rests is not None and view.now < rests else None,
        auto_on=risk.auto_trading_enabled,
        sell_on=risk.sell_enabled,
        trading_state=TradingState(account.trading_state),
        gateway_alive=alive,
        gateway_status=GatewayStatus(account.gateway_status),
        market_open=view.phase.continuous,
        quote_fresh=view.fresh(symbol),
        quote_may_trade=view.may_trade(symbol),
        quote_time=None if quote is None else quote.time,
        suspended=quote is not None and quote.suspended,
        traded=lot_rule(instrument, view.on).largest > 0,
        limits_clear=quote is None
        or not isinstance(day_limits(instrument, quote, view.on, view.session(symbol)), Denial),
        order_working=in_hand.working,
        resting_at_limit_down=in_hand.at_limit_down,
        unknown_order=in_hand.unknown,
        attempts_exhausted=in_hand.exhausted,
        ex_rights_unverified=row.ex_rights_unverified,
        ex_rights_paused=row.paused_by_ex_rights,
    )


def _in_hand(row: Position, orders: Sequence[Order], quote: Quote | None) -> _InHand:
    exits = [
        order for order in orders if order.purpose == Purpose.EXIT and order.side == Side.SELL
    ]
    working = [
        order
        for order in exits
        if OrderState(order.state).working and OrderState(order.state).known
    ]
    of_life = [order for order in exits if order.position_id == row.pk]
    return _InHand(
        working=bool(working),
        at_limit_down=any(
            order.limit_down is not None
            and order.price <= order.limit_down
            and OrderState(order.state).at_broker
            for order in working
        ),
        unknown=any(order.state == OrderState.UNKNOWN for order in orders),
        exhausted=bool(of_life) and _exhausted(of_life[-1], quote),
    )


def _exhausted(newest: Order, quote: Quote | None) -> bool:
    """Whether a chain of exits gave up with shares unsold, while the price is still where its rule sells.

    A price that recovered leaves nothing to sell; when it falls again the rule decides anew.
    """
    gave_up = (
        OrderState(newest.state) in _CANCELLED
        and newest.chain_settled
        and newest.cancel_tries > 0  # by our own timeout
        and not newest.cancelled_by_person
        and newest.cancel_reason != "SUPERSEDED"
    )
    level = newest.trigger_price
    return gave_up and (quote is None or level is None or quote.last <= level)
