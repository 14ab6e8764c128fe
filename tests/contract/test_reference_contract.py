"""Our readers over the vendor's own parsing of what its native connection answers, in another zone than China's."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trading.domain.reference import Dividend, HistoryBar, InstrumentDetail, from_row
from trading.domain.types import CHINA

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.orders,
    pytest.mark.skipif(
        importlib.util.find_spec("xtquant") is None, reason="xtquant is not installed"
    ),
]


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    found = subprocess.run(
        [sys.executable, "-m", "tests.contract.reference_on_xtquant"],
        cwd=ROOT,
        env={**os.environ, "TZ": "UTC"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr.decode()
    answer: dict[str, Any] = json.loads(found.stdout.decode().splitlines()[-1])
    return answer


def test_details_come_through_the_vendors_decoder(told):
    [detail] = [from_row(InstrumentDetail, row) for row in told["details"]]
    assert (detail.name, detail.limit_up, detail.limit_down) == (
        "招商银行",
        Decimal(11),
        Decimal(9),
    )
    assert (detail.listed_on, detail.ends_on) == (date(2002, 4, 9), None)
    assert told["refused"] == [["600999.SH", "detail"]]


def test_f141_days_are_those_of_china_in_whatever_zone_the_machine_is(told):
    assert told["dates"] == ["2026-08-07"]
    [dividend] = [from_row(Dividend, row) for row in told["dividends"]]
    assert dividend.on == date(2026, 8, 7)


def test_f140_bars_come_through_the_vendors_arrays(told):
    [bar] = [from_row(HistoryBar, row) for row in told["bars"]]
    assert bar.at == datetime(2026, 8, 7, tzinfo=CHINA)
    assert (bar.close, bar.volume) == (Decimal(10), 12_300)
    assert told["asked"][2:] == ["1d", "20260807", "20260807", -1, "none", False]
