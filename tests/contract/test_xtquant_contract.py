"""The twin has the vendor's names, signatures, fields and numbers: compared with the real library, not with a memory of it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.xtquant_native import constants, methods, records, signature
from tests.unit.paper.market_day import exchange, quote
from trading.paper import xtconstant, xtdata, xttrader, xttype
from trading.paper.ticks import tick

pytestmark = [
    pytest.mark.orders,
    pytest.mark.skipif(
        importlib.util.find_spec("xtquant") is None, reason="xtquant is not installed"
    ),
]

#: The version the twin was written after. Another one: read the differences, adapt the twin, then raise this number.
RECORDED = "250807.1.2"

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def real() -> dict[str, Any]:
    """Return what the installed library offers; a process of its own imports it, so that nothing leaks in here."""
    command = [sys.executable, "-m", "tests.contract.xtquant_native"]
    found = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "TZ": "Asia/Shanghai"},
        capture_output=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr.decode()
    answer: dict[str, Any] = json.loads(found.stdout.decode().splitlines()[-1])
    return answer


def ours() -> dict[str, Any]:
    return {
        "trader": methods(xttrader.XtQuantTrader),
        "callback": methods(xttrader.XtQuantTraderCallback),
        "records": records(xttype),
        "constants": constants(xtconstant)
        | {"ACCOUNT_TYPE_DICT": "", "MARKET_STR_TO_ENUM_MAPPING": ""},
        "data": {
            name: signature(one)
            for name, one in vars(xtdata.XtData).items()
            if callable(one) and not name.startswith("_")
        },
    }


def differences(mine: dict[str, Any], real: dict[str, Any]) -> list[str]:
    """Return every name of ours that the real library lacks or has otherwise, in words."""
    found = []
    for part, names in mine.items():
        for name, what in names.items():
            if name not in real[part]:
                found.append(f"{part}: {name} does not exist")
            elif what and real[part][name] != what:
                found.append(f"{part}: {name} is {what}, really {real[part][name]}")
    return found


def test_the_installed_version_is_the_recorded_one(real):
    changed = differences(ours(), real) or ["none in what we use"]
    assert real["version"] == RECORDED, "differences: " + "; ".join(changed)


def test_every_name_signature_field_and_number_of_ours_is_the_vendors(real):
    assert differences(ours(), real) == []


def test_the_callback_class_is_complete(real):
    assert set(methods(xttrader.XtQuantTraderCallback)) == set(real["callback"])


@pytest.mark.parametrize("name", ["ACCOUNT_TYPE_DICT", "MARKET_STR_TO_ENUM_MAPPING"])
def test_the_tables_are_part_of_the_vendors(real, name):
    # Only the kinds of account and market of this system are listed; the numbers are the vendor's.
    table = getattr(xtconstant, name)
    for key, value in table.items():
        assert f"{key!r}: {value!r}" in real["constants"][name]


def test_f035_a_name_the_library_lacks_is_found(real):
    mine = ours()
    mine["trader"]["cancel_order"] = mine["trader"]["cancel_order_stock"]
    mine["constants"]["ORDER_SUCCEEDED"] = "57"
    mine["data"]["get_full_tick"] = [["codes", "POSITIONAL_OR_KEYWORD", ""]]
    found = differences(mine, real)
    assert len(found) == 3
    assert found[0] == "trader: cancel_order does not exist"


def test_f168_comparing_leaves_no_trace_in_this_process(real):
    assert real["version"]
    assert "xtquant.xtpythonclient" not in sys.modules


def test_a_module_constant_of_ours_has_a_value():
    assert constants(xtconstant)["FIX_PRICE"] == "11"


def test_a_tick_has_every_field_of_a_recorded_push():
    samples = ROOT / ".." / "shared" / "data" / "full_tick_samples.jsonl"
    if not samples.exists():
        pytest.skip("the recorded ticks are not beside the project")
    lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    (pushed,) = [line["tick"] for line in lines if line["note"] == "subscribe_whole_quote push"]
    market = exchange()
    shown = tick(market, quote("10:00"))
    assert set(pushed) - set(shown) == set()
    for name, value in pushed.items():
        assert type(shown[name]) is type(value), name
