"""What a strategy inside the full client has: orders go out without an answer, lists come out of a cache, no more.

`passorder` returns nothing. `get_trade_detail_data` returns what the client last read from the counter: each list was
read at a moment of its own, 50 ms to 6 s ago, seldom 25 s. A query that fails is an empty list. A refused order may
leave nothing at all. Callbacks exist in some installations only. The names are those of the public documentation; no
installation was looked at.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from trading.domain.types import CHINA
from trading.paper import xtconstant
from trading.paper.delivery import Message
from trading.paper.transport import open_connection

#: A callback's name (`order_callback`, `deal_callback`, or `gone` when the client ends) and what it is given.
Callback = Callable[[str, Any], None]
Row = dict[str, Any]

BUY, SELL = 23, 24
ONE_ACCOUNT, FIX_PRICE, AT_ONCE = 1101, 11, 2
LOGGED_IN = "登录成功"
#: How old a list may be, and how old it is in one of `SELDOM` readings (seconds).
FRESH, STALE, SELDOM = (0.05, 6.0), (6.0, 25.0), 0.02
#: How many orders the client drops without a word, how many the counter refuses, while things go wrong.
DROPPED, REFUSED = 0.1, 0.2
#: How many of the refused ones leave no trace.
UNTOLD = 0.5

_LISTS = ("account", "position", "order", "deal")
_OFFSET = {xtconstant.STOCK_BUY: 48, xtconstant.STOCK_SELL: 49}


class FullClient:
    """The client with our strategy in it, in front of the terminal at `address`. Raises ConnectionError when it is not there.

    `trouble_until`: readings are seldom very old, and orders dropped or refused, until then (market time).
    `calls_back`: whether `callback` hears of orders and deals; of the client's end it hears in any case.
    """

    def __init__(
        self,
        address: str,
        account: str,
        session: int,
        seed: int,
        now: datetime,
        callback: Callback,
        *,
        calls_back: bool = True,
        trouble_until: datetime | None = None,
    ) -> None:
        self._account, self._callback, self._seed = account, callback, seed
        self._chance = random.Random(f"full client:{seed}:{now}")
        self._trouble_until, self._now = trouble_until or now, now
        self._requests = itertools.count(1)
        self._gone = False
        self._line = open_connection(address, self._receive)
        self._kept: dict[str, list[Any]] = {}
        self._next = dict.fromkeys(_LISTS, now)
        entered = self._ask("connect", session=session) == 0
        if not entered or (calls_back and self._ask("subscribe") != 0):
            self.close()
            raise ConnectionError("the strategy is not running")
        self.step(now)

    # what the vendor offers to a strategy

    def passorder(
        self,
        op_type: int,
        order_type: int,
        account: str,
        code: str,
        price_type: int,
        price: float,
        volume: int,
        strategy: str,
        quick_trade: int,
        user_order_id: str,
    ) -> None:
        """Send an order off; whether it arrived, and what became of it, only the lists show."""
        assert (order_type, quick_trade, account) == (ONE_ACCOUNT, AT_ONCE, self._account)
        fate = self._chance.random() if self._troubled else 1.0
        if fate < DROPPED:
            return
        if fate < DROPPED + REFUSED:
            price_type = xtconstant.LATEST_PRICE  # which the counter takes and refuses
        self._post(
            "order_stock",
            stock_code=code,
            order_type=op_type,
            order_volume=volume,
            price_type=price_type,
            price=price,
            strategy_name=strategy,
            order_remark=user_order_id,
        )

    def cancel(self, order_sysid: str, account: str, kind: str) -> bool:
        """Send a cancel off; True says only that it left."""
        rows = self._kept["order"]
        shown = next((one for one in rows if one.m_strOrderSysID == order_sysid), None)
        if shown is None:
            return False
        market = xtconstant.MARKET_STR_TO_ENUM_MAPPING[shown.m_strExchangeID]
        self._post(
            "cancel_order_stock", order_id=int(order_sysid), order_sysid=order_sysid, market=market
        )
        return True

    def get_trade_detail_data(self, account: str, kind: str, what: str) -> list[Any]:
        """Return the rows of a list (`account`, `position`, `order`, `deal`). Raises ConnectionError once it ended."""
        if self._gone:
            raise ConnectionError("the client has ended")
        return list(self._kept[what])

    # the client's own life

    def step(self, now: datetime) -> None:
        """Let it read again from the counter whatever is due."""
        self._now = now
        for what in _LISTS:
            if not self._gone and now >= self._next[what]:
                self._read(what, now)

    def close(self) -> None:
        """End the strategy; safe to call twice."""
        self._gone = True
        self._line.close()

    @property
    def _troubled(self) -> bool:
        return self._now < self._trouble_until

    def _read(self, what: str, now: datetime) -> None:
        status = self._ask("query_account_status")
        if status is None:  # a client that lives knows this at any time
            self._gone = True
            return
        seldom = self._troubled and self._chance.random() < SELDOM
        self._next[what] = now + timedelta(
            seconds=self._chance.uniform(*STALE if seldom else FRESH)
        )
        if what == "account":
            [mine] = [row["status"] for row in status if row["account_id"] == self._account]
            assets = self._ask("query_stock_asset") or []
            self._kept[what] = [_account(row, mine) for row in assets]
        elif what == "position":
            self._kept[what] = [_position(row) for row in self._ask("query_stock_positions") or []]
        elif what == "order":
            shown = self._ask("query_stock_orders") or []
            self._kept[what] = [_order(row) for row in shown if not self._untold(row)]
        else:
            self._kept[what] = [_deal(row) for row in self._ask("query_stock_trades") or []]

    def _untold(self, row: Row) -> bool:
        return row["order_status"] == xtconstant.ORDER_JUNK and untold(self._seed, row["order_id"])

    def _receive(self, message: Message) -> None:
        kind = message["push"]
        if kind == "disconnected":
            self._gone = True
            self._callback("gone", None)
        elif kind == "stock_order" and not self._untold(message["row"]):
            self._callback("order_callback", _order(message["row"]))
        elif kind == "stock_trade":
            self._callback("deal_callback", _deal(message["row"]))

    def _ask(self, op: str, **fields: Any) -> Any:
        return self._line.request({"op": op, "account_id": self._account, **fields})

    def _post(self, op: str, **fields: Any) -> None:
        """Its answer, and whether it left at all, nobody is told."""
        if not self._gone:
            seq = next(self._requests)
            self._line.post({"op": op, "seq": seq, "account_id": self._account, **fields})


def untold(seed: int, order_id: int) -> bool:
    """Whether the client never shows this order when it is refused."""
    return random.Random(f"{seed}:{order_id}").random() < UNTOLD


def _instrument(row: Row) -> Row:
    code, _, market = row["stock_code"].partition(".")
    return {
        "m_strInstrumentID": code,
        "m_strExchangeID": market,
        "m_strInstrumentName": row["instrument_name"],
    }


def _account(row: Row, status: int) -> Any:
    return SimpleNamespace(
        m_strStatus=LOGGED_IN if status == xtconstant.ACCOUNT_STATUS_OK else "登录失败",
        m_dAvailable=row["cash"],
        m_dFrozenCash=row["frozen_cash"],
        m_dInstrumentValue=row["market_value"],
        m_dBalance=row["total_asset"],
    )


def _position(row: Row) -> Any:
    return SimpleNamespace(
        **_instrument(row),
        m_nVolume=row["volume"],
        m_nCanUseVolume=row["can_use_volume"],
        m_nFrozenVolume=row["frozen_volume"],
        m_nYesterdayVolume=row["yesterday_volume"],
        m_dOpenPrice=row["open_price"],
        m_dAvgOpenPrice=row["avg_price"],
        m_dInstrumentValue=row["market_value"],
    )


def _order(row: Row) -> Any:
    date, clock = _when(row["order_time"])
    return SimpleNamespace(
        **_instrument(row),
        m_strOrderRef=str(row["order_id"]),
        m_strOrderSysID=row["order_sysid"],
        m_nOffsetFlag=_OFFSET.get(row["order_type"], 0),
        m_nVolumeTotalOriginal=row["order_volume"],
        m_nVolumeTraded=row["traded_volume"],
        m_dLimitPrice=row["price"],
        m_nOrderStatus=row["order_status"],
        m_strInsertDate=date,
        m_strInsertTime=clock,
        m_strRemark=row["order_remark"],
        m_strErrorMsg=row["status_msg"],
    )


def _deal(row: Row) -> Any:
    date, clock = _when(row["traded_time"])
    return SimpleNamespace(
        **_instrument(row),
        m_strTradeID=row["traded_id"],
        m_strOrderRef=str(row["order_id"]),
        m_strOrderSysID=row["order_sysid"],
        m_nOffsetFlag=_OFFSET.get(row["order_type"], 0),
        m_nVolume=row["traded_volume"],
        m_dPrice=row["traded_price"],
        m_strTradeDate=date,
        m_strTradeTime=clock,
        m_strRemark=row["order_remark"],
        m_dComssion=row["commission"],
    )


def _when(seconds: Any) -> tuple[str, str]:
    try:
        at = datetime.fromtimestamp(int(seconds), CHINA)
    except (TypeError, ValueError):
        return "", ""
    return f"{at:%Y%m%d}", f"{at:%H%M%S}"
