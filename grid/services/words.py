"""What pages and commands both say of grids, in both languages."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from grid.domain.rehearsal import Rehearsal
from grid.services.preview import Preview
from trading.domain.types import Side, Text
from trading.domain.wording import percent

BUY, SELL = Text("buy", "买入"), Text("sell", "卖出")
YES, NO = Text("yes", "是"), Text("no", "否")
_AMOUNTS = ("max_investment", "grid_buy_amount")


def side_words(side: str) -> Text:
    """Return buy or sell."""
    return BUY if side == Side.BUY else SELL


def plain(value: Any) -> Any:
    """Return a number as a person types it, without the zeros its storage adds; anything else as it is."""
    if not isinstance(value, Decimal):
        return value
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def parameter_words(name: str, value: Any) -> Text:
    """Return a parameter as a person reads it: ratios as percentages, amounts with thousands."""
    if name == "trade_mode":
        return Text("amount", "金额") if value == "amount" else Text("shares", "股数")
    if name in _AMOUNTS and isinstance(value, Decimal):
        shown = f"{value:,.2f}"
    else:
        shown = percent(value) if isinstance(value, Decimal) else str(value)
    return Text(shown, shown)


def warnings(found: Preview) -> Iterable[Text]:
    """Return what speaks against starting a session as previewed."""
    if not found.grid_on:
        yield Text(
            "Grid trading is off for this account: the session will start, but not trade until the setting "
            "grid_enabled is on.",
            "该账户未开启网格交易：会话可以启动，但在开启配置项 grid_enabled 之前不会交易。",
        )
    if found.plan.losing:
        number = len(found.plan.losing)
        yield Text(
            f"{number} line(s) would not even earn their fees.",
            f"{number} 个档位的收益不足以支付费用。",
        )
    if not any(line.side is Side.BUY for line in found.plan.lines):
        yield Text("With this budget it cannot buy one lot.", "以此额度无法买入一手。")


def rehearsal_words(found: Rehearsal) -> Text:
    """Return what the rehearsal of past sessions came to, or that there is no past to rehearse on."""
    if not found.days:
        return Text(
            "No quotes of past sessions of this symbol are here, so the number of rounds is not known. "
            "Recorded files can be named: manage.py grid start … --history SOURCE.",
            "没有该标的的历史行情，无法估计轮数。可指定行情文件：manage.py grid start … --history 文件。",
        )
    tail = Text("", "")
    if found.stopped is not None:
        en, zh = found.stopped
        tail = Text(f" It would have stopped: {en}.", f"期间会自动停止：{zh}。")
    money = f"{found.profit:.2f}"
    return Text(
        f"{found.days} session(s), {found.first} to {found.until}: {found.buys} buys, {found.rounds} sales, "
        f"profit {money} yuan after fees, each order filled at once.{tail.en}",
        f"{found.first} 至 {found.until} 共 {found.days} 个交易日：买入 {found.buys} 次，卖出 {found.rounds} 次，"
        f"扣费后盈亏 {money} 元（假设委托立即成交）。{tail.zh}",
    )
