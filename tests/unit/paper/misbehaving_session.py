"""A minute of trading through the look-alike, written down: what a program called, heard and was answered, and when."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.unit.paper.market_day import ACCOUNT, BANK, at, exchange, levels, quote
from trading.paper import transport, xtconstant, xtdata
from trading.paper.misbehaviours import Misbehaviours
from trading.paper.records import Order
from trading.paper.terminal import Terminal
from trading.paper.xttrader import XtQuantTrader, XtQuantTraderCallback
from trading.paper.xttype import StockAccount

_names = itertools.count()
SECONDS = 60


@dataclass(frozen=True)
class Heard:
    """Something that arrived: when, under which name, what it said, and what was true at that moment."""

    at: datetime
    kind: str
    what: Any
    asked_at: datetime | None = None
    truth: int = 0


class Session(XtQuantTraderCallback):
    """Buys and sells of the bank for a minute: every fifth second an order, some cancelled, queries each second."""

    def __init__(self, names: Sequence[str] = (), seed: int = 1) -> None:
        self.heard: list[Heard] = []
        self.calls: dict[str, tuple[datetime, int]] = {}  # remark → when posted, what it returned
        self.connects: list[int] = []
        self.exchange = exchange(cash=Decimal(1_000_000))
        self.terminal = Terminal(self.exchange, None, Misbehaviours(names, seed))
        self.now = at("10:00")
        path = f"memory://misbehaving-{next(_names)}"
        transport.serve_in_process(path, self.terminal)
        self.terminal.feed([quote("10:00")])
        self.terminal.step(self.now)
        xtdata.connect_to(path).subscribe_whole_quote(
            [str(BANK)], lambda ticks: self._hear("ticks", ticks)
        )
        self.trader = XtQuantTrader(path, 100, self)
        self.trader.start()
        self._connect()
        for second in range(1, SECONDS):
            self._second(second)
        transport.forget(path)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("on_") and name not in ("on_connected", "on_disconnected"):
            return lambda what: self._hear(name.removeprefix("on_"), what)
        return super().__getattribute__(name)

    def on_disconnected(self) -> None:
        self._hear("disconnected", None)

    # -- looking at it

    def of(self, kind: str) -> list[Heard]:
        return [heard for heard in self.heard if heard.kind == kind]

    def rows(self, kind: str) -> list[Heard]:
        """The rows of all answers to one query."""
        return [
            Heard(answer.at, kind, row, answer.asked_at, answer.truth)
            for answer in self.of(kind)
            for row in answer.what or ()
        ]

    @property
    def orders(self) -> list[Order]:
        """What the exchange knows."""
        return list(self.exchange.account(ACCOUNT).orders.values())

    def order(self, remark: str) -> Order | None:
        return next((one for one in self.orders if one.remark == remark), None)

    # -- playing it

    def _connect(self) -> None:
        self.connects.append(self.trader.connect())
        self.trader.subscribe(StockAccount(ACCOUNT))

    def _second(self, second: int) -> None:
        self.now = at("10:00") + timedelta(seconds=second)
        if not self.trader.connected:
            self._connect()
        book = levels(("9.99", 100), ("9.98", 100), ("9.97", 100))
        asks = levels(("10.01", 100), ("10.02", 100), ("10.03", 100))
        made = quote(f"{self.now:%H:%M:%S}", volume=10_000 + 100 * second, bids=book, asks=asks)
        self.terminal.feed([made])
        if second % 5 == 1:
            self._post(f"M{second:07d}", second)
        if second % 5 == 3:
            self._cancel()
        self._ask()
        for part in range(0, 1_000_000, 250_000):
            self.terminal.step(self.now + timedelta(microseconds=part))

    def _post(self, remark: str, second: int) -> None:
        us, code = StockAccount(ACCOUNT), str(BANK)
        side = xtconstant.STOCK_BUY if second % 10 == 1 else xtconstant.STOCK_SELL
        price, volume = (10.02, 2_000) if side == xtconstant.STOCK_BUY else (9.98, 100)
        self.calls[remark] = (
            self.now,
            self.trader.order_stock_async(us, code, side, volume, 11, price, "mini", remark),
        )

    def _cancel(self) -> None:
        for order in self.orders:
            if order.working and order.remark:
                self.trader.cancel_order_stock_async(StockAccount(ACCOUNT), order.order_id)

    def _ask(self) -> None:
        us, asked, account = StockAccount(ACCOUNT), self.now, self.exchange.account(ACCOUNT)

        def hear(kind: str, truth: int) -> Any:
            return lambda answer: self._hear(kind, answer, asked, truth)

        self.trader.query_stock_orders_async(us, hear("orders", len(account.orders)))
        self.trader.query_stock_trades_async(us, hear("trades", len(account.trades)))
        self.trader.query_stock_positions_async(us, hear("positions", len(account.positions)))

    def _hear(
        self, kind: str, what: Any, asked_at: datetime | None = None, truth: int = 0
    ) -> None:
        at_ = self.terminal._now
        self.heard.append(Heard(at_, kind, what, asked_at, truth))
