"""An adapter of our port over a strategy inside the full client. For tests: production has no such channel.

An order is sent off and never answered; its remark, in a list or a callback, is all that names it. What a list shows
may be `LAG` old, and lists are of different moments.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.full_client.client import (
    AT_ONCE,
    BUY,
    FIX_PRICE,
    FRESH,
    LOGGED_IN,
    ONE_ACCOUNT,
    SELL,
    Callback,
    FullClient,
)
from trading.broker.qmt_rows import asset_of, order_of, position_of, trade_of
from trading.domain.reports import ConnectionReport, Event, Report, Snapshot
from trading.domain.types import CHINA, Side
from trading.errors import GatewayUnavailable, SubmitUncertain
from trading.ports import Broker, Channel, OrderRequest

STRATEGY = "miniqmt"
LAG = timedelta(seconds=FRESH[1])
_SIDES = {48: BUY, 49: SELL}


class FullClientBroker(Broker):
    """One account in the full client. `open_client(callback, now)` starts the strategy; ConnectionError: it cannot be."""

    def __init__(
        self,
        open_client: Callable[[Callback, datetime], FullClient],
        account: str,
        *,
        calls_back: bool,
    ) -> None:
        self.channel = Channel(lag=LAG, pushes=calls_back)
        self._open, self._account = open_client, account
        self._client: FullClient | None = None
        self._inbox: deque[tuple[str, int, Any]] = deque(maxlen=100_000)
        self._sysids: dict[int, str] = {}
        self._epoch = 0

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def pending(self) -> bool:
        return bool(self._inbox)

    def connect(self, now: datetime) -> None:
        self.close()
        self._epoch += 1
        epoch = self._epoch
        try:
            self._client = self._open(
                lambda name, what: self._inbox.append((name, epoch, what)), now
            )
        except ConnectionError as problem:
            raise GatewayUnavailable(str(problem)) from problem

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def submit(self, request: OrderRequest) -> None:
        if self._client is None:
            raise SubmitUncertain("not connected")
        self._client.passorder(
            BUY if request.side is Side.BUY else SELL,
            ONE_ACCOUNT,
            self._account,
            request.symbol,
            FIX_PRICE,
            float(request.price),
            request.quantity,
            STRATEGY,
            AT_ONCE,
            request.client_order_id,
        )

    def cancel(self, broker_order_id: int) -> None:
        sysid = self._sysids.get(broker_order_id)
        if self._client is None or not sysid:
            raise GatewayUnavailable("not connected, or the counter has not numbered it yet")
        if not self._client.cancel(sysid, self._account, "stock"):
            raise GatewayUnavailable("the client did not send it")

    def request_snapshot(self, now: datetime) -> None:
        if self._client is None:
            raise GatewayUnavailable("not connected")
        try:
            lists = {
                what: self._client.get_trade_detail_data(self._account, "stock", what)
                for what in ("account", "position", "deal", "order")
            }
        except ConnectionError as problem:
            raise GatewayUnavailable(str(problem)) from problem
        self._inbox.append(("lists", self._epoch, (now, lists)))

    def drain(self, now: datetime) -> Sequence[Event]:
        events = []
        while self._inbox:
            name, epoch, what = self._inbox.popleft()
            report = self._report(name, epoch, what, now)
            if report is not None:
                events.append(Event(report, epoch, now))
        return events

    def _report(self, name: str, epoch: int, what: Any, now: datetime) -> Report | None:
        if name == "gone":
            self.close()
            return ConnectionReport(False, "the client has ended")
        if name == "lists":
            return self._snapshot(epoch, *what)
        make = order_of if name == "order_callback" else trade_of
        rows = _all([what], _order if name == "order_callback" else _deal, make, now)
        return rows[0] if rows else None

    def _snapshot(self, epoch: int, asked_at: datetime, lists: dict[str, list[Any]]) -> Snapshot:
        accounts = _all(lists["account"], _asset, lambda row, _: asset_of(row), asked_at) or ()
        orders = _all(lists["order"], _order, order_of, asked_at)
        for order in orders or ():
            self._sysids[order.broker_order_id] = order.sysid
        return Snapshot(
            taken_at=asked_at,
            epoch=epoch,
            account_ok=[one.m_strStatus for one in lists["account"]] == [LOGGED_IN],
            asset=accounts[0] if accounts else None,
            positions=_all(
                lists["position"], _position, lambda row, _: position_of(row), asked_at
            ),
            orders=orders,
            trades=_all(lists["deal"], _deal, trade_of, asked_at),
            lag=self.channel.lag,
        )


def _all(
    rows: Iterable[Any],
    named: Callable[[Any], dict[str, Any]],
    make: Callable[[dict[str, Any], datetime], Any],
    now: datetime,
) -> tuple[Any, ...] | None:
    """Build every row; one with rubbish in it makes the whole list unknown, never shorter."""
    try:
        return tuple(make(named(row), now) for row in rows)
    except (ValueError, TypeError, ArithmeticError):
        return None


def _asset(row: Any) -> dict[str, Any]:
    return {
        "cash": row.m_dAvailable,
        "frozen_cash": row.m_dFrozenCash,
        "market_value": row.m_dInstrumentValue,
        "total_asset": row.m_dBalance,
    }


def _position(row: Any) -> dict[str, Any]:
    return {
        "stock_code": f"{row.m_strInstrumentID}.{row.m_strExchangeID}",
        "volume": row.m_nVolume,
        "can_use_volume": row.m_nCanUseVolume,
        "open_price": row.m_dOpenPrice,
        "avg_price": row.m_dAvgOpenPrice,
        "frozen_volume": row.m_nFrozenVolume,
        "yesterday_volume": row.m_nYesterdayVolume,
        "instrument_name": row.m_strInstrumentName,
        "market_value": row.m_dInstrumentValue,
    }


def _order(row: Any) -> dict[str, Any]:
    return {
        "order_id": int(row.m_strOrderRef),
        "order_sysid": row.m_strOrderSysID,
        "stock_code": f"{row.m_strInstrumentID}.{row.m_strExchangeID}",
        "order_type": _SIDES.get(row.m_nOffsetFlag),
        "order_volume": row.m_nVolumeTotalOriginal,
        "price": row.m_dLimitPrice,
        "order_status": row.m_nOrderStatus,
        "traded_volume": row.m_nVolumeTraded,
        "order_time": _seconds(row.m_strInsertDate, row.m_strInsertTime),
        "order_remark": row.m_strRemark,
        "status_msg": row.m_strErrorMsg,
    }


def _deal(row: Any) -> dict[str, Any]:
    return {
        "traded_id": row.m_strTradeID,
        "order_id": int(row.m_strOrderRef),
        "order_sysid": row.m_strOrderSysID,
        "stock_code": f"{row.m_strInstrumentID}.{row.m_strExchangeID}",
        "order_type": _SIDES.get(row.m_nOffsetFlag),
        "traded_volume": row.m_nVolume,
        "traded_price": row.m_dPrice,
        "traded_time": _seconds(row.m_strTradeDate, row.m_strTradeTime),
        "order_remark": row.m_strRemark,
        "commission": row.m_dComssion,
    }


def _seconds(date: str, clock: str) -> float | None:
    if not date or not clock:
        return None
    return datetime.strptime(date + clock, "%Y%m%d%H%M%S").replace(tzinfo=CHINA).timestamp()
