"""The one QMT adapter: `xtquant.xttrader` on a real terminal, or its look-alike on the twin.

It never imports xtquant: the command that runs it hands the modules in. Only `*_async` calls are used (a sync call
of the vendor waits for ever when the terminal does not answer). Callbacks run on the vendor's thread: they copy
plain fields, append, and return; floats become `Decimal` in `drain`, on the caller's thread.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

from trading.broker.qmt_rows import (
    ASSET_FIELDS,
    FIX_PRICE,
    ORDER_FIELDS,
    POSITION_FIELDS,
    REPORTS,
    STOCK_BUY,
    STOCK_SELL,
    TRADE_FIELDS,
    asset_of,
    order_of,
    position_of,
    trade_of,
)
from trading.broker.refusals import (
    ACCOUNT_OK,
    NoSession,
    connect_refusal,
    subscribe_refusal,
)
from trading.broker.userdata import Sessions
from trading.domain.pace import Pace
from trading.domain.reports import Event, Report, Snapshot
from trading.domain.types import Side
from trading.errors import GatewayUnavailable, MiniqmtError, SubmitUncertain
from trading.ports import Broker, OrderRequest

log = logging.getLogger(__name__)

STRATEGY_NAME = "miniqmt"
#: Whose a row is.
WHOSE = ("account_id", "account_type")
STATUS_FIELDS = (*WHOSE, "status")
#: A snapshot whose parts have not all answered after this long (real time) is given up.
SNAPSHOT_DEADLINE = timedelta(seconds=8)


def _copy(source: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(source, name, None) for name in names}


@dataclass
class _Round:
    """One round of queries under way; `parts` fills up as the answers come."""

    asked_at: datetime
    parts: dict[str, Any] = field(default_factory=dict)


class QmtBroker(Broker):
    """One session of one account on the terminal at `path` (a `userdata_mini` folder, or the twin's address).

    A function as `path` is asked at every connect: the twin may come back at another port. `sessions`: the session's
    number, or what chooses it at each attempt. `arrived` is called, on the vendor's thread, whenever `drain` has
    something to return; it must not wait.
    """

    def __init__(
        self,
        xttrader: ModuleType,
        xttype: ModuleType,
        path: str | Callable[[], str],
        sessions: int | Sessions,
        broker_account_id: str,
        arrived: Callable[[], None] = lambda: None,
        pace: Pace = Pace(),  # noqa: B008 - immutable
    ) -> None:
        self._deadline = pace.market(SNAPSHOT_DEADLINE)
        self._xttrader = xttrader
        self._account = xttype.StockAccount(broker_account_id)
        self._path, self._arrived = path, arrived
        self._sessions = Sessions(sessions) if isinstance(sessions, int) else sessions
        self._inbox: deque[tuple[str, int, Any]] = deque(maxlen=100_000)
        self._trader: Any = None
        self._round: _Round | None = None
        self._epoch = 0
        self.refused_rows = 0

    @property
    def epoch(self) -> int:
        return self._epoch

    def connect(self, now: datetime) -> None:
        self.close()
        self._epoch += 1
        try:
            self._open()
        except Exception:
            self.close()
            raise

    def _open(self) -> None:
        callback = callback_class(self._xttrader)(self._put_for(self._epoch))
        with _trouble_is(GatewayUnavailable):
            path = self._path if isinstance(self._path, str) else self._path()
            trader = self._xttrader.XtQuantTrader(path, self._sessions.begin(), callback)
            self._trader = trader
            trader.register_callback(callback)
            trader.start()
            code = trader.connect()
            if code != 0:
                self._sessions.failed()
                raise NoSession(connect_refusal(code, self._sessions.client_is_there()))
            self._sessions.succeeded()
            code = trader.subscribe(self._account)
            if code != 0:
                raise NoSession(subscribe_refusal(code))

    def close(self) -> None:
        trader, self._trader, self._round = self._trader, None, None
        if trader is not None:
            try:
                trader.stop()
            except Exception as problem:  # noqa: BLE001 - what cannot be stopped is left behind
                log.warning("the trader did not stop: %r", problem)

    def submit(self, request: OrderRequest) -> int:
        trader = self._connected(SubmitUncertain)
        with _trouble_is(SubmitUncertain):
            seq = trader.order_stock_async(
                self._account,
                request.symbol,
                STOCK_BUY if request.side is Side.BUY else STOCK_SELL,
                request.quantity,
                FIX_PRICE,
                float(request.price),
                STRATEGY_NAME,
                request.client_order_id,
            )
        if seq is None or seq <= 0:
            # The vendor says "failed", but incidents exist in which the order was live all the same.
            raise SubmitUncertain(f"order_stock_async returned {seq}")
        return int(seq)

    def cancel(self, broker_order_id: int) -> None:
        trader = self._connected(GatewayUnavailable)
        with _trouble_is(GatewayUnavailable):
            seq = trader.cancel_order_stock_async(self._account, broker_order_id)
        if seq is None or seq <= 0:
            raise GatewayUnavailable(f"cancel_order_stock_async returned {seq}")

    def request_snapshot(self, now: datetime) -> None:
        trader = self._connected(GatewayUnavailable)
        if self._round is not None and now - self._round.asked_at < self._deadline:
            return
        this = _Round(now)
        self._round = this
        put = self._put_for(self._epoch)

        def part(name: str, names: Sequence[str]) -> Callable[[Any], None]:
            return lambda answer: put("part", (this, name, copy_answer(answer, names)))

        with _trouble_is(GatewayUnavailable):
            trader.query_account_status_async(part("status", STATUS_FIELDS))
            trader.query_stock_asset_async(self._account, part("asset", ASSET_FIELDS))
            trader.query_stock_positions_async(self._account, part("positions", POSITION_FIELDS))
            trader.query_stock_trades_async(self._account, part("trades", TRADE_FIELDS))
            trader.query_stock_orders_async(self._account, part("orders", ORDER_FIELDS))

    @property
    def pending(self) -> bool:
        """Whether `drain` has something to return."""
        return bool(self._inbox)

    def drain(self, now: datetime) -> Sequence[Event]:
        events = []
        while self._inbox:
            kind, epoch, payload = self._inbox.popleft()
            report = (
                self._snapshot_part(epoch, payload, now)
                if kind == "part"
                else self._report(kind, payload, now)
            )
            if report is not None:
                events.append(Event(report, epoch, now))
        return events

    # -- inside

    def _connected(self, error: type[Exception]) -> Any:
        if self._trader is None:
            raise error("not connected")
        return self._trader

    def _put_for(self, epoch: int) -> Callable[[str, Any], None]:
        def put(kind: str, payload: Any) -> None:
            self._inbox.append((kind, epoch, payload))
            self._arrived()

        return put

    def _snapshot_part(self, epoch: int, payload: Any, now: datetime) -> Snapshot | None:
        this: _Round = payload[0]
        _, name, answer = payload
        this.parts[name] = answer
        if this is not self._round or len(this.parts) < 5:
            return None
        self._round = None
        parts = this.parts
        return Snapshot(
            taken_at=this.asked_at,
            epoch=epoch,
            account_ok=self._account_ok(parts["status"]),
            asset=self._guard(asset_of, parts["asset"]),
            positions=self._rows(position_of, parts["positions"]),
            orders=self._rows(lambda row: order_of(row, now), parts["orders"]),
            trades=self._rows(lambda row: trade_of(row, now), parts["trades"]),
        )

    def _account_ok(self, rows: Any) -> bool:
        mine = [
            row["status"]
            for row in (rows if isinstance(rows, list) else ())
            if self._is_mine(row) and row["account_id"]
        ]
        return mine == [ACCOUNT_OK]

    def _is_mine(self, row: dict[str, Any]) -> bool:
        """Whether a row is of our account: a client may hold several, and one number for Stock Connect as well."""
        number, kind = row.get("account_id"), row.get("account_type")
        return number in (None, "", self._account.account_id) and kind in (
            None,
            self._account.account_type,
        )

    def _report(self, kind: str, payload: dict[str, Any], now: datetime) -> Report | None:
        if not self._is_mine(payload):
            return None
        report: Report | None = self._guard(lambda row: REPORTS[kind](row, now), payload)
        return report

    def _guard(self, make: Callable[[Any], Any], row: Any) -> Any:
        """Build a value from a row; a row with rubbish in it is refused, counted and logged, never guessed."""
        if row is None:
            return None
        try:
            return make(row)
        except (ValueError, TypeError, ArithmeticError) as problem:
            self.refused_rows += 1
            log.warning("refused a row of the terminal: %s", problem)
            return None

    def _rows(self, make: Callable[[Any], Any], rows: list[Any] | None) -> tuple[Any, ...] | None:
        """Build every row; one bad row makes the whole list unknown, for a list with a hole would look shrunken."""
        if rows is None:
            return None
        made = [self._guard(make, row) for row in rows]
        return None if None in made else tuple(made)


def copy_answer(answer: Any, names: Sequence[str]) -> Any:
    if answer is None:
        return None
    if isinstance(answer, list | tuple):
        return [_copy(row, names) for row in answer]
    return _copy(answer, names)


@contextmanager
def _trouble_is(error: type[MiniqmtError]) -> Iterator[None]:
    """Whatever the library raises becomes the one exception the caller knows what to do about."""
    try:
        yield
    except MiniqmtError:
        raise
    except Exception as problem:
        raise error(f"the terminal's library failed: {problem!r}") from problem


def callback_class(xttrader: ModuleType) -> Any:
    """Return our callback class over the terminal's own base class. Its methods copy, append and return."""

    class Callback(xttrader.XtQuantTraderCallback):  # type: ignore[misc,name-defined]
        def __init__(self, put: Callable[[str, Any], None]) -> None:
            self.put = put

        def on_disconnected(self) -> None:
            self.put("disconnected", {})

        def on_account_status(self, status: Any) -> None:
            self.put("account_status", _copy(status, STATUS_FIELDS))

        def on_stock_order(self, order: Any) -> None:
            self.put("order", _copy(order, (*ORDER_FIELDS, *WHOSE)))

        def on_stock_trade(self, trade: Any) -> None:
            self.put("trade", _copy(trade, (*TRADE_FIELDS, *WHOSE)))

        def on_order_error(self, order_error: Any) -> None:
            self.put(
                "submit_error",
                _copy(order_error, ("order_id", "order_remark", "error_msg", "seq")),
            )

        def on_cancel_error(self, cancel_error: Any) -> None:
            self.put("cancel_error", _copy(cancel_error, ("order_id", "order_sysid", "error_msg")))

        def on_order_stock_async_response(self, response: Any) -> None:
            self.put(
                "submitted", _copy(response, ("seq", "order_id", "order_remark", "error_msg"))
            )

        def on_cancel_order_stock_async_response(self, response: Any) -> None:
            self.put(
                "cancelled",
                _copy(response, ("seq", "order_id", "order_sysid", "cancel_result", "error_msg")),
            )

    return Callback
