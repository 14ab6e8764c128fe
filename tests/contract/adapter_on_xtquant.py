"""Drives our QmtBroker over the real Python layer of xtquant, whose native half is a stand-in; prints what came of it.

Run as a program of its own (`python -m tests.contract.adapter_on_xtquant`): importing xtquant leaves traces.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.contract.xtquant_native import Bag, NativeClient, real_module
from trading.broker.qmt import QmtBroker
from trading.domain.reports import Snapshot
from trading.domain.types import CHINA, Side, Symbol
from trading.errors import GatewayUnavailable, SubmitUncertain
from trading.ports import OrderRequest

NOW = datetime(2023, 2, 1, 10, 0, tzinfo=CHINA)
ACCOUNT = "8800000001"
ORDER = {
    "account_id": ACCOUNT,
    "stock_code": "600036.SH",
    "order_id": 7,
    "order_sysid": "A7",
    "order_time": int(NOW.timestamp()),
    "order_type": 24,
    "order_volume": 1000,
    "price_type": 50,
    "price": 9.2,
    "traded_volume": 1000,
    "traded_price": 9.2,
    "order_status": 56,
    "status_msg": "",
    "order_remark": "M123",
}
TRADE = {
    "account_id": ACCOUNT,
    "stock_code": "600036.SH",
    "order_id": 7,
    "order_sysid": "A7",
    "order_type": 24,
    "traded_id": "T1",
    "traded_time": int(NOW.timestamp()),
    "traded_price": 9.199999999999999,
    "traded_volume": 1000,
    "order_remark": "M123",
    "commission": 5.0,
}
POSITION = {
    "account_id": ACCOUNT,
    "stock_code": "600036.SH",
    "volume": 0,
    "can_use_volume": 0,
    "open_price": 10.0,
    "avg_price": 10.0,
    "frozen_volume": 0,
    "yesterday_volume": 1000,
    "instrument_name": "招商银行",
}
ASSET = {"cash": 1009190.8, "frozen_cash": 0.0, "market_value": 0.0, "total_asset": 1009190.8}
#: What the terminal answers to each query; `subscribe` is answered with its code.
ANSWERS: dict[str, Any] = {
    "subscribeWithSeq": 0,
    "queryAccountStatusWithSeq": [Bag(account_id=ACCOUNT, account_type=2, status=0)],
    "queryStockAssetWithSeq": [Bag(**ASSET)],
    "queryStockPositionsWithSeq": [Bag(**POSITION)],
    "queryStockTradesWithSeq": [Bag(**TRADE)],
    "queryStockOrdersWithSeq": [Bag(**ORDER)],
}
_BOUND = {
    "subscribeWithSeq": "bindOnSubscribeRespCallback",
    "queryAccountStatusWithSeq": "bindOnQueryAccountStatusCallback",
    "queryStockAssetWithSeq": "bindOnQueryStockAssetCallback",
    "queryStockPositionsWithSeq": "bindOnQueryStockPositionsCallback",
    "queryStockTradesWithSeq": "bindOnQueryStockTradesCallback",
    "queryStockOrdersWithSeq": "bindOnQueryStockOrdersCallback",
}


class AnsweringClient(NativeClient):
    """Answers every query at once, as `ANSWERS` says; sends orders nowhere."""

    newest: AnsweringClient

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        AnsweringClient.newest = self

    def __getattr__(self, name: str) -> Any:
        really = super().__getattr__(name)
        if name == "orderStockWithSeq" and ANSWERS.get("fails"):
            raise RuntimeError("the native client is gone")
        if name not in _BOUND:
            return really

        def ask(seq: int, request: Any) -> None:
            really(seq, request)
            self.bound[_BOUND[name]](seq, ANSWERS[name])

        return ask


def drained(broker: QmtBroker) -> list[Any]:
    """Return the reports once the library's own thread has delivered everything."""
    broker._trader.executor.submit(lambda: None).result()
    return [event.report for event in broker.drain(NOW)]


def story() -> dict[str, Any]:
    """Connect, submit, hear of it in every way, take a snapshot, meet failures; return what was seen."""
    trader_module, types = real_module("xttrader"), real_module("xttype")
    trader_module._XTQC_.XtQuantAsyncClient = AnsweringClient
    broker = QmtBroker(trader_module, types, "userdata_mini", 100, ACCOUNT)
    broker.connect(NOW)
    native = AnsweringClient.newest
    request = OrderRequest("M123", Symbol("600036.SH"), Side.SELL, 1000, Decimal("9.20"))
    seq = broker.submit(request)
    told: dict[str, Any] = {"seq": seq, "sent": native.sent[-1]}
    answer = {"m_strAccountID": ACCOUNT, "m_nOrderID": 7, "m_strStrategyName": "miniqmt"}
    native.bound["bindOnStockOrderCallback"](Bag(**ORDER))
    native.bound["bindOnStockTradeCallback"](Bag(**TRADE))
    native.bound["bindOnOrderStockRespCallback"](
        seq, Bag(**answer, m_strOrderRemark="M123", m_strErrorMsg="")
    )
    failed = broker.submit(request)
    error = {"order_id": -1, "error_id": -61, "error_msg": "no", "order_remark": "M123"}
    native.bound["bindOnOrderErrorCallback"](Bag(**error, strategy_name="miniqmt", seq=failed))
    refused = {**answer, "m_nOrderID": -1}
    native.bound["bindOnOrderStockRespCallback"](
        failed, Bag(**refused, m_strOrderRemark="M123", m_strErrorMsg="no")
    )
    broker.cancel(7)
    told["cancel"] = native.sent[-1]
    native.bound["bindOnUpdateAccountStatusCallback"](
        Bag(m_strAccountID=ACCOUNT, m_nAccountType=2, m_nStatus=5)
    )
    native.bound["bindOnStockOrderCallback"](object())  # rubbish: nothing of it has a name
    told["reports"] = [[type(one).__name__, str(one)] for one in drained(broker)]
    told["refused_rows"] = broker.refused_rows
    broker.request_snapshot(NOW + timedelta(seconds=1))
    told["queries"] = [name for name, _, _ in native.sent[-5:]]
    [snapshot] = drained(broker)
    assert isinstance(snapshot, Snapshot)
    told["complete"] = snapshot.complete
    told["snapshot"] = str(snapshot)
    ANSWERS["queryStockOrdersWithSeq"] = None
    ANSWERS["queryAccountStatusWithSeq"] = [Bag(account_id=ACCOUNT, status=None)]
    broker.request_snapshot(NOW + timedelta(seconds=2))
    [snapshot] = drained(broker)
    told["failed_query"] = [snapshot.account_ok, snapshot.orders is None]
    ANSWERS["fails"] = True
    try:
        broker.submit(request)
    except SubmitUncertain as problem:
        told["raised"] = str(problem)
    broker.close()
    ANSWERS["subscribeWithSeq"] = -1
    try:
        broker.connect(NOW)
    except GatewayUnavailable as problem:
        told["subscribe"] = str(problem)
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(story(), default=str))
