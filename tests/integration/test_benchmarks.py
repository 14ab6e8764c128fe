"""The benchmarks in tiny run, say what they found as JSON, and leave nothing behind.

No figure is judged here but counts and sizes, which no machine decides.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.__main__ import NAMES
from tests.benchmarks.measured import Case, Target, percentile, ratios
from tests.replays import MOUTAI, THIRTY

ROOT = Path(__file__).resolve().parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="processes are measured through /proc")
#: Those that start the whole stack are in tests/acceptance/test_benchmarks.py.
SMALL = ("strategy_tick", "replay_speed", "grid_tick")
LIVE = ("console_live", "api_holdings")


def measure(folder: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """Run the command; return its JSON and what it printed."""
    file = folder / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--quick", "--json", str(file), *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=480,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return figures, done.stdout


def check(benchmark: dict[str, Any], cases: int) -> None:
    assert len(benchmark["cases"]) == cases
    for case in benchmark["cases"]:
        assert case["samples"] >= 1
        assert 0 <= case["min"] <= case["p50"] <= case["p99"] <= case["max"]
        assert isinstance(case["targets"], list)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Its figures, what it printed, and the file: one command measures all, and migrates its database once."""
    folder = tmp_path_factory.mktemp("figures")
    names = (*SMALL, *LIVE) if sys.platform == "linux" else SMALL
    return *measure(folder, *names), folder / "figures.json"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["strategy_tick", "replay_speed"])
def test_a_benchmark_runs(measured, name, tmp_path):
    figures, printed, file = measured
    assert {"python", "cores", "sqlite", "load"} <= figures["machine"].keys()
    benchmark = figures["benchmarks"][name]
    assert benchmark["parameters"]
    assert name in printed
    if name == "replay_speed":
        if MOUTAI.is_file() and THIRTY.is_file():
            check(benchmark, 1)
        else:
            assert "not beside the project" in benchmark["skipped"]
        return
    check(benchmark, 2)
    for case in benchmark["cases"]:
        assert case["queries"]["reads"] <= 12

    _, printed = measure(tmp_path, name, "--against", str(file))
    assert "ratio" in printed


@pytest.mark.slow
def test_the_reads_of_a_grid_tick_do_not_grow_with_its_sessions(measured):
    benchmark = measured[0]["benchmarks"]["grid_tick"]
    check(benchmark, 2)
    few, many = (case["queries"]["reads"] for case in benchmark["cases"])
    assert few == many


@pytest.mark.slow
def test_a_short_month_leaves_no_more_in_the_database_than_it_may(tmp_path):
    figures, _ = measure(tmp_path, "month")
    benchmark = figures["benchmarks"]["month"]
    check(benchmark, 1)
    [case] = benchmark["cases"]
    assert [target["met"] for target in case["targets"]] == [True], case
    # It traded, and each kind of row that a day adds is there.
    rows = {
        name: int(told.split()[0]) for name, told in case["facts"].items() if " rows" in str(told)
    }
    for name in ("trading_order", "trading_fill", "monitoring_pricepoint", "monitoring_logline"):
        assert rows[name] > 5, rows


@LINUX
@pytest.mark.slow
def test_every_viewer_of_the_measured_console_hears_every_quote(measured):
    benchmark = measured[0]["benchmarks"]["console_live"]
    check(benchmark, 4)
    told, asked = benchmark["cases"][-2], benchmark["parameters"]
    assert told["samples"] == asked["viewers"] * asked["quotes"]


@LINUX
@pytest.mark.slow
def test_the_measured_holdings_are_answered_to_tokens_and_sessions(measured):
    check(measured[0]["benchmarks"]["api_holdings"], 3)


def test_the_list_names_every_benchmark_and_what_it_measures():
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--list"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(NAMES)
    assert all(len(line.split()) > 4 for line in lines)


def test_a_wrong_name_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "nonsense"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 2
    assert "nonsense" in done.stderr


@pytest.mark.parametrize(
    ("samples", "percent", "expected"),
    [([3], 50, 3), ([1, 2, 3, 4], 50, 2), ([1, 2, 3, 4], 99, 4), (list(range(1, 201)), 99, 198)],
)
def test_a_percentile_is_a_sample(samples, percent, expected):
    assert percentile(samples, percent) == expected
    assert math.isnan(percentile([], percent))


def test_a_missed_target_is_said_and_compared_figures_are_ratios():
    case = Case("thousand", [10.0, 30.0], targets=[Target("p50", 10.0, 9.0)]).as_json()
    assert [target["met"] for target in case["targets"]] == [False]
    before = {"one": {"cases": [{"case": "thousand", "p50": 40.0}]}}
    assert ratios({"one": {"cases": [case]}}, before) == [("one", "thousand", 40.0, 10.0, 0.25)]
