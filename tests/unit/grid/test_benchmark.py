"""The benchmark of `step` walks a path on which something happens."""

from __future__ import annotations

import pytest

from tests.benchmarks.grid_step import run

pytestmark = [pytest.mark.fast, pytest.mark.grid]


def test_the_benchmarks_path_trades_in_every_figure():
    found = run({"quotes": 4000, "sessions": (1, 5)})
    assert [(figure["style"], figure["sessions"]) for figure in found["figures"]] == [
        ("centred", 1),
        ("centred", 5),
        ("lot", 1),
        ("lot", 5),
    ]
    assert all(figure["orders"] > 5 for figure in found["figures"])
    assert found["slowest_quotes_per_second"] > 0
