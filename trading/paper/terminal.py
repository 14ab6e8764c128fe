"""The twin of the QMT client: sessions, requests and pushes around the paper exchange.

A request is a JSON-able dict with an `op`; `request` answers it at once, `post` later by a push that carries its
`seq`. Pushes and late answers leave in `step`, as the `Delivery` policy says. What a request changed is in the store
before anybody hears of it. One thread drives everything; time comes from `step` and from the quotes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from trading.domain.reference import Dividend, HistoryBar
from trading.domain.symbols import exchange_of
from trading.domain.types import CHINA, Quote, Side, Symbol
from trading.faults import crash_point
from trading.paper import reference, rows, ticks, xtconstant
from trading.paper.answers import cancel_answer, client_refusal, cut, order_answer
from trading.paper.delivery import PERFORM, Delivery, Message
from trading.paper.exchange import Exchange
from trading.paper.records import Order, OrderChanged, Traded
from trading.paper.store import Store

Sink = Callable[[Message], None]

_SIDES = {xtconstant.STOCK_BUY: Side.BUY, xtconstant.STOCK_SELL: Side.SELL}
_CANCELABLE = frozenset(
    {
        xtconstant.ORDER_WAIT_REPORTING,
        xtconstant.ORDER_REPORTED,
        xtconstant.ORDER_PART_SUCC,
    }
)
_LONG_AGO = datetime(1990, 1, 1, tzinfo=CHINA)


@dataclass(eq=False, slots=True)
class Client:
    """One connected program: its session id once it has one, the accounts it subscribed, its quote subscriptions."""

    sink: Sink
    session: int | None = None
    accounts: set[str] = field(default_factory=set)
    open: bool = True


@dataclass(eq=False, slots=True)
class Subscription:
    """Quotes a client wants. `single`: one symbol with every quote; else the newest of each symbol or market."""

    client: Client
    codes: frozenset[str]
    single: bool
    waiting: dict[str, list[Quote]] = field(default_factory=dict)

    def wants(self, symbol: Symbol) -> bool:
        return symbol in self.codes or exchange_of(symbol) in self.codes


class Terminal:
    """The client program of one broker: it holds the exchange, and the store if there is one.

    With a store that has a saved state, the state replaces the exchange's accounts of the same number.
    """

    def __init__(
        self, exchange: Exchange, store: Store | None = None, delivery: Delivery | None = None
    ) -> None:
        self.exchange = exchange
        self.delivery = delivery or Delivery()
        self.logged_in = True
        #: What its data service knows of the past: whoever runs it may fill these.
        self.bars: list[HistoryBar] = []
        self.dividends: list[Dividend] = []
        self._store = store
        self._now = _LONG_AGO
        self._clients: list[Client] = []
        self._subscriptions: dict[tuple[Client, int], Subscription] = {}
        self._statuses: dict[str, int] = {}
        self._queue: list[tuple[datetime, int, Callable[[], None]]] = []
        self._late: list[tuple[Client, Message]] = []
        self._count = 0
        if store is not None:
            store.load(exchange)

    # the market and the time ---------------------------------------------------------------------------------

    def feed(self, quotes: Iterable[Quote]) -> None:
        """Show quotes to the exchange in their order; what they bring about leaves with the next step."""
        for quote in quotes:
            self.exchange.quote(quote)
            for subscription in self._subscriptions.values():
                if subscription.wants(quote.symbol):
                    subscription.waiting.setdefault(str(quote.symbol), []).append(quote)
        self._commit()

    def step(self, now: datetime) -> None:
        """Let time pass to `now` (market time, aware) and deliver everything that is due."""
        self._now = max(self._now, now)
        self.exchange.advance(now)
        self.delivery.happens(self, self._now)
        self._commit()
        self._push_quotes()
        while self._queue and self._queue[0][0] <= self._now:
            heapq.heappop(self._queue)[2]()

    # clients and logins --------------------------------------------------------------------------------------

    def open_client(self, sink: Sink) -> Client:
        """Let a program in; `sink` receives its pushes during `step`."""
        client = Client(sink)
        self._clients.append(client)
        return client

    def close_client(self, client: Client) -> None:
        """Forget a program that stopped properly: its session id is free again."""
        client.open = False
        self._clients = [one for one in self._clients if one is not client]
        for key in [key for key in self._subscriptions if key[0] is client]:
            del self._subscriptions[key]

    def release_session(self, session: int) -> None:
        """Drop a session whose holder died without stopping, as removing its files does."""
        for client in [one for one in self._clients if one.session == session]:
            self.close_client(client)

    def close(self) -> None:
        """Close as the program's window is closed: clients hear of it now, and have to connect again."""
        for client in list(self._clients):
            client.sink({"push": "disconnected"})
            self.close_client(client)

    def set_account_status(self, account_id: str, status: int) -> None:
        """Change an account's login (`xtconstant.ACCOUNT_STATUS_*`); only with OK are orders and queries answered."""
        self._statuses[account_id] = status
        row = self._status_row(account_id)
        self.tell(account_id, {"push": "account_status", "row": row})

    def tell(self, account_id: str, message: Message) -> None:
        """Push a message to every program that subscribed this account."""
        for client in self._clients:
            if account_id in client.accounts:
                self._send(client, message)

    # requests ------------------------------------------------------------------------------------------------

    def request(self, client: Client, message: Message) -> Any:
        """Answer at once. Raises KeyError on an op nobody knows."""
        if not client.open:
            return None
        result = self._answer(client, message)
        self._commit()
        return result

    def post(self, client: Client, message: Message) -> bool:
        """Answer later: the answer is a push with the request's `op` and `seq`, ahead of what the request caused.

        False: the caller is told that the request was not sent, whatever became of it.
        """
        if not client.open:
            return True
        for due in self.delivery.arrivals(message, self._now):
            if due <= self._now:
                self._perform(client, message)
            else:
                self._later(due, partial(self._perform, client, message))
        return self.delivery.receipt(message)

    def _perform(self, client: Client, message: Message) -> None:
        result = self._answer(client, message)
        crash_point("terminal.performed")
        answer = {"push": "answer", "op": message["op"], "seq": message["seq"], "result": result}
        self._send(client, answer)
        self._commit()

    def _answer(self, client: Client, message: Message) -> Any:
        handler: Callable[[Client, Message], Any] = getattr(self, f"_op_{message['op']}", _unknown)
        result = self.delivery.instead(message, self._now)
        if result is PERFORM:
            result = handler(client, message)
        return self.delivery.answer(message, result)

    def _op_connect(self, client: Client, message: Message) -> int:
        held = any(
            one.session == message["session"] and one is not client for one in self._clients
        )
        if held or not self.logged_in:
            return -1
        client.session = message["session"]
        return 0

    def _op_subscribe(self, client: Client, message: Message) -> int:
        if message["account_id"] not in self.exchange.accounts or client.session is None:
            return -1
        client.accounts.add(message["account_id"])
        return 0

    def _op_unsubscribe(self, client: Client, message: Message) -> int:
        client.accounts.discard(message["account_id"])
        return 0

    def _op_order_stock(self, client: Client, message: Message) -> Message:
        side, problem = _SIDES.get(message["order_type"]), client_refusal(message)
        if side is None or problem:
            return order_answer(message, -1, problem or "下单失败：委托类型不合法")
        if not self._usable(message["account_id"]):
            error = {**order_answer(message, -1, "账号未登录"), "seq": message["seq"]}
            self._after_answer(client, {"push": "order_error", "row": {**error, "error_id": -1}})
            return order_answer(message, -1, "账号未登录")
        sent_as_market = message["price_type"] != xtconstant.FIX_PRICE
        order = self.exchange.submit(
            message["account_id"],
            Symbol(message["stock_code"]),
            side,
            message["order_volume"],
            Decimal(0) if sent_as_market else Decimal(str(round(message["price"], 6))),
            cut(message["order_remark"]),
            message["strategy_name"],
            self._now,
            "[COUNTER] 模拟环境不支持市价方式报单" if sent_as_market else "",
        )
        return order_answer(message, order.order_id, "")

    def _op_cancel_order_stock(self, client: Client, message: Message) -> Message:
        order = self._order_to_cancel(message)
        if order is None or not self._usable(message["account_id"]):
            return {**cancel_answer(message, order), "cancel_result": -1, "error_msg": "无此委托"}
        refused = self.exchange.cancel(order.account_id, order.order_id, self._now)
        if refused:
            row = rows.cancel_error_row(order, refused)
            self._after_answer(client, {"push": "cancel_error", "row": row})
        return cancel_answer(message, order)

    def _op_query_stock_asset(self, client: Client, message: Message) -> list[rows.Row] | None:
        if not self._usable(message["account_id"]):
            return None
        account = self.exchange.accounts[message["account_id"]]
        return [rows.asset_row(self.exchange, account)]

    def _op_query_stock_orders(self, client: Client, message: Message) -> list[rows.Row] | None:
        if not self._usable(message["account_id"]):
            return None
        orders: Iterable[Order] = self.exchange.accounts[message["account_id"]].orders.values()
        if message.get("order_id"):
            orders = [one for one in orders if one.order_id == message["order_id"]]
        if message.get("cancelable_only"):
            orders = [one for one in orders if one.status in _CANCELABLE]
        return [rows.order_row(self.exchange, one) for one in orders]

    def _op_query_stock_trades(self, client: Client, message: Message) -> list[rows.Row] | None:
        if not self._usable(message["account_id"]):
            return None
        trades = self.exchange.accounts[message["account_id"]].trades
        return [rows.trade_row(self.exchange, one) for one in trades]

    def _op_query_stock_positions(self, client: Client, message: Message) -> list[rows.Row] | None:
        if not self._usable(message["account_id"]):
            return None
        account, code = self.exchange.accounts[message["account_id"]], message.get("stock_code")
        holdings = [one for one in account.positions.values() if not code or one.symbol == code]
        return [rows.position_row(self.exchange, account, one) for one in holdings]

    def _op_query_account_status(self, client: Client, message: Message) -> list[rows.Row]:
        return [self._status_row(account_id) for account_id in self.exchange.accounts]

    def _op_get_full_tick(self, client: Client, message: Message) -> dict[str, ticks.Tick]:
        return ticks.full_ticks(self.exchange, message["codes"])

    def _op_subscribe_quotes(self, client: Client, message: Message) -> int:
        number: int = message["number"]
        codes = frozenset(message["codes"])
        self._subscriptions[client, number] = Subscription(client, codes, message["single"])
        return number

    def _op_unsubscribe_quotes(self, client: Client, message: Message) -> None:
        self._subscriptions.pop((client, message["subscription"]), None)

    def _op_instrument_detail(self, client: Client, message: Message) -> dict[str, Any] | None:
        return ticks.instrument_detail(self.exchange, message["code"])

    def _op_instrument_type(self, client: Client, message: Message) -> dict[str, bool]:
        return reference.kinds(self.exchange, message["code"])

    def _op_divid_factors(self, client: Client, message: Message) -> list[rows.Row]:
        span = message["start"], message["end"]
        return reference.dividend_rows(self.dividends, message["code"], *span)

    def _op_bars(self, client: Client, message: Message) -> list[rows.Row]:
        asked = message["code"], message["period"], message["start"], message["end"]
        return reference.bar_rows(self.exchange, self.bars, *asked)

    def _op_trading_dates(self, client: Client, message: Message) -> list[int]:
        start, end = message["start"], message["end"]
        return ticks.trading_dates(self.exchange, start, end, message["count"])

    def _op_trading_calendar(self, client: Client, message: Message) -> list[str]:
        market, start, end = message["market"], message["start"], message["end"]
        return ticks.trading_calendar(self.exchange, market, start, end)

    # inside --------------------------------------------------------------------------------------------------

    def _usable(self, account_id: str) -> bool:
        status = self._statuses.get(account_id, xtconstant.ACCOUNT_STATUS_OK)
        return account_id in self.exchange.accounts and status == xtconstant.ACCOUNT_STATUS_OK

    def _status_row(self, account_id: str) -> rows.Row:
        status = self._statuses.get(account_id, xtconstant.ACCOUNT_STATUS_OK)
        kind = xtconstant.SECURITY_ACCOUNT
        return {"account_id": account_id, "account_type": kind, "status": status}

    def _order_to_cancel(self, message: Message) -> Order | None:
        account = self.exchange.accounts.get(message["account_id"])
        if account is None:
            return None
        sysid = message.get("order_sysid")
        if not sysid:
            return account.orders.get(message["order_id"])
        for order in account.orders.values():
            market = xtconstant.MARKET_STR_TO_ENUM_MAPPING[exchange_of(order.symbol)]
            if order.sysid == sysid and market == message["market"]:
                return order
        return None

    def _commit(self) -> None:
        """Store what the last input changed, then queue its pushes."""
        events = self.exchange.drain()
        if self._store is not None and (events or self.exchange.touched):
            self._store.save(self.exchange, events)
            crash_point("terminal.stored")
        for event in events:
            if isinstance(event, OrderChanged):
                row = rows.order_row(self.exchange, event.order)
                self.tell(event.order.account_id, {"push": "stock_order", "row": row})
            elif isinstance(event, Traded):
                row = rows.trade_row(self.exchange, event.trade)
                self.tell(event.trade.account_id, {"push": "stock_trade", "row": row})
        late, self._late = self._late, []
        for client, message in late:
            self._send(client, message)

    def _after_answer(self, client: Client, message: Message) -> None:
        self._late.append((client, message))

    def _send(self, client: Client, message: Message) -> None:
        message = self.delivery.told(message, self._now)
        for due in self.delivery.times(message, self._now):
            self._later(due, partial(_hand_over, client, message))

    def _later(self, due: datetime, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (due, self._count, act))

    def _push_quotes(self) -> None:
        for (_, number), subscription in self._subscriptions.items():
            if not subscription.waiting:
                continue
            waiting, subscription.waiting = subscription.waiting, {}
            shown: dict[str, Any] = {}
            for code, quotes in waiting.items():
                every = quotes if subscription.single else quotes[-1:]
                each = [ticks.tick(self.exchange, quote) for quote in every]
                shown[code] = each if subscription.single else each[0]
            message = {"push": "quotes", "subscription": number, "ticks": shown}
            self._send(subscription.client, message)


def _hand_over(client: Client, message: Message) -> None:
    if client.open:
        client.sink(message)


def _unknown(client: Client, message: Message) -> Any:
    raise KeyError(message["op"])
