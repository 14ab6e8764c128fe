"""Risk checks on the moment: switches, market, quote, price and quantity (rules §6).

Each is an objection in words, or None.
"""

from __future__ import annotations

from trading.domain.risk_facts import Intent, RiskFacts, RiskLimits, denial, known
from trading.domain.types import Denial, DenialCode, Purpose, Side, TradingState

_ALLOWED_EN = {TradingState.REDUCING: "only sales go out", TradingState.HALTED: "nothing goes out"}
_ALLOWED_ZH = {TradingState.REDUCING: "只允许卖出", TradingState.HALTED: "停止一切委托"}


def auto_off(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if limits.auto_trading_enabled or intent.kind.purpose is Purpose.MANUAL:
        return None
    return denial(
        DenialCode.AUTO_OFF,
        "Automatic trading is off. Switch it on, or place the order by hand.",
        "自动交易已关闭。请打开自动交易，或手动下单。",
    )


def strategy_off(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if limits.strategy_execution_enabled or intent.kind.purpose is not Purpose.STRATEGY:
        return None
    return denial(
        DenialCode.STRATEGY_OFF,
        "Signals of strategies do not trade: strategy_execution_enabled is off. Switch it on, or order by hand.",
        "策略信号不下单：strategy_execution_enabled 为关闭。请打开该开关，或手动下单。",
    )


def trading_state(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    state = facts.trading_state
    if state is TradingState.ACTIVE:
        return None
    if state is TradingState.REDUCING and intent.side is Side.SELL:
        return None
    return denial(
        DenialCode.TRADING_STATE,
        f"The main switch is {state.value}: {_ALLOWED_EN[state]}. Set it back to active with a reason.",
        f"总开关为 {state.value}：{_ALLOWED_ZH[state]}。请填写原因后恢复为 active。",
    )


def gateway_not_armed(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if facts.gateway_armed:
        return None
    return denial(
        DenialCode.GATEWAY_NOT_ARMED,
        "The gateway only observes: it has not yet agreed with the broker's books. It arms itself when it has.",
        "网关处于观察状态，尚未与券商对账一致；对账完成后自动恢复下单。",
    )


def market_closed(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    """Automatic orders need continuous trading, manual ones any phase that accepts orders."""
    if not facts.calendar_known:  # closed too, but the next check has the better word for it
        return None
    manual = intent.kind.purpose is Purpose.MANUAL
    if facts.phase.continuous or (manual and facts.phase.accepts_orders):
        return None
    return denial(
        DenialCode.MARKET_CLOSED,
        f"The market takes no such order now ({facts.phase.value}). It is tried again when trading goes on.",
        f"当前时段（{facts.phase.value}）不能下此委托，恢复交易后会再试。",
    )


def calendar_unknown(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if facts.calendar_known:
        return None
    return denial(
        DenialCode.CALENDAR_UNKNOWN,
        "The trading calendar does not know this day, so it counts as closed. Import or add its trading days.",
        "交易日历中没有今天，按休市处理。请导入或补充交易日。",
    )


def quote_source(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if facts.quote_may_trade:
        return None
    return denial(
        DenialCode.QUOTE_SOURCE,
        f"{intent.symbol} has quotes of the fallback source only, and they may not trade. The order waits for the"
        " terminal's; or switch allow_mootdx_trading on.",
        f"{intent.symbol} 目前只有备用行情，且不允许用于交易。委托等待终端行情；也可打开“允许 mootdx 行情交易”。",
    )


def quote_stale(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if facts.quote_fresh:
        return None
    return denial(
        DenialCode.QUOTE_STALE,
        f"The quote of {intent.symbol} is not fresh. The order waits for the next quote; check the data source.",
        f"{intent.symbol} 的行情不新鲜。委托等待下一笔行情，请检查行情源。",
    )


def suspended(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if not facts.suspended:
        return None
    return denial(
        DenialCode.SUSPENDED,
        f"{intent.symbol} is suspended. The order waits until it trades again.",
        f"{intent.symbol} 停牌中，复牌后再试。",
    )


def limits_problem(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    """Computed and stated limits disagree, or whatever else the caller found wrong with them."""
    return facts.limits_problem


def no_price(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if not known(intent.price) or intent.price <= 0:
        return denial(
            DenialCode.NO_PRICE,
            f"There is no usable price for {intent.symbol}. The order waits for a quote with a price.",
            f"{intent.symbol} 没有可用价格，等待有效行情。",
        )
    if facts.limits is None:
        return denial(
            DenialCode.NO_PRICE,
            f"The price limits of {intent.symbol} are not known. The order waits until they are.",
            f"{intent.symbol} 的涨跌停价未知，获得后再试。",
        )
    return None


def price_limit(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    """Outside the limits nothing; a buy at limit-up and a grid's or strategy's sale at limit-down would only rest there."""
    if facts.limits is None:
        return None
    up, down, price = facts.limits.up, facts.limits.down, intent.price
    buy = intent.side is Side.BUY
    waits_badly = intent.kind.purpose in (Purpose.GRID, Purpose.STRATEGY)
    if up is not None and (price > up or (buy and price == up)):
        return denial(
            DenialCode.PRICE_LIMIT,
            f"The price {price} reaches the limit-up price {up}. Choose a lower price or wait.",
            f"委托价 {price} 触及涨停价 {up}。请降低价格或等待。",
        )
    if down is not None and (price < down or (waits_badly and not buy and price == down)):
        return denial(
            DenialCode.PRICE_LIMIT,
            f"The price {price} reaches the limit-down price {down}. Choose a higher price or wait.",
            f"委托价 {price} 触及跌停价 {down}。请提高价格或等待。",
        )
    return None


def lot(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    quantity, sell = intent.quantity, intent.side is Side.SELL
    if quantity <= 0:
        return denial(
            DenialCode.LOT,
            f"The quantity is {quantity} shares. Order at least one lot.",
            f"委托数量为 {quantity} 股，至少需要一手。",
        )
    if sell and quantity > facts.sellable:  # the checks on shares have the better word for it
        return None
    # What is above the exchange's largest order goes out in pieces: each of them has to be a valid order.
    sellable = facts.sellable
    for piece in intent.lot.split(quantity) or (quantity,):
        problem = (
            intent.lot.sell_problem(piece, sellable) if sell else intent.lot.buy_problem(piece)
        )
        if problem is not None:
            return Denial(DenialCode.LOT, problem)
        sellable -= piece
    return None


def tick(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Denial | None:
    if intent.tick > 0 and intent.price % intent.tick == 0:
        return None
    return denial(
        DenialCode.TICK,
        f"The price {intent.price} is not a multiple of the tick {intent.tick}. Round it to the tick.",
        f"委托价 {intent.price} 不是最小变动价位 {intent.tick} 的整数倍，请取整。",
    )
