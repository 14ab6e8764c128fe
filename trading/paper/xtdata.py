"""A look-alike of the module `xtquant.xtdata`: an object with the calls we use, connected to one paper terminal.

The vendor's functions belong to the module and find the terminal by themselves; here `connect_to` says which one.
K-lines and ex-rights days come as pandas frames, as the vendor's do; pandas is loaded by these calls only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from trading.domain.types import CHINA
from trading.paper import transport
from trading.paper.delivery import Message


class Client:
    """The vendor's connection object, as far as anybody asks it."""

    def __init__(self, data: XtData) -> None:
        self._data = data

    def is_connected(self) -> bool:
        return self._data._connection is not None


class XtData:
    """The data service of one terminal. `swallowed`: exceptions that callbacks raised; the vendor's prints them."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.swallowed: list[Exception] = []
        self._connection: transport.Connection | None = None
        self._numbers = itertools.count(1)
        self._callbacks: dict[int, Callable[[Any], None]] = {}

    def connect(
        self, ip: str = "", port: int | None = None, remember_if_success: bool = True
    ) -> Client:
        """Connect when not connected. Raises Exception when no terminal is there."""
        if self._connection is None:
            try:
                self._connection = transport.open_connection(self.address, self._receive)
            except ConnectionError as problem:
                raise Exception(
                    "无法连接xtquant服务，请检查QMT-投研版或QMT-极简版是否开启"
                ) from problem
        return Client(self)

    def reconnect(
        self, ip: str = "", port: int | None = None, remember_if_success: bool = True
    ) -> Client:
        self.disconnect()
        return self.connect(ip, port, remember_if_success)

    def disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def get_client(self) -> Client:
        """Return the connection, opened again when it was lost; subscriptions are not restored."""
        return self.connect()

    def get_full_tick(self, code_list: Sequence[str]) -> dict[str, Any]:
        return self._ask({"op": "get_full_tick", "codes": list(code_list)}) or {}

    def subscribe_whole_quote(
        self, code_list: Sequence[str], callback: Callable[[Any], None] | None = None
    ) -> int:
        return self._subscribe(list(code_list), callback, single=False)

    def subscribe_quote(
        self,
        stock_code: str,
        period: str = "1d",
        start_time: str = "",
        end_time: str = "",
        count: int = 0,
        callback: Callable[[Any], None] | None = None,
    ) -> int:
        """Subscribe ticks of one symbol. Raises Exception for any other period: the twin has no K-lines."""
        if period != "tick":
            raise Exception(f"模拟终端不支持周期 {period}")
        return self._subscribe([stock_code], callback, single=True)

    def unsubscribe_quote(self, seq: int) -> None:
        self._callbacks.pop(seq, None)
        self._ask({"op": "unsubscribe_quotes", "subscription": seq})

    def get_instrument_detail(
        self, stock_code: str, iscomplete: bool = False
    ) -> dict[str, Any] | None:
        detail: dict[str, Any] | None = self._ask({"op": "instrument_detail", "code": stock_code})
        return detail

    def get_instrument_type(
        self, stock_code: str, variety_list: Sequence[str] | None = None
    ) -> dict[str, bool]:
        kinds: dict[str, bool] = self._ask({"op": "instrument_type", "code": stock_code}) or {}
        return {name: kinds[name] for name in variety_list or kinds if name in kinds}

    def get_divid_factors(self, stock_code: str, start_time: str = "", end_time: str = "") -> Any:
        """Return a frame with a row per ex-rights day, indexed by `YYYYMMDD`."""
        import pandas as pd

        request = {"op": "divid_factors", "code": stock_code, "start": start_time, "end": end_time}
        rows = self._ask(request) or []
        index = [_day_of(row["time"]) for row in rows]
        return pd.DataFrame(rows, index=index)

    def download_history_data(
        self,
        stock_code: str,
        period: str,
        start_time: str = "",
        end_time: str = "",
        incrementally: bool | None = None,
    ) -> None:
        """Do nothing but ask whether the terminal is there: it has what it has."""
        self.connect()

    def get_market_data_ex(
        self,
        field_list: Sequence[str] = [],
        stock_list: Sequence[str] = [],
        period: str = "1d",
        start_time: str = "",
        end_time: str = "",
        count: int = -1,
        dividend_type: str = "none",
        fill_data: bool = True,
    ) -> dict[str, Any]:
        """Return {symbol: frame of K-lines}; an empty frame for an unknown symbol, and for an unknown period."""
        import pandas as pd

        frames = {}
        for code in stock_list:
            span = {"start": start_time, "end": end_time}
            rows = self._ask({"op": "bars", "code": code, "period": period, **span}) or []
            chosen = rows[len(rows) - min(count, len(rows)) :] if count >= 0 else rows
            frame = pd.DataFrame(chosen, index=[_day_of(row["time"]) for row in chosen])
            frames[code] = frame[list(field_list)] if field_list and chosen else frame
        return frames

    def get_trading_dates(
        self, market: str, start_time: str = "", end_time: str = "", count: int = -1
    ) -> list[int]:
        request = {"op": "trading_dates", "start": start_time, "end": end_time, "count": count}
        return self._ask(request) or []

    def get_trading_calendar(
        self, market: str, start_time: str = "", end_time: str = ""
    ) -> list[str]:
        request = {
            "op": "trading_calendar",
            "market": market,
            "start": start_time,
            "end": end_time,
        }
        return self._ask(request) or []

    def _ask(self, message: Message) -> Any:
        self.connect()
        connection = self._connection  # the reader thread of a socket may forget it at any moment
        return connection.request(message) if connection else None

    def _subscribe(
        self, codes: list[str], callback: Callable[[Any], None] | None, *, single: bool
    ) -> int:
        # Numbered here and known before it is asked for: the first push may come before the answer is read.
        number = next(self._numbers)
        if callback is not None:
            self._callbacks[number] = callback
        request = {"op": "subscribe_quotes", "number": number, "codes": codes, "single": single}
        if self._ask(request) is None:
            self._callbacks.pop(number, None)
            return -1
        return number

    def _receive(self, message: Message) -> None:
        if message["push"] == "disconnected":
            self._connection = None
            return
        callback = self._callbacks.get(message.get("subscription", 0))
        if callback is None:
            return
        try:
            callback(message["ticks"])
        except Exception as problem:  # noqa: BLE001 - the vendor's wrapper prints it and goes on
            self.swallowed.append(problem)


def _day_of(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, CHINA):%Y%m%d}"


def connect_to(address: str) -> XtData:
    """Return the data service of the terminal at `memory://NAME` or `tcp://127.0.0.1:PORT`. Raises Exception without one."""
    data = XtData(address)
    data.connect()
    return data
