"""The counter's checks before an order is reported, in the counter's language (rules §5)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from trading.domain.calendar import MarketPhase
from trading.domain.fees import cash_needed
from trading.domain.instruments import Instrument, lot_rule, tick_size
from trading.domain.limits import cage_bound
from trading.domain.types import Limits, Quote, Side
from trading.paper.records import Account


def refusal(
    account: Account,
    instrument: Instrument,
    side: Side,
    quantity: int,
    price: Decimal,
    phase: MarketPhase,
    quote: Quote | None,
    limits: Limits | None,
    on: date,
) -> str:
    """Return why the counter refuses the order, "" when it does not. `quote`, `limits`: of this session, if any."""
    if not phase.accepts_orders:
        return "[COUNTER] 当前时段不允许委托"
    if quote is None or limits is None:
        return "[COUNTER] 该证券今日无行情"
    if quote.suspended:
        return "[COUNTER] 证券停牌，禁止委托"
    return _price_problem(instrument, side, price, phase, quote, limits, on) or _holding_problem(
        account, instrument, side, quantity, price, on
    )


def _price_problem(
    instrument: Instrument,
    side: Side,
    price: Decimal,
    phase: MarketPhase,
    quote: Quote,
    limits: Limits,
    on: date,
) -> str:
    if price <= 0 or price % tick_size(instrument, on) != 0:
        return "[COUNTER] 委托价格不符合最小价格变动单位"
    if (limits.up is not None and price > limits.up) or (
        limits.down is not None and price < limits.down
    ):
        return "[COUNTER] 委托价格超过涨跌停价格限制"
    bound = cage_bound(instrument, side, quote, on) if phase.continuous else None
    if bound is not None and (price > bound if side is Side.BUY else price < bound):
        return "[COUNTER] 委托价格超出有效申报价格范围"
    return ""


def _holding_problem(
    account: Account, instrument: Instrument, side: Side, quantity: int, price: Decimal, on: date
) -> str:
    lot = lot_rule(instrument, on)
    if side is Side.BUY:
        problem = lot.buy_problem(quantity)
        if problem is not None:
            return f"[COUNTER] 委托数量不合法：{problem.zh}"
        needed = cash_needed(account.schedule, instrument, quantity, price, on)
        return "" if needed <= account.cash else "[COUNTER] 可用资金不足"
    sellable = account.sellable(instrument.symbol)
    if quantity > sellable:
        return "[COUNTER] 可用股份数不足"
    problem = lot.sell_problem(quantity, sellable)
    if problem is not None:
        return f"[COUNTER] 委托数量不合法：{problem.zh}"
    return "" if quantity <= lot.largest else "[COUNTER] 委托数量超过单笔上限"
