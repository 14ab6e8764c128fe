"""What the adapter uses of mootdx and tdxpy exists in the installed packages: an upgrade that changes it fails here by name."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import struct
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import pytest

from tests.tdx_server import Bar, Sale, TdxServer
from trading.domain.types import CHINA, Quote, Symbol
from trading.market_data import mootdx_client, mootdx_codes
from trading.market_data.sources import tdx

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mootdx") is None, reason="mootdx is not installed"
)

#: The versions the adapter was written after. Others: read the differences, then raise these.
RECORDED = {"mootdx": "0.11.7", "tdxpy": "0.2.7"}

#: What is called: dotted name → its parameters.
SIGNATURES = {
    "tdxpy.hq.TdxHq_API": ["multithread", "heartbeat", "auto_retry", "raise_exception"],
    "tdxpy.hq.TdxHq_API.connect": ["self", "ip", "port", "time_out", "bind_port", "bind_ip"],
    "tdxpy.hq.TdxHq_API.setup": ["self"],
    "tdxpy.hq.TdxHq_API.get_security_quotes": ["self", "all_stock", "code"],
    "tdxpy.hq.TdxHq_API.get_security_bars": ["self", "category", "market", "code", "start", "count"],
    "tdxpy.hq.TdxHq_API.get_index_bars": ["self", "category", "market", "code", "start", "count"],
    "tdxpy.hq.TdxHq_API.get_history_minute_time_data": ["self", "market", "code", "date"],
    "tdxpy.hq.TdxHq_API.get_history_transaction_data": [
        "self", "market", "code", "start", "count", "date",
    ],
    "tdxpy.parser.std.get_transaction_data.GetTransactionData": ["client", "lock"],
    "tdxpy.parser.std.get_transaction_data.GetTransactionData.setParams": [
        "self", "market", "code", "start", "count",
    ],
    "tdxpy.parser.std.get_transaction_data.GetTransactionData.call_api": ["self"],
    "tdxpy.helper.get_security_coefficient": ["market", "code"],
    "mootdx.contrib.compat.MooTdxDailyBarReader.parse_data_by_file": ["self", "filename"],
    "tdxpy.reader.TdxLCMinBarReader.parse_data_by_file": ["self", "filename"],
}  # fmt: skip

#: Numbers of ours that are the library's: dotted name → value.
CONSTANTS = {
    "tdxpy.constants.TDXParams.MARKET_SZ": mootdx_codes.MARKETS["SZ"],
    "tdxpy.constants.TDXParams.MARKET_SH": mootdx_codes.MARKETS["SH"],
    "tdxpy.constants.TDXParams.KLINE_TYPE_5MIN": mootdx_client.FIVE_MINUTES,
    "tdxpy.constants.TDXParams.KLINE_TYPE_1MIN": mootdx_client.MINUTE,
    "tdxpy.constants.TDXParams.KLINE_TYPE_RI_K": mootdx_client.DAY,
    "tdxpy.constants.TDXParams.MAX_KLINE_COUNT": mootdx_client.BARS_AT_ONCE,
    "tdxpy.constants.TDXParams.MAX_TRANSACTION_COUNT": mootdx_client.TRANSACTIONS_AT_ONCE,
}


_BOOK = {
    f"{side}{what}{depth}"
    for side in ("bid", "ask")
    for what in ("", "_vol")
    for depth in range(1, 6)
}
_BAR = {"open", "high", "low", "close", "vol", "amount", "year", "month", "day", "hour", "minute"}
#: The fields that are read of each answer.
FIELDS = {
    "quotes": {
        "market", "code", "price", "last_close", "open", "high", "low", "vol", "amount", "servertime", *_BOOK,
    },
    "bars": _BAR,
    "index": {"year", "month", "day"},
    "minutes": {"price", "vol"},
    "transactions": {"time", "price", "vol", "buyorsell"},
    "past transactions": {"time", "price", "vol", "buyorsell"},
}  # fmt: skip


def there(dotted: str) -> Any:
    """Return what a dotted name names, modules first."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for name in parts[end:]:
            found = getattr(found, name, None)
            assert found is not None, f"{dotted} does not exist"
        return found
    raise AssertionError(f"{dotted} does not exist")


@pytest.mark.parametrize("package", RECORDED)
def test_the_installed_version_is_the_recorded_one(package):
    assert version(package) == RECORDED[package]


@pytest.mark.parametrize("name", SIGNATURES)
def test_what_is_called_takes_what_it_is_given(name):
    assert list(inspect.signature(there(name)).parameters) == SIGNATURES[name], name


@pytest.mark.parametrize("name", CONSTANTS)
def test_numbers_are_the_librarys(name):
    assert there(name) == CONSTANTS[name], name


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """One row of each kind, as the library returns it."""
    symbol, on = Symbol("600036.SH"), date(2023, 2, 1)
    price = Decimal(10)
    with TdxServer() as server:
        server.show([Quote(symbol, datetime(2023, 2, 1, 10, tzinfo=CHINA), price, price)])
        server.bars[symbol, mootdx_client.DAY] = [Bar(on, "10", "10", "10", "10", 1000, 1e6)]
        server.minutes[symbol, on] = [("10", 1)]
        server.sales[symbol, on] = [Sale(570, "10", 1, 0)]
        host, port = server.address.split(":")
        client = mootdx_client.TdxClient(mootdx_client.Address(host, int(port)))
        index = client._api.get_index_bars(mootdx_client.DAY, *mootdx_codes.INDEX, 0, 1)
        rows = {
            "quotes": client.quotes([symbol])[0].fields,
            "bars": client.bars(symbol, mootdx_client.DAY, 0, 1)[0],
            "index": index[0],
            "minutes": client.minutes(symbol, on)[0],
            "transactions": client.transactions(symbol, None, 0, 1)[0],
            "past transactions": client.transactions(symbol, on, 0, 1)[0],
        }
        client.close()
    return rows


@pytest.mark.parametrize("answer", FIELDS)
def test_every_field_that_is_read_is_there(answers, answer):
    assert FIELDS[answer] - answers[answer].keys() == set()


def test_the_records_of_files_have_the_fields_that_are_read(tmp_path):
    file = tmp_path / "sh600000.lc1"
    file.write_bytes(struct.pack("<HHfffffII", 38 * 2048 // 2 + 201, 571, 1, 1, 1, 1, 1, 1, 0))
    [record] = there("tdxpy.reader.TdxLCMinBarReader")().parse_data_by_file(file)
    assert {"date", "open", "high", "low", "close", "volume", "amount"} - record.keys() == set()


def test_the_client_has_the_attributes_that_are_set():
    client = there("tdxpy.hq.TdxHq_API")(raise_exception=True)
    assert client.need_setup is True
    assert client.client is None


def test_the_library_lists_servers():
    hosts = there("mootdx.consts.HQ_HOSTS")
    assert len(hosts) > 10
    assert all(len(host) == 3 and isinstance(host[2], int) for host in hosts)


def test_the_files_are_records_of_the_length_that_is_checked(tmp_path):
    file = tmp_path / "sh600000.day"
    file.write_bytes(bytes(tdx.RECORD))
    assert (
        len(list(there("mootdx.contrib.compat.MooTdxDailyBarReader")().parse_data_by_file(file)))
        == 1
    )
