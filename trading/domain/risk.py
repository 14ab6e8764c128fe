"""Risk before every order: the checks of rules §6 in their order, and the trips that set REDUCING.

A fact that is not known (None, NaN) speaks against the order: what cannot be checked is not sent. Protective sales
are never denied by value, count, ratio or loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from trading.domain import risk_account as account
from trading.domain import risk_market as market
from trading.domain.orders import WorkingRef
from trading.domain.risk_account import refusal_cooldown
from trading.domain.risk_facts import Intent, RiskFacts, RiskLimits
from trading.domain.types import Denial, Side, Text

__all__ = [
    "CHECKS",
    "Intent",
    "RiskFacts",
    "RiskLimits",
    "WorkingRef",
    "cancel_allowed",
    "cancel_ratio_alarm",
    "check",
    "in_the_way",
    "refusal_cooldown",
    "trips",
]

Check = Callable[[Intent, RiskFacts, RiskLimits], Denial | None]

#: The order of rules §6; the first that speaks wins.
CHECKS: tuple[Check, ...] = (
    market.auto_off,
    market.strategy_off,
    account.stage,
    market.trading_state,
    market.gateway_not_armed,
    market.market_closed,
    market.calendar_unknown,
    market.quote_source,
    market.quote_stale,
    market.suspended,
    market.limits_problem,
    market.no_price,
    market.price_limit,
    market.lot,
    market.tick,
    account.not_sellable,
    account.shares_promised,
    account.cash,
    account.caps,
    account.max_order_value,
    account.max_position_value,
    account.max_total_position_ratio,
    account.daily_loss,
    account.books_differ,
    account.max_orders_per_day,
    account.order_rate,
    account.cancel_ratio,
    account.self_trade,
    account.duplicate,
    account.switched_off,
    account.refused_repeatedly,
)

_REJECTIONS_THAT_TRIP = 3
_UNKNOWN_ORDERS_TOLERATED = 2


def check(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    """Return the first objection, None when the order may go; `denial.code.blocks` says whether it waits or ends."""
    for objection in CHECKS:
        denial = objection(intent, facts, limits)
        if denial is not None:
            return denial
    return None


def in_the_way(intent: Intent, working: Iterable[WorkingRef]) -> tuple[WorkingRef, ...]:
    """Return our working orders of the symbol that must end before this one is sent (rules §1 priority, §6).

    Those of lower priority are to be cancelled now, whatever `check` says; the others are waited for. An UNKNOWN
    order cannot be cancelled: it keeps its own shares and never holds up a protective sale.
    """
    return tuple(
        order
        for order in working
        if order.symbol == intent.symbol and order.state.working and _obstructs(order, intent)
    )


def trips(
    rejections_last_60s: int,
    day_loss_ratio: Decimal | None,
    unknown_orders: int,
    limits: RiskLimits,
) -> Text | None:
    """Return why the account goes to REDUCING now, None when it need not. Sales go on in REDUCING."""
    if rejections_last_60s >= _REJECTIONS_THAT_TRIP:
        return Text(
            f"{rejections_last_60s} orders were rejected within 60 s: only sales go on.",
            f"60 秒内废单 {rejections_last_60s} 笔：转为只允许卖出。",
        )
    if day_loss_ratio is not None and day_loss_ratio >= limits.daily_loss_ratio:
        loss, most = f"{day_loss_ratio * 100:.1f} %", f"{limits.daily_loss_ratio * 100:.1f} %"
        return Text(
            f"Today's loss of {loss} reached {most}: only sales go on.",
            f"今日亏损 {loss} 达到 {most}：转为只允许卖出。",
        )
    if unknown_orders > _UNKNOWN_ORDERS_TOLERATED:
        return Text(
            f"{unknown_orders} orders are unknown: only sales go on until they are resolved.",
            f"{unknown_orders} 笔委托状态未知：核实之前只允许卖出。",
        )
    return None


def cancel_allowed(cancels_last_10s: int, limits: RiskLimits) -> bool:
    """Whether another cancel may go out now; if not it waits for the next check."""
    return cancels_last_10s < limits.cancels_per_10s


def cancel_ratio_alarm(orders_today: int, cancels_today: int, limits: RiskLimits) -> Text | None:
    """Return the alarm about the day's share of cancels, None below it or before enough orders."""
    if orders_today < limits.cancel_ratio_after:
        return None
    ratio = Decimal(cancels_today) / orders_today
    if ratio < limits.cancel_ratio_alarm:
        return None
    return Text(
        f"{cancels_today} of {orders_today} orders were cancelled today; buys and grid stop at "
        f"{limits.cancel_ratio_stop * 100:.0f} %.",
        f"今日 {orders_today} 笔委托撤单 {cancels_today} 笔；达到 "
        f"{limits.cancel_ratio_stop * 100:.0f} % 将停止买入和网格。",
    )


def _obstructs(order: WorkingRef, intent: Intent) -> bool:
    lower = order.kind.priority < intent.kind.priority
    if order.side is intent.side:
        return lower and intent.side is Side.SELL and order.state.known
    if not order.state.known and intent.protective_sale:
        return False
    buy, sell = (
        (intent.price, order.price) if intent.side is Side.BUY else (order.price, intent.price)
    )
    return order.kind.priority != intent.kind.priority or buy >= sell
