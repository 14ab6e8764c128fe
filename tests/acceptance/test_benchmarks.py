"""The benchmarks that start the whole stack, in tiny: they run, and leave no process behind."""

from __future__ import annotations

import pytest

from tests.integration.test_benchmarks import LINUX, check, measure

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.usefixtures("whole_machine"),
    LINUX,
]


@pytest.mark.parametrize(
    ("name", "cases"),
    [("order_latency", 1), ("database_mix", 1), ("start_stop", 2), ("idle", 2)],
)
def test_a_benchmark_of_the_stack_runs(name, cases, tmp_path):
    figures, _ = measure(tmp_path, name)
    benchmark = figures["benchmarks"][name]
    check(benchmark, cases)
    if name == "database_mix":
        assert benchmark["cases"][0]["facts"]["locked"] == 0
