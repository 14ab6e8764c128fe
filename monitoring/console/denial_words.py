"""What each denial code means in plain words, and what ends it; the denial's own text has the numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from trading.domain.types import DenialCode, Text

_C = DenialCode
MEANINGS: Mapping[str, Text] = MappingProxyType(
    {
        _C.STAGE: Text(
            "The account was led back from live: nothing is sent. Lead it on along its path (page “Going live”).",
            "该账户已退出实盘，不发出委托。请在“上线路径”页面重新逐步上线。",
        ),
        _C.CAPS: Text(
            "The caps of an account that goes live forbid it; stop-losses and take-profits are never capped. Change "
            "the caps on the page “Going live”.",
            "超出限额实盘的上限；止损、止盈不受此限。可在“上线路径”页面调整上限。",
        ),
        _C.AUTO_OFF: Text(
            "Auto trading is off: rules watch and tell, they send nothing. Switch it on in the settings.",
            "自动交易已关闭：规则只监控、提示，不下单。请在配置中开启。",
        ),
        _C.STRATEGY_OFF: Text(
            "Strategy plug-ins may tell, not trade. Switch strategy orders on in the settings.",
            "策略只能提示，不能下单。请在配置中开启策略下单。",
        ),
        _C.TRADING_STATE: Text(
            "The main switch forbids it: halted stops everything, reduce only stops buys. Resume it with a reason.",
            "总开关不允许：停止时一律不下单，只减仓时不买入。请填写原因后恢复。",
        ),
        _C.GATEWAY_NOT_ARMED: Text(
            "The gateway only observes, so nothing can be sent. It waits and is tried again.",
            "交易网关仅在观察，无法报单；信号等待并会重试。",
        ),
        _C.MARKET_CLOSED: Text(
            "Outside continuous trading nothing is sent. It waits and is tried again.",
            "非连续竞价时段不下单；信号等待并会重试。",
        ),
        _C.CALENDAR_UNKNOWN: Text(
            "Nobody knows whether today is a trading day. Extend the calendar.",
            "无法确定今天是否为交易日。请补充交易日历。",
        ),
        _C.QUOTE_SOURCE: Text(
            "Only the fallback source has quotes, and they may not trade. Look at the terminal.",
            "只有备用行情，且未允许用于交易。请检查客户端。",
        ),
        _C.QUOTE_STALE: Text(
            "The newest quote is too old to decide on. It waits for a fresh one.",
            "最新行情已过时，不能据此决策；等待新的行情。",
        ),
        _C.SUSPENDED: Text(
            "The exchange does not trade this symbol now. It waits.",
            "该标的停牌，交易所不接受交易；信号等待。",
        ),
        _C.NO_PRICE: Text(
            "The quote has no price an order could use. It waits for one.",
            "行情中没有可用于委托的价格；等待新的行情。",
        ),
        _C.PRICE_LIMIT: Text(
            "The price is outside the day's price limits or the exchange's cage.",
            "委托价超出当日涨跌停或有效申报价格范围。",
        ),
        _C.LOT: Text(
            "The number of shares is none the exchange takes (lots, minimum, maximum).",
            "数量不符合交易所规定（整手、最小或最大数量）。",
        ),
        _C.TICK: Text(
            "The price is no whole step of the exchange's price unit.",
            "价格不是最小变动价位的整数倍。",
        ),
        _C.T1_NOT_SELLABLE: Text(
            "Shares bought today can be sold from the next session on (T+1), or the terminal frees none.",
            "今日买入的股份下一交易日才可卖（T+1），或客户端无可卖数量。",
        ),
        _C.SHARES_PROMISED: Text(
            "The shares are promised to another order of ours. It waits until they are free.",
            "股份已被另一笔委托占用；等待释放。",
        ),
        _C.CASH: Text(
            "Not enough usable cash for the buy and its fees.",
            "可用资金不足以支付买入金额及费用。",
        ),
        _C.MAX_ORDER_VALUE: Text(
            "The order is worth more than one order may be (a setting).",
            "单笔金额超过配置的上限。",
        ),
        _C.MAX_POSITION_VALUE: Text(
            "With this buy the holding would be worth more than one may be (a setting).",
            "买入后该持仓市值将超过配置的单股上限。",
        ),
        _C.MAX_TOTAL_POSITION_RATIO: Text(
            "With this buy all holdings together would take more of the account than allowed (a setting).",
            "买入后总仓位将超过配置的上限。",
        ),
        _C.DAILY_LOSS: Text(
            "The account lost as much today as the settings allow: no more buys today.",
            "今日亏损已达配置的上限：今日不再买入。",
        ),
        _C.BOOKS_DIFFER: Text(
            "Our books of an earlier day differ from the terminal's. Explain the difference in the admin.",
            "此前某日的账目与客户端不一致。请在管理后台说明差异。",
        ),
        _C.MAX_ORDERS_PER_DAY: Text(
            "Today's number of orders has reached its limit.", "今日委托笔数已达上限。"
        ),
        _C.ORDER_RATE: Text(
            "Too many orders in one second. It goes out at the next tick.",
            "每秒委托过多；下一次检查时再发出。",
        ),
        _C.CANCEL_RATIO: Text(
            "Too large a share of today's orders was cancelled.", "今日撤单占比过高。"
        ),
        _C.SELF_TRADE: Text(
            "It could trade with an order of our own on the other side. It waits until that one ended.",
            "可能与本账户反方向的委托自成交；等待对方委托结束。",
        ),
        _C.DUPLICATE: Text(
            "An order for this purpose works already, or this decision was taken before.",
            "同一用途的委托已在进行，或该决策已执行过。",
        ),
        _C.BUY_DISABLED: Text(
            "Buying is switched off. Switch it on in the settings.",
            "买入已关闭。请在配置中开启。",
        ),
        _C.SELL_DISABLED: Text(
            "Selling is switched off. Switch it on in the settings.",
            "卖出已关闭。请在配置中开启。",
        ),
        _C.REFUSED_REPEATEDLY: Text(
            "The broker refused this several times today. Look at the messages of its orders.",
            "柜台今日多次拒绝该委托。请查看委托的柜台消息。",
        ),
        _C.PRICE_DRIFT: Text(
            "The price moved too far from where the signal arose.",
            "价格已偏离信号产生时的价格过多。",
        ),
        _C.FUTURE_TIME: Text(
            "The signal or its quote carries a time that is still to come: a clock is wrong.",
            "信号或行情的时间在未来：某个时钟有误。",
        ),
        _C.LIMITS_DISAGREE: Text(
            "Our price limits and the market data's disagree. Check the instrument in the admin.",
            "我方计算的涨跌停与行情不一致。请在管理后台核对标的资料。",
        ),
        _C.CONFIG_INVALID: Text(
            "The settings are invalid: only stop-losses act. Correct them in the admin.",
            "配置无效：只有止损生效。请在管理后台更正。",
        ),
    }
)


def gist(code: str) -> Text:
    """Return the first clause of what a code means, for lists to choose from."""
    en, zh = meaning(code)
    return Text(re.split(r"[:.(] ?", en)[0].strip(), re.split("[：；。（]", zh)[0])


def codes_about(words: str) -> list[str]:
    """Return the codes whose meaning has these words, in either language."""
    wanted = words.casefold()
    return [
        code for code, said in MEANINGS.items() if any(wanted in one.casefold() for one in said)
    ]


def meaning(code: str) -> Text:
    """Return what a code means; a code of another version stays a code."""
    return MEANINGS.get(code, Text(code, code))
