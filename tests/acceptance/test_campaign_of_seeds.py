"""The first two thousand seeds of the campaign, all of them: beside the runs with real processes, which mostly wait.

The whole of it: `python -m tests.simulation --seeds 100000 --finished FILE` (docs/reliability.md).
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation import campaign
from tests.simulation.database import Database
from trading.faults import POINTS

pytestmark = [pytest.mark.orders, pytest.mark.unattended, pytest.mark.slow]

SEEDS = 2000
#: Crash points that only an afternoon, a clock or a second process passes may be missing in so few seeds.
PASSED = 0.9


def test_no_seed_breaks_an_invariant_and_processes_die_nearly_everywhere(django_db_blocker):
    broken: dict[str, list[str]] = {}
    crashed = Counter[str]()
    with django_db_blocker.unblock():
        database = Database()
        with database.in_use():
            for seed in range(SEEDS):
                outcome, _ = campaign.play(seed, database)
                crashed.update(outcome.crashed)
                if outcome.broken:
                    broken[campaign.repeat(seed)] = outcome.broken
        database.close()

    assert broken == {}
    assert len(crashed) >= PASSED * len(POINTS), sorted(POINTS - crashed.keys())
