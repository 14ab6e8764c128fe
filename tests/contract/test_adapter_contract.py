"""Our adapter over the real xtquant Python layer, and what its source may and may not call."""

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

ROOT = Path(__file__).resolve().parents[2]
ADAPTER = ROOT / "trading" / "broker" / "qmt.py"
ALLOWED = {"connect", "subscribe", "start", "stop", "register_callback"}

pytestmark = [pytest.mark.orders, pytest.mark.unattended]
needs_xtquant = pytest.mark.skipif(
    importlib.util.find_spec("xtquant") is None, reason="xtquant is not installed"
)


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """Return what happened in a process of its own, so that xtquant leaves no trace in this one."""
    command = [sys.executable, "-m", "tests.contract.adapter_on_xtquant"]
    found = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "TZ": "Asia/Shanghai", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr.decode()
    answer: dict[str, Any] = json.loads(found.stdout.decode().splitlines()[-1])
    return answer


@needs_xtquant
def test_f006_f011_a_submit_passes_the_vendors_arguments(told):
    name, seq, sent = told["sent"]
    assert (name, seq) == ("orderStockWithSeq", told["seq"])
    wanted = {
        "m_strAccountID": "8800000001",
        "m_strStockCode": "600036.SH",
        "m_nOrderType": 24,
        "m_nOrderVolume": 1000,
        "m_nPriceType": 11,
        "m_dPrice": 9.2,
        "m_strStrategyName": "miniqmt",
        "m_strOrderRemark": "M123",
    }
    assert {name: sent[name] for name in wanted} == wanted
    assert type(sent["m_dPrice"]) is float


@needs_xtquant
def test_f035_a_cancel_names_the_order_by_its_number(told):
    name, _, sent = told["cancel"]
    assert (name, sent["m_nOrderID"]) == ("cancelOrderStockWithSeq", 7)


@needs_xtquant
def test_push_response_error_and_status_reach_drain_in_order_of_arrival(told):
    kinds = [kind for kind, _ in told["reports"]]
    assert kinds == [
        "BrokerOrder",
        "BrokerTrade",
        "SubmitResponse",
        "SubmitResponse",
        "SubmitError",
        "ConnectionReport",
    ]
    assert "Decimal('9.2')" in dict(told["reports"])["BrokerTrade"]
    assert told["refused_rows"] == 1


@needs_xtquant
def test_a_snapshot_is_put_together_from_five_async_queries(told):
    assert told["complete"]
    assert (
        told["queries"][-1] == "queryStockOrdersWithSeq"
    )  # the newest: fills are never behind it
    assert len(set(told["queries"])) == 5


@needs_xtquant
def test_a_failed_query_is_unknown_not_empty_and_a_status_without_a_number_is_not_in_order(told):
    assert told["failed_query"] == [False, True]


@needs_xtquant
def test_what_the_library_raises_is_an_uncertain_submit_and_a_refused_subscription_is_no_session(
    told,
):
    assert "native client is gone" in told["raised"]
    assert told["subscribe"].startswith("subscribe returned -1: ")


def _calls_of_the_trader(tree: ast.AST) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "trader"
    }


def test_f114_only_async_calls_of_the_trader_and_its_session_are_used():
    names = _calls_of_the_trader(ast.parse(ADAPTER.read_text(encoding="utf-8")))
    assert {name for name in names if not name.endswith("_async")} <= ALLOWED
    assert "order_stock_async" in names


def test_f114_no_method_of_the_callback_class_calls_anything_but_put_and_copy():
    tree = ast.parse(ADAPTER.read_text(encoding="utf-8"))
    [callback] = [
        n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == "Callback"
    ]
    called = {ast.unparse(n.func) for n in ast.walk(callback) if isinstance(n, ast.Call)}
    assert called == {"self.put", "_copy"}
