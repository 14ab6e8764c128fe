"""Every name of the vendor's that our adapters use exists in its library and in the twin, with arguments that fit.

The names are read out of our own sources, so that nobody has to keep a list.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.sources import parsed, python_files
from tests.contract.xtquant_native import attributes, constants, methods
from trading.broker import qmt, qmt_rows, refusals
from trading.domain.reference import Period
from trading.paper import xtconstant, xtdata, xttrader, xttype

pytestmark = [
    pytest.mark.orders,
    pytest.mark.skipif(
        importlib.util.find_spec("xtquant") is None, reason="xtquant is not installed"
    ),
]

ROOT = Path(__file__).resolve().parents[2]
#: Where the vendor's modules are used, and what they are called there.
USERS = [
    *python_files("trading/broker"),
    ROOT / "trading/market_data/xtquant_feed.py",
    ROOT / "trading/management/commands/market_data.py",
    ROOT / "trading/management/commands/reference.py",
    ROOT / "trading/management/commands/qmt_probe.py",
]
#: A session of the trader; the module `xtdata`; the modules `xttrader` and `xttype`.
OWNERS = {
    "trader": {"trader", "self._trader", "self.trader", "probe.session.trader"},
    "data": {"xtdata", "self._xtdata", "self._data", "data", "probe.data"},
    "modules": {"xttrader", "self._xttrader", "xttype", "self._xttype"},
}
#: Of the connection object, and of our own look-alike's wiring; not the vendor's.
OURS = {"connect_to"}
#: Switches of the module that are set, not called.
SWITCHES = {"enable_hello"}


@pytest.fixture(scope="module")
def real() -> dict[str, Any]:
    found = subprocess.run(
        [sys.executable, "-m", "tests.contract.xtquant_native"],
        cwd=ROOT,
        env={**os.environ, "TZ": "Asia/Shanghai"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    answer: dict[str, Any] = json.loads(found.stdout.decode().splitlines()[-1])
    return answer


def used(tree: ast.AST, owners: set[str]) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in owners
    }


def all_used(kind: str) -> set[str]:
    return set().union(*(used(parsed(path), OWNERS[kind]) for path in USERS)) - OURS - SWITCHES


def lacking(names: set[str], there: Any) -> list[str]:
    return sorted(names - set(there))


def test_every_call_of_the_trader_exists_there_and_at_the_twin(real):
    names = all_used("trader")
    assert {"order_stock_async", "subscribe", "query_stock_orders_async"} <= names
    assert lacking(names, real["trader"]) == []
    assert lacking(names, methods(xttrader.XtQuantTrader)) == []


def test_every_call_of_the_data_module_exists_there_and_at_the_twin(real):
    names = all_used("data")
    assert {"get_full_tick", "get_instrument_detail", "get_market_data_ex"} <= names
    assert lacking(names, real["data"]) == []
    assert lacking(names, vars(xtdata.XtData)) == []


def test_every_class_we_take_from_the_modules_exists_there_and_at_the_twin(real):
    names = all_used("modules")
    assert {"XtQuantTrader", "XtQuantTraderCallback", "StockAccount"} <= names
    assert lacking(names - {"XtQuantTrader", "XtQuantTraderCallback"}, real["records"]) == []
    assert lacking(names, {**vars(xttrader), **vars(xttype)}) == []


@pytest.mark.parametrize(
    ("record", "names"),
    [
        ("XtOrder", (*qmt_rows.ORDER_FIELDS, *qmt.WHOSE)),
        ("XtTrade", (*qmt_rows.TRADE_FIELDS, *qmt.WHOSE)),
        ("XtPosition", qmt_rows.POSITION_FIELDS),
        ("XtAsset", qmt_rows.ASSET_FIELDS),
        ("XtAccountStatus", qmt.STATUS_FIELDS),
    ],
)
def test_every_field_we_read_is_one_of_the_records(real, record, names):
    assert lacking(set(names), real["records"][record]["attributes"]) == []
    assert lacking(set(names), attributes(vars(xttype)[record])) == []


def test_every_number_we_send_or_read_is_the_vendors(real):
    named = real["constants"]
    wanted = {
        "STOCK_BUY": qmt_rows.STOCK_BUY,
        "STOCK_SELL": qmt_rows.STOCK_SELL,
        "FIX_PRICE": qmt_rows.FIX_PRICE,
        "ACCOUNT_STATUS_OK": refusals.ACCOUNT_OK,
    }
    assert {name: named[name] for name in wanted} == {
        name: repr(value) for name, value in wanted.items()
    }
    states = {
        int(value)
        for name, value in named.items()
        if name in constants(xtconstant) and name.startswith("ORDER_")
    }
    assert states - {255} == set(qmt_rows.ORDER_STATES)
    logins = {int(value) for name, value in named.items() if name.startswith("ACCOUNT_STATUS")}
    assert logins == set(refusals.ACCOUNT_STATUSES)


def test_f136_the_vendor_knows_our_periods():
    source = Path(str(importlib.util.find_spec("xtquant").origin)).parent / "xtdata.py"  # type: ignore[union-attr]
    text = source.read_text(encoding="utf-8")
    asked = next(line for line in text.splitlines() if "if spec_period in {" in line)
    assert all(f"'{period}'" in asked for period in Period)
    assert "'day'" not in asked


@pytest.mark.parametrize(
    ("kind", "line", "name"),
    [
        ("trader", "trader.order_stock_asynch(account)", "order_stock_asynch"),
        ("data", "xtdata.get_ticks(codes)", "get_ticks"),
        ("modules", "self._xttrader.Trader()", "Trader"),
    ],
)
def test_f035_a_name_that_is_gone_is_found_and_named(real, kind, line, name):
    names = used(ast.parse(line), OWNERS[kind])
    there = real["records"] if kind == "modules" else real[kind]
    assert lacking(names, there) == [name]
