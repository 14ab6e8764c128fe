"""A thousand seeds of the campaign, asked every invariant. Each thousand is a file of its own: two of them run at a time.

The whole of it: `python -m tests.simulation --seeds 100000 --finished FILE` (docs/reliability.md).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.simulation import campaign
from tests.simulation.database import Database
from trading.faults import POINTS

THOUSAND = 1000
#: Crash points that only an afternoon, a clock or a second process passes may be missing in so few seeds.
PASSED = 0.9


def play_a_thousand(first: int, django_db_blocker: Any) -> None:
    """Fail when a seed from `first` on breaks an invariant, or processes die at too few crash points."""
    broken: dict[str, list[str]] = {}
    crashed = Counter[str]()
    with django_db_blocker.unblock():
        database = Database()
        with database.in_use():
            for seed in range(first, first + THOUSAND):
                outcome, _ = campaign.play(seed, database)
                crashed.update(outcome.crashed)
                if outcome.broken:
                    broken[campaign.repeat(seed)] = outcome.broken
        database.close()

    assert not broken, broken
    assert len(crashed) >= PASSED * len(POINTS), sorted(POINTS - crashed.keys())
