"""What each setting does, its range and its unit, in both languages; docs/configuration.md says the same."""

from __future__ import annotations

from typing import NamedTuple

from trading.domain.types import Text


class SettingHelp(NamedTuple):
    """`range` as the documentation prints it, with its unit; `effect` is one or two sentences."""

    range: Text
    effect: Text


def _range(text: str) -> Text:
    zh = text
    for en, word in (
        ("gains strictly rising, coefficients", "涨幅严格递增，系数"),
        ("less than the stop-loss", "小于止损幅度"),
        ("on, off", "开、关"),
        (", empty", "，可留空"),
        (" yuan", " 元"),
        (" s", " 秒"),
        (", ", "，"),
    ):
        zh = zh.replace(en, word)
    return Text(text, zh)


def _help(range_: str, en: str, zh: str) -> SettingHelp:
    return SettingHelp(_range(range_), Text(en, zh))


_SWITCH = "on, off"
_TIMEOUT = "5 … 3600 s"
_YUAN = "100 … 1,000,000,000 yuan"

#: Group → setting → help, in the order of the form.
GROUPS: dict[Text, dict[str, SettingHelp]] = {
    Text("Switches", "开关"): {
        "auto_trading_enabled": _help(
            _SWITCH,
            "Exits, add-on buying and grid may send orders. Off: signals are still detected and said once; manual orders go on.",
            "退出规则、补仓和网格可以自动下单。关闭后仍会检测并提示信号，手动委托不受影响。",
        ),
        "stop_loss_enabled": _help(
            _SWITCH,
            "The stop-loss rule. Off: no holding is protected against a fall.",
            "止损规则。关闭后所有持仓都没有下跌保护。",
        ),
        "take_profit_enabled": _help(
            _SWITCH,
            "First and trailing take-profit. Turning it off never turns the stop-loss off.",
            "首次止盈与动态止盈。关闭它不会关闭止损。",
        ),
        "sell_monitor_enabled": _help(
            _SWITCH,
            "Watch working sell orders: time out, cancel, re-order.",
            "监控在途卖单：超时、撤单、重挂。",
        ),
        "grid_enabled": _help(
            _SWITCH,
            "Grid sessions may decide. Off: none of them trades, their exits only alert.",
            "网格会话可以决策。关闭后均不交易，退出条件只提醒。",
        ),
        "pause_grid_after_full_exit": _help(
            _SWITCH,
            "A filled stop-loss or full take-profit pauses the grid session of its symbol.",
            "止损或全部止盈成交后，暂停该标的的网格会话。",
        ),
        "add_on_enabled": _help(
            _SWITCH,
            "Buy more of a holding that fell by the add-on drop.",
            "持仓跌幅达到补仓跌幅时加仓买入。",
        ),
        "strategy_execution_enabled": _help(
            _SWITCH,
            "Signals of strategy plug-ins may send orders. Off: they are shown, and denied with STRATEGY_OFF.",
            "策略插件的信号可以下单。关闭时仍显示信号，并以 STRATEGY_OFF 拒绝。",
        ),
        "buy_enabled": _help(_SWITCH, "Any buying at all.", "是否允许任何买入。"),
        "sell_enabled": _help(
            _SWITCH,
            "Any selling at all. Off leaves every holding unprotected.",
            "是否允许任何卖出。关闭后所有持仓都没有保护。",
        ),
    },
    Text("Exits and add-on buying", "退出规则与补仓"): {
        "stop_loss_ratio": _help(
            "−0.20 … −0.01",
            "Sell everything sellable when the price is at or below cost × (1 + ratio). −0.075 is −7.5 %.",
            "价格不高于 成本 ×（1 + 比例）时卖出全部可卖数量。−0.075 即 −7.5%。",
        ),
        "first_take_profit_ratio": _help(
            "0.01 … 0.20",
            "The gain that arms the first take-profit. 0.06 is 6 %.",
            "触发首次止盈的涨幅。0.06 即 6%。",
        ),
        "first_take_profit_sell_ratio": _help(
            "0.01 … 1",
            "Share of the sellable quantity it sells, floored to a lot.",
            "首次止盈卖出可卖数量的比例，向下取整到一手。",
        ),
        "first_take_profit_pullback": _help(
            "0 … 0.05",
            "Pullback from the armed high that sells; 0 sells on the crossing quote.",
            "触发后从最高价回撤多少卖出；0 表示触及即卖。",
        ),
        "trailing_tiers": _help(
            "gains strictly rising, coefficients 0.01 … 0.999",
            "After the first take-profit: the highest gain reached gives the level high × coefficient; at or below it everything is sold. Typed as 0.05:0.96,0.10:0.93.",
            "首次止盈之后：最高价达到的最高一档涨幅给出止盈价 = 最高价 × 系数，跌至该价全部卖出。写法：0.05:0.96,0.10:0.93。",
        ),
        "trailing_never_lowers": _help(
            _SWITCH,
            "The trailing level of one life only rises. Off: the historic behaviour of the table.",
            "同一持仓周期内动态止盈价只升不降。关闭则沿用旧版档位行为。",
        ),
        "add_on_drop": _help(
            "0.01 … 0.20, less than the stop-loss",
            "Drop from the cost at which add-on buying begins.",
            "从成本价下跌多少开始补仓。",
        ),
        "buy_amount": _help(
            "1,000 … 10,000,000 yuan", "Amount of one add-on buy.", "每次补仓的金额。"
        ),
    },
    Text("Signals", "信号"): {
        "signal_max_age": _help(
            "10 … 600 s",
            "How long an exit signal lives after the last tick on which its condition held.",
            "退出信号在条件最后一次成立之后的有效时间。",
        ),
        "grid_signal_max_age": _help(
            "10 … 600 s", "The same for grid signals.", "网格信号的有效时间。"
        ),
        "signal_max_drift": _help(
            "0.001 … 0.1",
            "How far the price may move between signal and order (grid, take-profit). Never limits a stop-loss.",
            "信号与下单之间价格最多变动多少（网格、止盈）。不限制止损。",
        ),
    },
    Text("Orders", "委托"): {
        "price_mode": _help(
            "opponent, last, limit",
            "Price of an order: level 3 of the opposite book, the last price, or the trigger.",
            "对手价为对手方第三档；另可选最新价或触发价。",
        ),
        "sell_order_timeout": _help(
            _TIMEOUT,
            "Seconds of continuous trading a sell may rest before it is cancelled and re-ordered.",
            "卖单在连续竞价中等待多久后撤单重挂。",
        ),
        "take_profit_order_timeout": _help(
            f"{_TIMEOUT}, empty",
            "The same for take-profits; empty uses the sell timeout.",
            "止盈单的等待时间；留空则用卖单超时。",
        ),
        "grid_order_timeout": _help(
            _TIMEOUT, "The same for grid orders; one re-order.", "网格单的等待时间；最多重挂一次。"
        ),
        "buy_order_timeout": _help(
            _TIMEOUT,
            "The same for manual and add-on buys; cancelled, not re-ordered.",
            "手动与补仓买单的等待时间；撤单后不重挂。",
        ),
        "reorder_max_attempts": _help(
            "0 … 10",
            "Re-orders of an exit: level 3, level 5, then the edge of the price cage. A stop-loss that still holds decides anew.",
            "退出单的重挂次数：第三档、第五档、价格笼子边缘。仍满足条件的止损会重新决定。",
        ),
    },
    Text("Risk", "风控"): {
        "max_order_value": _help(
            f"{_YUAN}, empty",
            "One order at most; empty = the position limit. Protective sells are never limited.",
            "单笔委托金额上限；留空等于单股市值上限。保护性卖出不受限制。",
        ),
        "max_position_value": _help(
            _YUAN, "One holding at most, working buys included.", "单只股票市值上限，含在途买单。"
        ),
        "max_total_position_ratio": _help(
            "0.01 … 1",
            "All holdings and working buys at most, of the total.",
            "全部持仓与在途买单占总资产的上限。",
        ),
        "daily_loss_ratio": _help(
            "0.001 … 0.5",
            "Loss since the previous close at which only sells go on.",
            "相对昨日总资产的亏损达到此比例后只允许卖出。",
        ),
        "max_buy_orders_per_day": _help("1 … 5000", "Buys a day at most.", "每日买单次数上限。"),
        "orders_per_second": _help(
            "1 … 20",
            "Pace of the gateway; the rest waits, most urgent first.",
            "网关每秒委托数；其余按紧急程度排队。",
        ),
        "allow_mootdx_trading": _help(
            _SWITCH,
            "Quotes of the fallback source (mootdx) may trade. Off: they are shown, and what needs a quote waits.",
            "备用行情（mootdx）可用于交易。关闭时只显示，需要行情的委托一律等待。",
        ),
    },
}

HELP: dict[str, SettingHelp] = {
    name: entry for group in GROUPS.values() for name, entry in group.items()
}
