"""What a misbehaving terminal shows that is not so: rows of queries and pushes, changed on their way out.

Each class is one incident; `told` changes a push or late answer, `answer` the result of a query, `times` when a
message comes (None: as always). They copy what they change: the exchange's own truth is never touched.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from trading.paper import xtconstant
from trading.paper.delivery import Message

Row = dict[str, Any]
Rows = list[Row]

_ORDERS, _TRADES = "query_stock_orders", "query_stock_trades"
_POSITIONS, _ASSET = "query_stock_positions", "query_stock_asset"
_LISTS = (_ORDERS, _TRADES, _POSITIONS)


class RowMishap:
    """The honest one: shows everything as it is."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def told(self, message: Message, now: datetime) -> Message:
        return message

    def answer(self, request: Message, result: Any, now: datetime) -> Any:
        return result

    def times(self, message: Message, now: datetime) -> Sequence[datetime] | None:
        return None


class NoneLists(RowMishap):
    """Queries fail, several in a row: the answer is None."""

    failing_until: datetime | None = None

    def answer(self, request: Message, result: Any, now: datetime) -> Any:
        if request["op"] not in (*_LISTS, _ASSET):
            return result
        if self.failing_until is not None and now < self.failing_until:
            return None
        if self.chance.random() < 0.1:
            self.failing_until = now + timedelta(seconds=self.chance.uniform(0, 12))
            return None
        return result


class EmptyLists(RowMishap):
    """A query is answered with an empty list though there is something."""

    def answer(self, request: Message, result: Any, now: datetime) -> Any:
        return [] if request["op"] in _LISTS and self.chance.random() < 0.25 else result


class ShrunkenLists(RowMishap):
    """A list comes back without some of its rows."""

    def answer(self, request: Message, result: Any, now: datetime) -> Any:
        if request["op"] not in _LISTS or self.chance.random() > 0.35:
            return result
        return [row for row in result if self.chance.random() < 0.6]


class ZeroVolumeRows(RowMishap):
    """A holding that is there is shown with a volume of 0."""

    def answer(self, request: Message, result: Any, now: datetime) -> Any:
        if request["op"] != _POSITIONS or self.chance.random() > 0.35:
            return result
        nothing = {"volume": 0, "can_use_volume": 0, "market_value": 0.0}
        return [{**row, **nothing} if self.chance.random() < 0.5 else row for row in result]


class NanRows(RowMishap):
    """Numbers of a row are NaN or None."""

    def answer(self, request: Message, result: Any, now: datetime) -> Any:
        if request["op"] not in (*_LISTS, _ASSET) or self.chance.random() > 0.25:
            return result
        return [self._spoil(row) if self.chance.random() < 0.5 else row for row in result]

    def _spoil(self, row: Row) -> Row:
        numbers = [
            name for name, value in row.items() if isinstance(value, float | int) and value > 0
        ]
        name = self.chance.choice(sorted(numbers))
        return {**row, name: self.chance.choice([None, float("nan")])}


class StaleQueries(RowMishap):
    """Queries are answered from a cache 50 ms to 6 s old, sometimes 25 s."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance)
        self._kept: dict[str, list[tuple[datetime, Any]]] = {}

    def answer(self, request: Message, result: Any, now: datetime) -> Any:
        if request["op"] not in (*_LISTS, _ASSET):
            return result
        kept = self._kept.setdefault(f"{request['op']}:{request.get('account_id')}", [])
        kept.append((now, result))
        del kept[:-50]
        age = self.chance.uniform(0.05, 25 if self.chance.random() < 0.1 else 6)
        old = [answer for at, answer in kept if at <= now - timedelta(seconds=age)]
        return old[-1] if old else kept[0][1]


class RemarkMishap(RowMishap):
    """A remark does not come back as it was sent, the same way in every row of the order."""

    def changed(self, remark: str) -> str:
        raise NotImplementedError

    def told(self, message: Message, now: datetime) -> Message:
        if message["push"] in ("stock_order", "stock_trade"):
            return {**message, "row": self._row(message["row"])}
        if message.get("op") == "order_stock" and message["result"]:
            return {**message, "result": self._row(message["result"])}
        return message

    def answer(self, request: Message, result: Any, now: datetime) -> Any:
        if request["op"] in (_ORDERS, _TRADES) and isinstance(result, list):
            return [self._row(row) for row in result]
        return result

    def _row(self, row: Row) -> Row:
        return {**row, "order_remark": self.changed(row["order_remark"])}


class RemarkTruncated(RemarkMishap):
    """The terminal keeps only the first characters."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance)
        self._kept = chance.choice([1, 4, 8, 9])

    def changed(self, remark: str) -> str:
        return remark[: self._kept]


class RemarkRewritten(RemarkMishap):
    """The broker puts words of its own before the remark, or in its place."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance)
        self._form = chance.choice(["API|{}", "xttag", "{}|QMT"])

    def changed(self, remark: str) -> str:
        return self._form.format(remark) if remark else remark


class RemarkEmpty(RemarkMishap):
    """The remark does not come back at all."""

    def changed(self, remark: str) -> str:
        return ""


class LateFill(RowMishap):
    """A fill is pushed and listed 3 to 20 s late, even when its order was cancelled meanwhile.

    The list of orders shows it at once: without any source that does, no program could know.
    """

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance)
        self._hidden: dict[str, tuple[datetime, int, int]] = {}  # trade id → until, order, shares
        self._seen: set[str] = set()

    def told(self, message: Message, now: datetime) -> Message:
        if message["push"] == "stock_trade":
            self._meet(message["row"], now)
        if message["push"] == "stock_order":
            return {**message, "row": self._order(message["row"], now)}
        return message

    def times(self, message: Message, now: datetime) -> Sequence[datetime] | None:
        if message["push"] != "stock_trade":
            return None
        hidden = self._hidden.get(message["row"]["traded_id"])
        return None if hidden is None else (max(now, hidden[0]),)

    def answer(self, request: Message, result: Any, now: datetime) -> Any:
        if request["op"] == _TRADES and isinstance(result, list):
            for row in result:
                self._meet(row, now)
            return [row for row in result if self._open(row["traded_id"], now)]
        return result

    def _meet(self, row: Row, now: datetime) -> None:
        if row["traded_id"] not in self._seen:
            self._seen.add(row["traded_id"])
            if self.chance.random() < 0.5:
                until = now + timedelta(seconds=self.chance.uniform(3, 20))
                self._hidden[row["traded_id"]] = until, row["order_id"], row["traded_volume"]

    def _open(self, traded_id: str, now: datetime) -> bool:
        hidden = self._hidden.get(traded_id)
        return hidden is None or hidden[0] <= now

    def _order(self, row: Row, now: datetime) -> Row:
        kept_back = sum(
            shares
            for until, order, shares in self._hidden.values()
            if order == row["order_id"] and until > now
        )
        shown = max(0, row["traded_volume"] - kept_back)
        status = _STATUS_WITH if shown else _STATUS_WITHOUT
        return {
            **row,
            "traded_volume": shown,
            "order_status": status.get(row["order_status"], row["order_status"])
            if kept_back
            else row["order_status"],
        }


#: What a status looks like while fills are hidden: some are shown already, or none.
_STATUS_WITH = {xtconstant.ORDER_SUCCEEDED: xtconstant.ORDER_PART_SUCC}
_STATUS_WITHOUT = {
    xtconstant.ORDER_SUCCEEDED: xtconstant.ORDER_REPORTED,
    xtconstant.ORDER_PART_SUCC: xtconstant.ORDER_REPORTED,
    xtconstant.ORDER_PART_CANCEL: xtconstant.ORDER_CANCELED,
}


class GarbageQuotes(RowMishap):
    """Ticks with NaN, zero, negative or enormous prices, crossed books, missing fields and old times."""

    def told(self, message: Message, now: datetime) -> Message:
        if message["push"] != "quotes":
            return message
        shown = {
            code: self._spoil(tick)
            if isinstance(tick, dict) and self.chance.random() < 0.3
            else tick
            for code, tick in message["ticks"].items()
        }
        return {**message, "ticks": shown}

    def answer(self, request: Message, result: Any, now: datetime) -> Any:
        if request["op"] != "get_full_tick" or not result:
            return result
        return {
            code: self._spoil(tick) if self.chance.random() < 0.3 else tick
            for code, tick in result.items()
        }

    def _spoil(self, tick: Row) -> Row:
        kind = self.chance.randrange(5)
        if kind == 0:
            bad = self.chance.choice([float("nan"), 0.0, -1.0, 1e9, None])
            return {**tick, "lastPrice": bad}
        if kind == 1:
            return {name: value for name, value in tick.items() if name != "lastPrice"}
        if kind == 2:
            return {**tick, "time": tick["time"] - 600_000}
        if kind == 3:
            return {**tick, "bidPrice": tick["askPrice"], "askPrice": tick["bidPrice"]}
        return {**tick, "lastClose": float("nan"), "volume": -1}


ROWS: dict[str, Callable[[random.Random], RowMishap]] = {
    "none_lists": NoneLists,
    "empty_lists": EmptyLists,
    "shrunken_lists": ShrunkenLists,
    "zero_volume_rows": ZeroVolumeRows,
    "nan_rows": NanRows,
    "stale_queries": StaleQueries,
    "remark_truncated": RemarkTruncated,
    "remark_rewritten": RemarkRewritten,
    "remark_empty": RemarkEmpty,
    "late_fill": LateFill,
    "garbage_quotes": GarbageQuotes,
}
