"""What the adapter uses of mootdx and tdxpy exists in the installed packages: an upgrade that changes it fails here by name."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from importlib.metadata import version
from typing import Any

import pytest

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
