"""Risk checks on the account: shares, cash, values, counts, our other orders, refusals (rules §6).

Each is an objection in words, or None.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from trading.domain.caps import over_caps
from trading.domain.risk_facts import (
    Intent,
    RiskFacts,
    RiskLimits,
    denial,
    known,
    percent,
    yuan,
)
from trading.domain.types import Denial, DenialCode, Purpose, Side

#: Identical refusals in a row after which a symbol's buys and grid stop for the day (rules §4).
_REFUSALS_THAT_STOP = 3


def not_sellable(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if intent.side is Side.BUY or intent.quantity <= facts.held_sellable:
        return None
    return denial(
        DenialCode.T1_NOT_SELLABLE,
        f"{intent.quantity} shares are to be sold, {facts.held_sellable} can be: {facts.held} are held, "
        f"{facts.bought_today} of them bought today. The rest can be sold on the next trading day.",
        f"要卖 {intent.quantity} 股，可卖 {facts.held_sellable} 股：持有 {facts.held} 股，"
        f"其中今日买入 {facts.bought_today} 股，下一交易日才可卖出。",
    )


def shares_promised(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if intent.side is Side.BUY or intent.quantity <= facts.sellable:
        return None
    return denial(
        DenialCode.SHARES_PROMISED,
        f"{intent.quantity} shares are to be sold, {facts.sellable} are free: other orders hold "
        f"{facts.held_sellable - facts.sellable}. Wait for them to end, or cancel them.",
        f"要卖 {intent.quantity} 股，未被占用 {facts.sellable} 股，其他委托占用 "
        f"{facts.held_sellable - facts.sellable} 股。请等待其结束或撤单。",
    )


def cash(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if intent.side is Side.SELL:
        return None
    have, need = facts.cash, facts.cash_needed
    if known(have) and known(need) and need <= have:
        return None
    return denial(
        DenialCode.CASH,
        f"The order freezes {yuan(need)} yuan with fees, {yuan(have)} are free. Buy less or free cash.",
        f"委托含费用需冻结 {yuan(need)} 元，可用 {yuan(have)} 元。请减少数量或腾出资金。",
    )


def max_order_value(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    most = limits.order_value_limit
    if intent.protective_sale or intent.value <= most:
        return None
    return denial(
        DenialCode.MAX_ORDER_VALUE,
        f"The order is worth {yuan(intent.value)} yuan, at most {yuan(most)} are allowed. "
        "Order less, or raise max_order_value.",
        f"委托金额 {yuan(intent.value)} 元，上限 {yuan(most)} 元。请减少数量或提高 max_order_value。",
    )


def caps(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    """No setting reaches beyond the caps of an account that goes live."""
    if not facts.capped:
        return None
    return over_caps(
        facts.caps,
        facts.used,
        kind=intent.kind,
        side=intent.side,
        symbol=intent.symbol,
        value=intent.value,
    )


def stage(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if facts.may_send:
        return None
    return denial(
        DenialCode.STAGE,
        "The account was led back from live, so nothing is sent. Lead it on along its path, on the page “Going live”.",
        "该账户已退出实盘，不发出任何委托。请在“上线路径”页面重新逐步上线。",
    )


def max_position_value(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if intent.side is Side.SELL:
        return None
    held, most = facts.position_value, limits.max_position_value
    after = held + intent.value if known(held) else None
    if after is not None and after <= most:
        return None
    return denial(
        DenialCode.MAX_POSITION_VALUE,
        f"{intent.symbol} would be worth {yuan(after)} yuan, at most {yuan(most)} are allowed. "
        "Buy less, or raise max_position_value.",
        f"{intent.symbol} 买入后市值 {yuan(after)} 元，上限 {yuan(most)} 元。"
        "请减少数量或提高 max_position_value。",
    )


def max_total_position_ratio(
    intent: Intent, facts: RiskFacts, limits: RiskLimits
) -> Denial | None:
    if intent.side is Side.SELL:
        return None
    held, total = facts.total_position_value, facts.total_asset
    after = held + intent.value if known(held) else None
    most = limits.max_total_position_ratio * total if known(total) and total > 0 else None
    if after is not None and most is not None and after <= most:
        return None
    return denial(
        DenialCode.MAX_TOTAL_POSITION_RATIO,
        f"All holdings would be worth {yuan(after)} yuan, at most {yuan(most)} are allowed "
        f"({percent(limits.max_total_position_ratio)} of the assets). Sell something first, or raise the ratio.",
        f"买入后总持仓 {yuan(after)} 元，上限 {yuan(most)} 元"
        f"（总资产的 {percent(limits.max_total_position_ratio)}）。请先卖出或提高比例。",
    )


def daily_loss(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    loss = facts.day_loss_ratio
    if intent.side is Side.SELL or (known(loss) and loss < limits.daily_loss_ratio):
        return None
    return denial(
        DenialCode.DAILY_LOSS,
        f"Today's loss is {percent(loss)}, buying stops at {percent(limits.daily_loss_ratio)}. "
        "Sales go on; buys return on the next trading day.",
        f"今日亏损 {percent(loss)}，达到 {percent(limits.daily_loss_ratio)} 停止买入。"
        "卖出照常，下一交易日恢复买入。",
    )


def books_differ(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    """Nothing new is opened on books nobody understands; what is held is sold as ever."""
    if not facts.books_differ:
        return None
    if intent.side is Side.SELL and intent.kind.purpose is not Purpose.GRID:
        return None
    return denial(
        DenialCode.BOOKS_DIFFER,
        "The books of an earlier day differ from the terminal. Explain the difference on the page of the books.",
        "之前交易日的账目与客户端不符。请在“日终对账”页面说明差异。",
    )


def max_orders_per_day(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if intent.side is Side.SELL or facts.buys_today < limits.max_buy_orders_per_day:
        return None
    return denial(
        DenialCode.MAX_ORDERS_PER_DAY,
        f"{facts.buys_today} buys were ordered today, {limits.max_buy_orders_per_day} are allowed. "
        "Buys return on the next trading day.",
        f"今日买入委托 {facts.buys_today} 笔，上限 {limits.max_buy_orders_per_day} 笔，下一交易日恢复。",
    )


def order_rate(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    """A delay, not a refusal: also a protective sale waits its turn, and goes first."""
    if facts.orders_last_second < limits.orders_per_second:
        return None
    return denial(
        DenialCode.ORDER_RATE,
        f"{facts.orders_last_second} orders went out within a second, {limits.orders_per_second} may. "
        "It is tried again at once.",
        f"一秒内已发出 {facts.orders_last_second} 笔委托，上限 {limits.orders_per_second} 笔，稍后即再试。",
    )


def cancel_ratio(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    """Denies buys and grid only."""
    if intent.side is Side.SELL and intent.kind.purpose is not Purpose.GRID:
        return None
    if facts.orders_today < limits.cancel_ratio_after:
        return None
    ratio = Decimal(facts.cancels_today) / facts.orders_today
    if ratio < limits.cancel_ratio_stop:
        return None
    return denial(
        DenialCode.CANCEL_RATIO,
        f"{facts.cancels_today} of {facts.orders_today} orders were cancelled ({percent(ratio)}), buys and grid "
        f"stop at {percent(limits.cancel_ratio_stop)}. Use longer timeouts or a closer price.",
        f"今日 {facts.orders_today} 笔委托撤单 {facts.cancels_today} 笔（{percent(ratio)}），"
        f"达到 {percent(limits.cancel_ratio_stop)} 停止买入和网格。请延长超时或调整报价方式。",
    )


def self_trade(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if not facts.opposite_working:
        return None
    names = ", ".join(order.client_order_id for order in facts.opposite_working)
    return denial(
        DenialCode.SELF_TRADE,
        f"Orders of ours in {intent.symbol} must end first: {names}. It is tried again when they have.",
        f"{intent.symbol} 需先等本系统的委托结束：{names}，结束后再试。",
    )


def duplicate(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if not facts.same_purpose_working:
        return None
    return denial(
        DenialCode.DUPLICATE,
        f"An order of the same purpose already works in {intent.symbol}. It is tried again when that one has ended.",
        f"{intent.symbol} 已有同一用途的委托在进行，结束后再试。",
    )


def switched_off(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    """A switch is no limit: it holds for protective sales too, and says so."""
    if intent.side is Side.BUY and not limits.buy_enabled:
        return denial(
            DenialCode.BUY_DISABLED,
            "Buying is switched off. Switch buy_enabled on.",
            "买入已关闭。请打开 buy_enabled。",
        )
    if intent.side is Side.SELL and not limits.sell_enabled:
        return denial(
            DenialCode.SELL_DISABLED,
            "Selling is switched off, so this holding is not protected. Switch sell_enabled on.",
            "卖出已关闭，该持仓不受保护。请打开 sell_enabled。",
        )
    return None


def refused_repeatedly(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    """Buys and grid stop for the day; a protective sale only cools down, a manual sale is the person's to judge."""
    count = facts.refusals_in_a_row
    if count < _REFUSALS_THAT_STOP:
        return None
    if intent.side is Side.BUY or intent.kind.purpose is Purpose.GRID:
        return denial(
            DenialCode.REFUSED_REPEATEDLY,
            f"The broker refused {intent.symbol} {count} times in a row: its buys and grid stop for today. "
            "Read the broker's reason.",
            f"券商连续 {count} 次拒绝 {intent.symbol}：今日停止该标的的买入和网格。请查看废单原因。",
        )
    since = facts.since_refusal
    if not intent.protective_sale or since is None or since >= refusal_cooldown(count):
        return None
    wait = int((refusal_cooldown(count) - since).total_seconds())
    return denial(
        DenialCode.REFUSED_REPEATEDLY,
        f"The broker refused to sell {intent.symbol} {count} times in a row; next try in {wait} s. "
        "Read the broker's reason, or sell at the terminal.",
        f"券商连续 {count} 次拒绝卖出 {intent.symbol}，{wait} 秒后再试。请查看废单原因，或在客户端卖出。",
    )


def refusal_cooldown(refusals_in_a_row: int) -> timedelta:
    """Return how long a protective sale waits: 60 s at the third refusal, doubling to 10 minutes (rules §4)."""
    doublings = min(max(refusals_in_a_row - _REFUSALS_THAT_STOP, 0), 4)
    return timedelta(seconds=min(60 << doublings, 600))
