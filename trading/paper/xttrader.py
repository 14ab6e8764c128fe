"""Look-alikes of `xtquant.xttrader`: the same names and signatures, and the habits our code has to live with.

All pushes and answers arrive through one queue; an exception in a callback vanishes (here it is kept in `swallowed`);
a synchronous call inside a callback is a deadlock, after which nothing arrives any more; a push before `start` is lost;
nothing reconnects by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from threading import get_ident
from typing import Any

from trading.paper import transport, xtconstant, xttype
from trading.paper.delivery import Message


class XtQuantTraderCallback:
    """What a program overrides to hear of pushes and answers; `on_connected` is never called."""

    def on_connected(self) -> None: ...

    def on_disconnected(self) -> None: ...

    def on_account_status(self, status: xttype.XtAccountStatus) -> None: ...

    def on_stock_asset(self, asset: xttype.XtAsset) -> None: ...

    def on_stock_order(self, order: xttype.XtOrder) -> None: ...

    def on_stock_trade(self, trade: xttype.XtTrade) -> None: ...

    def on_stock_position(self, position: xttype.XtPosition) -> None: ...

    def on_order_error(self, order_error: xttype.XtOrderError) -> None: ...

    def on_cancel_error(self, cancel_error: xttype.XtCancelError) -> None: ...

    def on_order_stock_async_response(self, response: xttype.XtOrderResponse) -> None: ...

    def on_cancel_order_stock_async_response(
        self, response: xttype.XtCancelOrderResponse
    ) -> None: ...

    def on_smt_appointment_async_response(self, response: Any) -> None: ...

    def on_bank_transfer_async_response(self, response: Any) -> None: ...

    def on_ctp_internal_transfer_async_response(self, response: Any) -> None: ...

    def on_smart_algo_order_async_response(self, response: Any) -> None: ...

    def on_operate_smart_task_async_response(self, response: Any) -> None: ...


class Deadlock(RuntimeError):
    """A synchronous call inside a callback: with the vendor's library the program would hang here for ever."""


class XtQuantTrader:
    """One trading session of a program; `path` is the terminal's address: `memory://NAME`, `tcp://127.0.0.1:PORT`.

    `swallowed` and `lost` are the twin's own: exceptions that callbacks raised, and messages nobody could receive.
    """

    def __init__(self, path: str, session: int, callback: Any = None) -> None:
        self.path, self.session, self.callback = path, session, callback
        self.connected = False
        self.relaxed_resp_order_enabled = False
        self.swallowed: list[Exception] = []
        self.lost: list[Message] = []
        self._connection: transport.Connection | None = None
        self._started = self._deadlocked = False
        self._callback_thread: int | None = None  # which thread runs a callback now
        self._seqs = itertools.count(1)
        self._waiting: dict[int, Callable[[Any], None]] = {}

    # the session ---------------------------------------------------------------------------------------------

    def register_callback(self, callback: Any) -> None:
        self.callback = callback

    def start(self) -> None:
        self._started = True

    def stop(self) -> None:
        if self._in_callback:
            raise RuntimeError("cannot join current thread")
        connection, self._connection, self.connected = self._connection, None, False
        if connection is not None:
            connection.close()

    def connect(self) -> int:
        if not self._started:
            return -1
        connection = self._connection
        try:
            if connection is None:
                connection = transport.open_connection(self.path, self._receive)
        except ConnectionError:
            return -1
        self._connection = connection
        self.connected = connection.request({"op": "connect", "session": self.session}) == 0
        if self.connected and self._connection is not None:
            return 0
        self._connection, self.connected = None, False
        connection.close()
        return -1

    def set_relaxed_response_order_enabled(self, enabled: bool) -> None:
        self.relaxed_resp_order_enabled = enabled

    def set_timeout(self, timeout: int = 0) -> None:
        """Do nothing: what the vendor's call changes is not documented."""

    def subscribe(self, account: Any) -> int:
        answer = self._ask("subscribe", account)
        return -1 if answer is None else int(answer)

    def unsubscribe(self, account: Any) -> int:
        answer = self._ask("unsubscribe", account)
        return -1 if answer is None else int(answer)

    # orders --------------------------------------------------------------------------------------------------

    def order_stock_async(
        self,
        account: Any,
        stock_code: str,
        order_type: int,
        order_volume: int,
        price_type: int,
        price: float,
        strategy_name: str = "",
        order_remark: str = "",
    ) -> int:
        fields = _order_fields(
            stock_code, order_type, order_volume, price_type, price, strategy_name, order_remark
        )
        on_answer = self.callback.on_order_stock_async_response
        return self._post(
            "order_stock", account, _with_seq(xttype.XtOrderResponse, on_answer), fields
        )

    def order_stock(
        self,
        account: Any,
        stock_code: str,
        order_type: int,
        order_volume: int,
        price_type: int,
        price: float,
        strategy_name: str = "",
        order_remark: str = "",
    ) -> int:
        fields = _order_fields(
            stock_code, order_type, order_volume, price_type, price, strategy_name, order_remark
        )
        answer = self._ask("order_stock", account, fields)
        return -1 if answer is None else int(answer["order_id"])

    def cancel_order_stock(self, account: Any, order_id: int) -> int:
        answer = self._ask("cancel_order_stock", account, {"order_id": order_id})
        return -1 if answer is None else int(answer["cancel_result"])

    def cancel_order_stock_async(self, account: Any, order_id: int) -> int:
        return self._post_cancel(account, {"order_id": order_id})

    def cancel_order_stock_sysid(self, account: Any, market: int | str, sysid: str) -> int:
        answer = self._ask("cancel_order_stock", account, _by_sysid(market, sysid))
        return -1 if answer is None else int(answer["cancel_result"])

    def cancel_order_stock_sysid_async(self, account: Any, market: int | str, sysid: str) -> int:
        return self._post_cancel(account, _by_sysid(market, sysid))

    # queries -------------------------------------------------------------------------------------------------

    def query_account_status(self) -> Any:
        return _objects(xttype.XtAccountStatus, self._ask("query_account_status", None))

    def query_account_status_async(self, callback: Callable[[Any], None]) -> int:
        return self._query("query_account_status", None, xttype.XtAccountStatus, callback)

    def query_stock_asset(self, account: Any) -> Any:
        return _first(_objects(xttype.XtAsset, self._ask("query_stock_asset", account)))

    def query_stock_asset_async(self, account: Any, callback: Callable[[Any], None]) -> None:
        def one(assets: Any) -> None:
            callback(_first(assets))

        self._query("query_stock_asset", account, xttype.XtAsset, one)

    def query_stock_order(self, account: Any, order_id: int) -> Any:
        answer = self._ask("query_stock_orders", account, {"order_id": order_id})
        return _first(_objects(xttype.XtOrder, answer))

    def query_stock_orders(self, account: Any, cancelable_only: bool = False) -> Any:
        answer = self._ask("query_stock_orders", account, {"cancelable_only": cancelable_only})
        return _objects(xttype.XtOrder, answer)

    def query_stock_orders_async(
        self, account: Any, callback: Callable[[Any], None], cancelable_only: bool = False
    ) -> int:
        fields = {"cancelable_only": cancelable_only}
        return self._query("query_stock_orders", account, xttype.XtOrder, callback, fields)

    def query_stock_trades(self, account: Any) -> Any:
        return _objects(xttype.XtTrade, self._ask("query_stock_trades", account))

    def query_stock_trades_async(self, account: Any, callback: Callable[[Any], None]) -> int:
        return self._query("query_stock_trades", account, xttype.XtTrade, callback)

    def query_stock_position(self, account: Any, stock_code: str) -> Any:
        answer = self._ask("query_stock_positions", account, {"stock_code": stock_code})
        return _first(_objects(xttype.XtPosition, answer))

    def query_stock_positions(self, account: Any) -> Any:
        return _objects(xttype.XtPosition, self._ask("query_stock_positions", account))

    def query_stock_positions_async(self, account: Any, callback: Callable[[Any], None]) -> int:
        return self._query("query_stock_positions", account, xttype.XtPosition, callback)

    # inside --------------------------------------------------------------------------------------------------

    @property
    def _in_callback(self) -> bool:
        return self._callback_thread == get_ident()

    def _message(self, op: str, account: Any, fields: Message | None) -> Message:
        message = {"op": op, "seq": next(self._seqs), **(fields or {})}
        if account is not None:
            message["account_id"] = account.account_id
        return message

    def _ask(self, op: str, account: Any, fields: Message | None = None) -> Any:
        """Ask synchronously; None when not connected. Raises Deadlock inside a callback."""
        orders = op in ("order_stock", "cancel_order_stock")
        if self._in_callback and (orders or not self.relaxed_resp_order_enabled):
            self._deadlocked = True
            raise Deadlock(op)
        message = self._message(op, account, fields)
        connection = self._connection  # the reader thread of a socket may forget it at any moment
        return connection.request(message) if connection else None

    def _post(
        self,
        op: str,
        account: Any,
        on_answer: Callable[[int, Any], None],
        fields: Message | None = None,
    ) -> int:
        message = self._message(op, account, fields)
        connection = self._connection
        if connection is None:
            return -1
        seq: int = message["seq"]
        self._waiting[seq] = lambda result: on_answer(seq, result)
        return seq if connection.post(message) else -1

    def _post_cancel(self, account: Any, fields: Message) -> int:
        on_answer = self.callback.on_cancel_order_stock_async_response
        made = _with_seq(xttype.XtCancelOrderResponse, on_answer)
        return self._post("cancel_order_stock", account, made, fields)

    def _query(
        self,
        op: str,
        account: Any,
        cls: Callable[..., Any],
        callback: Callable[[Any], None],
        fields: Message | None = None,
    ) -> int:
        return self._post(
            op, account, lambda _seq, result: callback(_objects(cls, result)), fields
        )

    def _receive(self, message: Message) -> None:
        """Run one push or answer in the one queue all of them share."""
        if not self._started or self._deadlocked:
            self.lost.append(message)
            return
        self._callback_thread = get_ident()
        try:
            self._deliver(message)
        except Exception as problem:  # noqa: BLE001 - the vendor's executor drops it too
            self.swallowed.append(problem)
        finally:
            self._callback_thread = None

    def _deliver(self, message: Message) -> None:
        kind = message["push"]
        if kind == "answer":
            on_answer = self._waiting.pop(message["seq"], None)
            if on_answer is not None:
                on_answer(message["result"])
        elif kind == "disconnected":
            was_connected = self.connected
            self._connection, self.connected = None, False
            if was_connected and self.callback:
                self.callback.on_disconnected()
        elif kind in _PUSHES:
            row = dict(message["row"])
            seq = row.pop("seq", None)
            pushed = _PUSHES[kind](**row)
            if seq is not None:
                pushed.seq = seq
            getattr(self.callback, f"on_{kind}")(pushed)


_PUSHES: dict[str, Callable[..., Any]] = {
    "account_status": xttype.XtAccountStatus,
    "stock_order": xttype.XtOrder,
    "stock_trade": xttype.XtTrade,
    "order_error": xttype.XtOrderError,
    "cancel_error": xttype.XtCancelError,
}


def _order_fields(
    stock_code: str,
    order_type: int,
    order_volume: int,
    price_type: int,
    price: float,
    strategy_name: str,
    order_remark: str,
) -> Message:
    return {
        "stock_code": stock_code,
        "order_type": order_type,
        "order_volume": int(order_volume),
        "price_type": price_type,
        "price": float(price),
        "strategy_name": strategy_name,
        "order_remark": order_remark,
    }


def _by_sysid(market: int | str, sysid: str) -> Message:
    if isinstance(market, str):
        market = xtconstant.MARKET_STR_TO_ENUM_MAPPING.get(market, -1)
    return {"market": market, "order_sysid": sysid}


def _with_seq(
    cls: Callable[..., Any], callback: Callable[[Any], None]
) -> Callable[[int, Any], None]:
    return lambda seq, result: callback(cls(seq=seq, **result))


def _objects(cls: Callable[..., Any], answer: Any) -> Any:
    """Return the rows of an answer as objects, None when the query failed."""
    return None if answer is None else [cls(**row) for row in answer]


def _first(objects: Any) -> Any:
    return objects[0] if objects else None
