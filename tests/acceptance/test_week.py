"""Ten minutes of the compressed week's first session: a whole `up` at twenty times the speed, a fault every ten seconds.

The whole of it: `python -m tests.week --finished FILE --home FOLDER` (docs/reliability.md).
"""

from __future__ import annotations

import os

import pytest

from tests.week.play import Plan, play

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.unattended,
    pytest.mark.usefixtures("whole_machine"),
    pytest.mark.skipif(os.name == "nt", reason="kill -9 and SIGSTOP are POSIX"),
    pytest.mark.xdist_group("real processes"),
]

FAULTS = ("kill -9 worker", "kill -9 gateway-demo", "redis emptied")


def test_after_some_minutes_of_the_week_the_books_agree_and_every_fault_stands_on_the_page(
    tmp_path,
):
    plan = Plan(tmp_path, days=1, every=10.0, seed=5, lasts=600, only=FAULTS)
    [day] = play(plan, 0, say=lambda line: None)
    assert (day.broken, day.not_shown, day.missed) == ([], [], [])
    told = [one for one in day.faults if one["fault"] != "redis emptied"]
    assert len(told) >= 1
    assert all("page_after" in one for one in day.faults)
    assert day.fills > 0
