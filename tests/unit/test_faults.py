"""Crash points: every name is placed and explained, and a setting does what it says."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest

from tests.architecture.sources import ROOT, parsed, python_files
from trading import faults

pytestmark = [pytest.mark.fast, pytest.mark.unattended]


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    faults.arm(None)


def _placed() -> list[str]:
    """The names of all points in production code."""
    return [
        str(call.args[0].value)
        for path in python_files("trading", "grid", "monitoring")
        for call in ast.walk(parsed(path))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) == "crash_point"
        and isinstance(call.args[0], ast.Constant)
    ]


def test_every_point_is_placed_once_and_explained():
    placed = _placed()

    assert sorted(placed) == sorted(faults.POINTS)
    assert len(placed) >= 25


def test_a_point_that_is_not_armed_does_nothing():
    faults.crash_point("gateway.claimed")


def test_only_the_chosen_passage_of_the_chosen_point_fails():
    faults.arm(faults.parse("gateway.claimed:2:raise"))
    faults.crash_point("gateway.claimed")
    faults.crash_point("gateway.sent")

    with pytest.raises(faults.InjectedFault):
        faults.crash_point("gateway.claimed")
    faults.crash_point("gateway.claimed")


def test_a_delay_takes_its_time():
    faults.arm(faults.parse("gateway.claimed:1:delay:0.01, gateway.sent:1:raise"))

    faults.crash_point("gateway.claimed")
    with pytest.raises(faults.InjectedFault):
        faults.crash_point("gateway.sent")


@pytest.mark.parametrize(
    "text",
    ["gateway.claimd:1:kill", "gateway.claimed:0:kill", "gateway.claimed:1:explode", "a:b"],
)
def test_a_setting_that_names_no_fault_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        faults.parse(text)


def test_the_environment_arms_a_process_and_kill_ends_it_at_once():
    code = "from trading.faults import crash_point\ntry: crash_point('gateway.sent')\nfinally: print('after')"
    environment = {**os.environ, "MINIQMT_FAULTS": "gateway.sent:1:kill"}

    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True
    )

    assert (result.returncode, result.stdout) == (137, b"")
