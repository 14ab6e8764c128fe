"""One session of the probe on a terminal: asynchronous queries with a deadline, and everything that is pushed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from trading.broker.qmt import STATUS_FIELDS, callback_class, copy_answer
from trading.broker.qmt_rows import ASSET_FIELDS, ORDER_FIELDS, POSITION_FIELDS, TRADE_FIELDS

#: Seconds between two looks at what has come: the resolution of every duration in the report.
LOOK = 0.05
#: Seconds a query is waited for.
DEADLINE = 8.0
#: What can be asked: fields of its rows.
QUERIES: dict[str, Sequence[str]] = {
    "status": STATUS_FIELDS,
    "asset": ASSET_FIELDS,
    "positions": POSITION_FIELDS,
    "trades": TRADE_FIELDS,
    "orders": (*ORDER_FIELDS, "price_type"),
}
_NO_ANSWER = object()


@dataclass(frozen=True)
class Heard:
    """One push or response, as it was copied. `at`: monotonic seconds."""

    kind: str
    row: dict[str, Any]
    at: float


@dataclass(frozen=True)
class Answer:
    """One query. `seconds` None: no answer before the deadline. `rows` None: the terminal answered with nothing at all."""

    rows: list[dict[str, Any]] | None
    seconds: float | None

    def summary(self) -> dict[str, Any]:
        """Return it as a report shows it."""
        if self.seconds is None:
            return {"answer": "none before the deadline"}
        count = "None" if self.rows is None else len(self.rows)
        return {"rows": count, "seconds": round(self.seconds, 2)}


class ProbeSession:
    """See the module. `wait` lets time pass, and the twin of a test move on; `clock` is monotonic seconds."""

    def __init__(
        self,
        xttrader: ModuleType,
        xttype: ModuleType,
        path: str,
        session: int,
        number: str,
        wait: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self.session, self.account = session, xttype.StockAccount(number)
        self.heard: list[Heard] = []
        self._wait, self._clock = wait, clock
        self._inbox: deque[tuple[str, Any]] = deque(maxlen=100_000)
        self._answers: dict[int, Any] = {}
        self._asked = 0

        def put(kind: str, payload: Any) -> None:
            self._inbox.append((kind, payload))

        self._put = put
        callback = callback_class(xttrader)(put)
        self.trader = xttrader.XtQuantTrader(path, session, callback)
        self.trader.register_callback(callback)
        self.codes: dict[str, Any] = {}

    def open(self) -> bool:
        """Connect and subscribe; the codes stay in `codes`. True when both were 0."""
        trader = self.trader
        trader.start()
        self.codes["connect"] = trader.connect()
        if self.codes["connect"] == 0:
            self.codes["subscribe"] = trader.subscribe(self.account)
        return list(self.codes.values()) == [0, 0]

    def close(self) -> None:
        self.trader.stop()

    def ask(self, name: str) -> int:
        """Post a query and return its number; `answer` waits for it."""
        self._asked += 1
        number, put = self._asked, self._put

        def part(names: Sequence[str]) -> Callable[[Any], None]:
            return lambda answer: put("answer", (number, copy_answer(answer, names)))

        trader, got = self.trader, part(QUERIES[name])
        if name == "status":
            trader.query_account_status_async(got)
        elif name == "asset":
            trader.query_stock_asset_async(self.account, got)
        elif name == "positions":
            trader.query_stock_positions_async(self.account, got)
        elif name == "trades":
            trader.query_stock_trades_async(self.account, got)
        else:
            trader.query_stock_orders_async(self.account, got)
        return number

    def answer(self, number: int, since: float, deadline: float = DEADLINE) -> Answer:
        """Wait for the answer to a query that was posted at `since`."""
        while self._clock() - since < deadline:
            self.look()
            rows = self._answers.pop(number, _NO_ANSWER)
            if rows is not _NO_ANSWER:
                listed = rows if rows is None or isinstance(rows, list) else [rows]
                return Answer(listed, self._clock() - since)
            self._wait(LOOK)
        return Answer(None, None)

    def query(self, name: str, deadline: float = DEADLINE) -> Answer:
        """Ask and wait for the answer."""
        since = self._clock()
        return self.answer(self.ask(name), since, deadline)

    def snapshot(self, deadline: float = DEADLINE) -> dict[str, Answer]:
        """Ask everything, one after the other."""
        return {name: self.query(name, deadline) for name in QUERIES}

    def until(self, found: Callable[[], Any], deadline: float) -> Any:
        """Look and wait until `found` returns something, or the deadline: then None."""
        since = self._clock()
        while True:
            self.look()
            result = found()
            if result is not None or self._clock() - since >= deadline:
                return result
            self._wait(LOOK)

    def listen(self, seconds: float) -> None:
        """Only listen."""
        self.until(lambda: None, seconds)

    def look(self) -> None:
        """Take what has come, and when."""
        while self._inbox:
            kind, payload = self._inbox.popleft()
            if kind == "answer":
                number, rows = payload
                self._answers[number] = rows
            else:
                self.heard.append(Heard(kind, payload, self._clock()))
