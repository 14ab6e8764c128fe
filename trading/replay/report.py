"""A replay's result as tables for people, in one language: signals, orders, fills, denials, profit and loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from trading.domain.types import Text
from trading.replay.guests import guests
from trading.replay.result import Result, money

Column = tuple[Text, str]  # heading, justification

_KINDS = {
    "stop_loss": "止损",
    "first_take_profit": "首次止盈",
    "trailing_take_profit": "动态止盈",
    "manual": "手动",
    "grid": "网格",
    "add_on": "补仓",
    "strategy": "策略",
}
_SIDES = {"buy": "买入", "sell": "卖出"}
_STATES = {
    "pending": "待处理",
    "accepted": "已采纳",
    "denied": "已拒绝",
    "expired": "已过期",
    "superseded": "已被取代",
    "filled": "全部成交",
    "cancelled": "已撤",
    "partially_cancelled": "部成已撤",
    "rejected": "废单",
    "absent": "不存在",
}


def _left(en: str, zh: str) -> Column:
    return Text(en, zh), "left"


def _right(en: str, zh: str) -> Column:
    return Text(en, zh), "right"


_TIME, _SYMBOL, _KIND = _left("time", "时间"), _left("symbol", "代码"), _left("kind", "类型")
_SIDE, _QUANTITY, _PRICE = (
    _left("side", "方向"),
    _right("quantity", "数量"),
    _right("price", "价格"),
)
_STATE, _REASON, _SIGNAL = (
    _left("state", "状态"),
    _left("reason", "原因"),
    _right("signal", "信号"),
)

_ORDERS = (
    _TIME, _left("order", "委托号"), _SYMBOL, _KIND, _SIDE, _QUANTITY, _PRICE,
    _right("filled", "已成交"), _STATE, _left("ended", "结束"), _SIGNAL,
)  # fmt: skip
_FILLS = (
    _TIME, _SYMBOL, _SIDE, _QUANTITY, _PRICE, _right("amount", "金额"), _right("commission", "佣金"),
    _right("stamp duty", "印花税"), _right("transfer fee", "过户费"), _left("order", "委托号"), _SIGNAL,
)  # fmt: skip
_PROFIT = (
    _SYMBOL, _right("held", "持有"), _right("cost", "成本"), _right("last", "最新价"), _right("fees", "费用"),
    _right("dividends", "红利"), _right("profit", "盈亏"),
)  # fmt: skip


class Report:
    """Prints a result on a console. `language`: `en` or `zh`."""

    def __init__(self, console: Console, language: str) -> None:
        self._console, self._language = console, language

    def show(self, result: Result) -> None:
        """Print every table; one without rows is a sentence."""
        self._signals(result)
        self._orders(result)
        self._fills(result)
        self._denials(result)
        self._profit(result)
        self._guests(result)

    def _signals(self, result: Result) -> None:
        self._table(
            Text("Signals", "信号"),
            [
                _right("#", "#"),
                _TIME,
                _SYMBOL,
                _KIND,
                _QUANTITY,
                _right("last", "最新价"),
                _STATE,
                _REASON,
            ],
            (
                [
                    signal["number"],
                    _clock(signal["time"]),
                    signal["symbol"],
                    self._word(signal["kind"]),
                    f"{signal['quantity']:,}",
                    signal["last"],
                    self._word(signal["state"]),
                    signal["reason"][self._language],
                ]
                for signal in result["signals"]
            ),
        )

    def _orders(self, result: Result) -> None:
        self._table(
            Text("Orders", "委托"),
            _ORDERS,
            (
                [
                    _clock(order["time"]),
                    order["order"],
                    order["symbol"],
                    self._word(order["kind"]),
                    self._word(order["side"]),
                    f"{order['quantity']:,}",
                    order["price"],
                    f"{order['filled_quantity']:,}",
                    self._word(order["state"]),
                    f"{_clock(order['ended'])} {order['end_reason'] or order['cancel_reason']}".strip(),
                    order["signal"],
                ]
                for order in result["orders"]
            ),
        )

    def _fills(self, result: Result) -> None:
        self._table(
            Text("Fills", "成交"),
            _FILLS,
            (
                [
                    _clock(fill["time"]),
                    fill["symbol"],
                    self._word(fill["side"]),
                    f"{fill['quantity']:,}",
                    fill["price"],
                    _yuan(Decimal(fill["price"]) * fill["quantity"]),
                    fill["commission"],
                    fill["stamp_duty"],
                    fill["transfer_fee"],
                    fill["order"],
                    fill["signal"],
                ]
                for fill in result["fills"]
            ),
        )

    def _denials(self, result: Result) -> None:
        self._table(
            Text("Denials", "风控拒绝"),
            [_TIME, _SYMBOL, _KIND, _left("code", "代码"), _REASON],
            (
                [
                    _clock(denial["time"]),
                    denial["symbol"],
                    self._word(denial["kind"]),
                    denial["code"],
                    denial["text"][self._language],
                ]
                for denial in result["denials"]
            ),
        )

    def _profit(self, result: Result) -> None:
        positions = result["positions"]
        self._table(
            Text("Profit and loss after fees", "盈亏（已扣费用）"),
            _PROFIT,
            (
                [
                    position["symbol"],
                    f"{position['quantity']:,}",
                    position["cost"],
                    position["last"],
                    position["fees"],
                    position["dividends"],
                    _yuan(Decimal(position["profit"])),
                ]
                for position in positions
            ),
        )
        total = _yuan(sum((Decimal(position["profit"]) for position in positions), Decimal(0)))
        cash = _yuan(Decimal(result["cash"]))
        self._say(
            Text(
                f"Profit {total} yuan, cash {cash} yuan.", f"盈亏合计 {total} 元，资金 {cash} 元。"
            )
        )

    def _guests(self, result: Result) -> None:
        for guest in guests():
            for title, heads, rows in guest.tables(result.get(guest.key, ())):
                columns = [(head, "left") for head in heads]
                texts = [
                    [cell[self._language] if isinstance(cell, dict) else cell for cell in row]
                    for row in rows
                ]
                self._table(title, columns, texts)

    def _table(
        self, title: Text, columns: Sequence[Column], rows: Iterable[Sequence[object]]
    ) -> None:
        texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
        name = title.in_language(self._language)
        if not texts:
            self._say(Text(f"{name}: none.", f"{name}：无。"))
            return
        table = Table(title=name, title_justify="left")
        for heading, justify in columns:
            wraps = heading == _REASON[0]
            table.add_column(
                heading.in_language(self._language),
                justify="right" if justify == "right" else "left",
                no_wrap=not wraps,
                overflow="fold" if wraps else "ignore",
            )
        for cells in texts:
            table.add_row(*cells)
        self._console.print(table, markup=False)

    def _say(self, text: Text) -> None:
        self._console.print(text.in_language(self._language), markup=False)

    def _word(self, word: str) -> str:
        if self._language == "en":
            return word.replace("_", " ")
        return _KINDS.get(word) or _SIDES.get(word) or _STATES.get(word) or word


def _clock(time: str | None) -> str:
    """`2023-02-01T09:35:45+08:00` as `2023-02-01 09:35:45`."""
    return "" if time is None else time[:19].replace("T", " ")


def _yuan(amount: Decimal) -> str:
    text = money(amount)
    whole, _, part = text.partition(".")
    return f"{int(whole):,}.{part}" if not whole.startswith("-0") else text
