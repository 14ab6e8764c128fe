"""Drives our readers of reference data over the real Python layer of `xtquant.xtdata`; its connection is a stand-in.

Run as a program of its own (`python -m tests.contract.reference_on_xtquant`): importing xtquant leaves traces.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from typing import Any

import numpy as np

from tests.contract.xtquant_native import real_module
from trading.broker import xt_reference
from trading.domain.reference import Period, to_row
from trading.domain.types import Symbol

BANK, GONE = Symbol("600036.SH"), Symbol("600999.SH")
FRIDAY = 1786032000000  # 2026-08-07 00:00 in China
DETAIL = {
    "ExchangeID": "SH", "InstrumentID": "600036", "InstrumentName": "招商银行",
    "OpenDate": 20020409, "ExpireDate": 99999999, "TradingDay": 20260807, "PreClose": 10.0,
    "UpStopPrice": 11.0, "DownStopPrice": 9.0, "PriceTick": 0.01, "InstrumentStatus": 0,
    "IsTrading": True, "ExtendInfo": {"OptionType": -1},
}  # fmt: skip
BAR = {
    "time": np.array([FRIDAY], dtype="<i8"), "open": np.array([9.9]), "high": np.array([10.1]),
    "low": np.array([9.8]), "close": np.array([10.0]), "volume": np.array([123], dtype="<i8"),
    "amount": np.array([123000.0]), "preClose": np.array([9.85]),
    "suspendFlag": np.array([0], dtype="<i4"),
}  # fmt: skip


class Connection:
    """Answers what the native connection would, in its forms: BSON, bytes of arrays, plain lists."""

    def __init__(self, encode: Any) -> None:
        self._encode = encode
        self.asked: list[Any] = []

    def is_connected(self) -> bool:
        return True

    def get_data_dir(self) -> str:
        return "datadir"

    def get_instrument_detail(self, code: str) -> Any:
        return self._encode(DETAIL) if code == BANK else None

    def get_stock_type(self, code: str) -> dict[str, bool | None]:
        return {"stock": True, "index": None, "fund": None}

    def get_divid_factors(self, code: str, start: str, end: str) -> Any:
        numbers = [float(FRIDAY), 0.5, 0.1, 0.2, 0.0, 0.0, 0.0, 1.25]
        names = ["time", "interest", "stockBonus", "stockGift", "allotNum", "allotPrice"]
        return {"20260807": dict(zip([*names, "gugai", "dr"], numbers, strict=True))}

    def get_market_data3(
        self, fields: list[str], codes: list[str], period: str, *rest: Any
    ) -> Any:
        self.asked.append([fields, codes, period, *rest[:5]])
        columns = [(name, BAR[name].dtype.str, BAR[name].tobytes()) for name in fields]
        return [(code, ["20260807"], columns) for code in codes]

    def supply_history_data2(self, *given: Any) -> None:
        self.asked.append(given)

    def get_trading_dates_by_market(self, market: str, *span: Any) -> list[int]:
        self.asked.append([market, *span])
        return [FRIDAY]


def story() -> dict[str, Any]:
    """Read everything once; return what came of it."""
    data: Any = real_module("xtdata")
    bson = real_module("xtbson")
    connection = Connection(lambda row: bson.BSON.encode(row))
    data.get_client = lambda: connection
    on = date(2026, 8, 7)
    details = xt_reference.read_details(data, [BANK, GONE])
    told: dict[str, Any] = {
        "details": [to_row(one) for one in details.rows],
        "refused": [list(one) for one in details.refused],
        "dates": xt_reference.read_trading_dates(data, "SH", on, on).rows,
        "dividends": [
            to_row(one) for one in xt_reference.read_dividends(data, [BANK], on, on).rows
        ],
    }
    read = xt_reference.read_bars(data, [BANK], Period.DAY, on, on, download=False)
    told["bars"], told["asked"] = [to_row(one) for one in read.rows], connection.asked[-1]
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(story(), default=str))
