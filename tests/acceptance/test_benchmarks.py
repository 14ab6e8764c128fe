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


#: How many cases each has.
CASES = {"order_latency": 1, "database_mix": 1, "start_stop": 2, "idle": 2}


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """One command measures them all, as a person would have it: it migrates its database once."""
    return measure(tmp_path_factory.mktemp("figures"), *CASES)[0]["benchmarks"]


@pytest.mark.parametrize("name", CASES)
def test_a_benchmark_of_the_stack_runs(figures, name):
    benchmark = figures[name]
    check(benchmark, CASES[name])
    if name == "database_mix":
        assert benchmark["cases"][0]["facts"]["locked"] == 0
