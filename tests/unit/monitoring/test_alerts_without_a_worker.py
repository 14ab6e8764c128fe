"""While no worker finishes anything somebody else tells people: a round apart, every half minute, until it is back."""

from __future__ import annotations

import os

import pytest

from monitoring.alerts.stand_in import StandIn
from trading.management.progress import WORKER_FINISHED

pytestmark = [pytest.mark.fast, pytest.mark.unattended]


class Scene:
    """A data directory, a clock, and the seconds at which rounds were started."""

    def __init__(self, home):
        self.home, self.now, self.started = home, 0.0, []
        self.stand_in = StandIn(home, self.start, lambda: self.now)
        self.problem: OSError | None = None

    def start(self, command):
        assert command[-2:] == ["alerts", "round"]
        self.started.append(self.now)
        if self.problem is not None:
            raise self.problem

    def passes(self, seconds, *, works_every=None):
        for _ in range(seconds):
            self.now += 1
            if works_every and self.now % works_every == 0:
                (self.home / WORKER_FINISHED).touch()
                stamp = int(self.now) * 1_000_000_000
                os.utime(self.home / WORKER_FINISHED, ns=(stamp, stamp))
            self.stand_in()


def test_while_the_worker_works_nobody_stands_in(tmp_path):
    scene = Scene(tmp_path)
    scene.passes(600, works_every=10)
    assert scene.started == []


def test_after_a_minute_without_it_a_round_begins_every_half_minute_until_it_is_back(tmp_path):
    scene = Scene(tmp_path)
    scene.passes(100, works_every=10)
    scene.passes(130)
    assert scene.started == [160.0, 190.0, 220.0]
    scene.passes(300, works_every=10)
    assert scene.started == [160.0, 190.0, 220.0]


def test_a_worker_that_never_came_is_one_that_is_away(tmp_path):
    scene = Scene(tmp_path)
    scene.passes(95)
    assert scene.started == [60.0, 90.0]


def test_a_round_that_cannot_be_started_is_tried_again(tmp_path):
    scene = Scene(tmp_path)
    scene.problem = OSError("no memory")
    scene.passes(95)
    assert scene.started == [60.0, 90.0]
