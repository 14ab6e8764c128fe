"""A short slice of the campaign of faults, `python -m tests.faults`, with limits for a machine shared with other tests."""

from __future__ import annotations

import os

import pytest

from tests.faults.campaign import Campaign
from tests.faults.limits import SHARED_MACHINE
from tests.stack import CHILDREN

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.unattended,
    pytest.mark.usefixtures("whole_machine"),
    pytest.mark.skipif(os.name == "nt", reason="kill -9 is POSIX"),
]


def test_each_process_killed_amid_fills_comes_back_and_a_stop_loss_needs_no_worker(tmp_path):
    # The campaign kills each five times, and promises 10 s to be back, 20 s to be armed, 15 s from fall to sale.
    rows = Campaign(tmp_path, SHARED_MACHINE, print).short()
    assert [row for row in rows if row["missed"]] == []
    assert len(rows) == len(CHILDREN) + 1
