"""Protection status of a holding: which price would sell it now, or the reason why none would (rules §1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from trading.domain.exits import ExitRules, next_sale
from trading.domain.positions import Position
from trading.domain.types import CHINA, GatewayStatus, SignalKind, Text, TradingState
from trading.domain.wording import yuan


class Protection(StrEnum):
    """Protection status of a holding; everything but PROTECTED is a reason why it is not."""

    PROTECTED = "protected"
    STOP_LOSS_OFF = "stop_loss_off"
    HOLDING_OFF = "holding_off"
    PAUSED = "paused"
    AUTO_OFF = "auto_off"
    SELL_OFF = "sell_off"
    HALTED = "halted"
    GATEWAY_OBSERVING = "gateway_observing"
    GATEWAY_DOWN = "gateway_down"
    QUOTE_SOURCE = "quote_source"
    QUOTE_STALE = "quote_stale"
    QUOTE_REFUSED = "quote_refused"
    SUSPENDED = "suspended"
    NO_COST = "no_cost"
    NOT_TRADED = "not_traded"
    LIMITS_UNCLEAR = "limits_unclear"
    T1 = "t1"
    AT_LIMIT_DOWN = "at_limit_down"
    ORDER_WORKING = "order_working"
    UNKNOWN_ORDER = "unknown_order"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    EX_RIGHTS_UNVERIFIED = "ex_rights_unverified"
    MARKET_CLOSED = "market_closed"


@dataclass(frozen=True, slots=True)
class ProtectionFacts:
    """What surrounds a holding right now; the defaults are a day on which everything works.

    `holding_on`: the holding's own switch. `paused_until`: set while its exits rest because a person cancelled one.
    `sell_on`: the account may sell at all. `market_open`: continuous trading. `quote_time`: of the newest accepted
    quote. `quote_refused_since`: set while the newest quotes of this symbol are refused. `quote_may_trade`: the
    newest is of a source the account may trade on. `sellable`: shares. `traded`: of a kind that is traded at all.
    `limits_clear`: the day's price limits are certain.
    `order_working`: an exit order of this holding is at the broker; `resting_at_limit_down`: and it waits there.
    `unknown_order`: an order in this symbol of which nobody knows whether it exists. `attempts_exhausted`: the last
    re-order ended unfilled. `ex_rights_paused`: unverified, and the reference moved beyond the daily limit.
    """

    sellable: int
    holding_on: bool = True
    paused_until: datetime | None = None
    auto_on: bool = True
    sell_on: bool = True
    trading_state: TradingState = TradingState.ACTIVE
    gateway_alive: bool = True
    gateway_status: GatewayStatus = GatewayStatus.ARMED
    market_open: bool = True
    quote_fresh: bool = True
    quote_may_trade: bool = True
    quote_time: datetime | None = None
    quote_refused_since: datetime | None = None
    suspended: bool = False
    traded: bool = True
    limits_clear: bool = True
    order_working: bool = False
    resting_at_limit_down: bool = False
    unknown_order: bool = False
    attempts_exhausted: bool = False
    ex_rights_unverified: bool = False
    ex_rights_paused: bool = False


@dataclass(frozen=True, slots=True)
class ProtectionReport:
    """The status, and the sale that would come first if the price fell (kind, price in yuan), were nothing in its way."""

    status: Protection
    kind: SignalKind | None
    price: Decimal | None
    text: Text


def protection_of(
    position: Position, rules: ExitRules, facts: ProtectionFacts
) -> ProtectionReport:
    """Return the protection status; of several reasons the one that is named first here.

    1. Somebody or something switched it off: halted, auto trading off, selling off, holding off, stop-loss off, paused
       after a person's cancel, no cost, a reference price beyond the limit; or it is of a kind that is never traded.
    2. The way to the exchange is closed: gateway down, gateway observing.
    3. The exchange trades it not: suspended.
    4. While the market is open, a stop reached now would not be decided or would not be sent: quote refused, quote
       of a source that only shows, quote stale, limits of the day uncertain, unknown order, attempts exhausted.
    5. The sale is on its way: resting at limit-down, order working.
    6. Nothing can be sold today (T+1); then: the market is closed.
    7. It would sell, but perhaps at the wrong price: ex-rights unverified.
    """
    sale = next_sale(position, rules)
    kind, price = sale if sale is not None else (None, None)
    reasons = _for_good(position, rules, facts) + _for_now(facts)
    status = next((status for status, holds in reasons if holds), Protection.PROTECTED)
    return ProtectionReport(status, kind, price, _text(status, kind, price, position, facts))


def _for_good(
    position: Position, rules: ExitRules, facts: ProtectionFacts
) -> tuple[tuple[Protection, bool], ...]:
    return (
        (Protection.HALTED, facts.trading_state is TradingState.HALTED),
        (Protection.AUTO_OFF, not facts.auto_on),
        (Protection.SELL_OFF, not facts.sell_on),
        (Protection.HOLDING_OFF, not facts.holding_on),
        (Protection.STOP_LOSS_OFF, not rules.stop_loss_enabled),
        (Protection.PAUSED, facts.paused_until is not None),
        (Protection.NOT_TRADED, not facts.traded),
        (Protection.NO_COST, position.cost_for_decision is None),
        (Protection.EX_RIGHTS_UNVERIFIED, facts.ex_rights_paused),
        (Protection.GATEWAY_DOWN, not facts.gateway_alive),
        (Protection.GATEWAY_OBSERVING, facts.gateway_status is not GatewayStatus.ARMED),
    )


def _for_now(facts: ProtectionFacts) -> tuple[tuple[Protection, bool], ...]:
    is_open = facts.market_open
    return (
        (Protection.SUSPENDED, facts.suspended),
        (Protection.QUOTE_REFUSED, is_open and facts.quote_refused_since is not None),
        (Protection.QUOTE_SOURCE, is_open and not facts.quote_may_trade),
        # Outside continuous trading no quote is expected: lunch is not staleness.
        (Protection.QUOTE_STALE, is_open and not facts.quote_fresh),
        (Protection.LIMITS_UNCLEAR, is_open and not facts.limits_clear),
        (Protection.UNKNOWN_ORDER, facts.unknown_order),
        (Protection.ATTEMPTS_EXHAUSTED, is_open and facts.attempts_exhausted),
        (Protection.AT_LIMIT_DOWN, facts.resting_at_limit_down),
        (Protection.ORDER_WORKING, facts.order_working),
        (Protection.T1, facts.sellable <= 0),
        (Protection.MARKET_CLOSED, not is_open),
        (Protection.EX_RIGHTS_UNVERIFIED, facts.ex_rights_unverified),
    )


#: The reasons in words.
WORDS = {
    Protection.STOP_LOSS_OFF: Text("the stop-loss is off", "止损已关闭"),
    Protection.HOLDING_OFF: Text(
        "exits are switched off for this holding", "该持仓的自动卖出已关闭"
    ),
    Protection.PAUSED: Text(
        "a person cancelled its exit, exits rest", "卖单被人工撤销，自动卖出暂停"
    ),
    Protection.AUTO_OFF: Text("auto trading is off", "自动交易已关闭"),
    Protection.SELL_OFF: Text("selling is switched off", "卖出已关闭"),
    Protection.HALTED: Text("trading is halted", "交易已停止"),
    Protection.GATEWAY_OBSERVING: Text("the gateway only observes", "交易网关仅在观察"),
    Protection.GATEWAY_DOWN: Text("the gateway is down", "交易网关未运行"),
    Protection.QUOTE_STALE: Text("the quote is stale", "行情过时"),
    Protection.QUOTE_REFUSED: Text("the quotes are refused as implausible", "行情异常被拒收"),
    Protection.QUOTE_SOURCE: Text(
        "only the fallback source has quotes, and they may not trade (allow_mootdx_trading)",
        "只有备用行情，且未允许用于交易",
    ),
    Protection.SUSPENDED: Text("trading in it is suspended", "停牌"),
    Protection.NO_COST: Text("the cost is unknown", "成本未知"),
    Protection.NOT_TRADED: Text(
        "this kind is never traded here: sell it by hand", "本系统不交易该品种：请手动卖出"
    ),
    Protection.LIMITS_UNCLEAR: Text(
        "the day's price limits are not certain", "当日涨跌停价无法确定"
    ),
    Protection.T1: Text("nothing can be sold today (T+1)", "今日无可卖数量（T+1）"),
    Protection.AT_LIMIT_DOWN: Text("a sell order rests at limit-down", "卖单在跌停价排队"),
    Protection.ORDER_WORKING: Text("a sell order is working", "卖单委托中"),
    Protection.UNKNOWN_ORDER: Text("an order is in an unknown state", "有委托状态不明"),
    Protection.ATTEMPTS_EXHAUSTED: Text(
        "the last sell attempt ended unfilled", "卖出重试已用尽仍未成交"
    ),
    Protection.EX_RIGHTS_UNVERIFIED: Text("ex-rights could not be verified", "除权除息未核实"),
    Protection.MARKET_CLOSED: Text("the market is closed", "休市"),
}

_RULES = {
    SignalKind.STOP_LOSS: Text("the stop-loss", "止损"),
    SignalKind.TRAILING_TAKE_PROFIT: Text("the trailing take-profit", "动态止盈"),
    SignalKind.FIRST_TAKE_PROFIT: Text("the first take-profit", "首次止盈"),
}


def _text(
    status: Protection,
    kind: SignalKind | None,
    price: Decimal | None,
    position: Position,
    facts: ProtectionFacts,
) -> Text:
    sale = Text("", "")
    if kind is not None and price is not None:
        rule = _RULES[kind]
        sale = Text(f"{rule.en} sells at {yuan(price)}", f"{rule.zh}价 {yuan(price)}")
    if status is Protection.PROTECTED:
        part = Text("", "")
        if facts.sellable < position.quantity:
            part = Text(
                f", {facts.sellable} of {position.quantity} shares today",
                f"，今日可卖 {facts.sellable} / {position.quantity} 股",
            )
        return Text(f"protected: {sale.en}{part.en}", f"受保护：{sale.zh}{part.zh}")
    since = _since(status, facts)
    why = WORDS[status]
    return Text(f"unprotected: {why.en}{since.en}", f"未受保护：{why.zh}{since.zh}")


def _since(status: Protection, facts: ProtectionFacts) -> Text:
    if status is Protection.PAUSED and facts.paused_until is not None:
        ends = facts.paused_until.astimezone(CHINA).strftime("%H:%M:%S")
        return Text(f" until {ends}", f"（至 {ends}）")
    at = facts.quote_refused_since if status is Protection.QUOTE_REFUSED else facts.quote_time
    if status not in (Protection.QUOTE_STALE, Protection.QUOTE_REFUSED) or at is None:
        return Text("", "")
    shown = at.astimezone(CHINA).strftime("%H:%M:%S")
    return Text(f" since {shown}", f"（自 {shown}）")
