"""What each parameter of a session does and its range, in both languages, for forms, commands and docs/grid.md."""

from __future__ import annotations

from typing import NamedTuple

from trading.domain.types import Text


class Help(NamedTuple):
    """Effect, and range ("" = named by its choices)."""

    effect: Text
    range: Text


def _help(range_: str | Text, en: str, zh: str) -> Help:
    return Help(Text(en, zh), range_ if isinstance(range_, Text) else Text(range_, range_))


_STYLES = {"lot": Text("lot grid", "逐笔网格"), "centred": Text("centred grid", "中心网格")}

HELP: dict[str, Help] = {
    "max_investment": _help(
        "100 – 1000000000",
        "Yuan it may have in open lots and working buys at most; empty: half the holding's value.",
        "未平批次与在途买单的金额上限（元）；留空为持仓市值的一半。",
    ),
    "grid_buy_amount": _help(
        "100 – 1000000000",
        "Yuan of one buy, cut to whole lots.",
        "每笔买入金额（元），按整手取整。",
    ),
    "grid_price_drop": _help(
        "0.001 – 0.50",
        "How far below the reference, the cheapest lot or the last sale the next buy lies.",
        "较基准价、最低批次或最近卖出价下跌多少再买入。",
    ),
    "grid_take_profit_ratio": _help(
        "0.001 – 1", "A lot is sold at this gain.", "批次涨幅达到即卖出。"
    ),
    "grid_stop_loss_ratio": _help(
        "-0.50 – -0.001", "A lot is sold at this loss.", "批次跌幅达到即卖出。"
    ),
    "grid_max_hold_days": _help(
        "1 – 365", "A lot is sold when held for more days.", "批次持有超过此天数即卖出。"
    ),
    "max_lots": _help("1 – 100", "Open lots at most.", "未平批次上限。"),
    "interval": _help(
        "0.01 – 0.20",
        "Distance of upper and lower line from the centre.",
        "上线、下线与中心价的距离。",
    ),
    "position_ratio": _help(
        "0.01 – 1",
        "Share of the holding one trade sells or buys.",
        "每次买卖占持仓的比例。",
    ),
    "callback": _help(
        Text("0.001 – 0.10, below the interval", "0.001 – 0.10，且小于间距"),
        "How far the price turns back from its peak or valley before it trades.",
        "价格自高点或低点回转多少才交易。",
    ),
    "max_deviation": _help(
        Text("0.05 – 0.50, above the interval", "0.05 – 0.50，且大于间距"),
        "It stops when centre or price moved further away.",
        "中心价或价格偏离超过此比例即停止。",
    ),
    "target_profit": _help(
        "0.01 – 1",
        "It stops at this profit, as a ratio of the budget.",
        "盈利达到额度的此比例即停止。",
    ),
    "stop_loss": _help(
        "-0.50 – -0.001",
        "It stops at this loss, as a ratio of the budget.",
        "亏损达到额度的此比例即停止。",
    ),
    "duration_days": _help("1 – 365", "It stops after so many days.", "运行此天数后停止。"),
    "trade_mode": _help(
        Text("", ""),
        "Sized by the ratio above, or by a fixed number of shares.",
        "按上述比例，或按固定股数。",
    ),
    "fixed_quantity": _help(
        Text("0 – 1000000, whole lots", "0 – 1000000，整手"),
        "Shares of one trade when sized by shares; 0: by the ratio.",
        "按股数时每次交易的数量；0 表示按比例。",
    ),
}


def style_words(style: str) -> Text:
    """Return what people call a style."""
    return _STYLES.get(style, Text(style, style))
