"""A killed `up` leaves processes: the next one ends those that hang, and never one that only has their number."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from monitoring.left_behind import born, end_left_behind

pytestmark = [pytest.mark.system, pytest.mark.unattended]


@pytest.fixture
def process():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait(10)


def row(process, **other):
    return {"name": "gateway-demo", "pid": process.pid, "born": born(process.pid)} | other


def test_f160_a_process_that_hangs_is_killed_after_its_time_and_that_is_told(process):
    told, began = [], time.monotonic()
    end_left_behind([row(process)], lambda *said: told.append(said), patience=0.2)
    assert process.wait(5) != 0
    assert time.monotonic() - began >= 0.2
    assert told == [
        ("gateway-demo", f"process {process.pid} of an `up` that is gone: killed"),
    ]


def test_one_that_ends_by_itself_is_waited_for_and_not_killed(process):
    told: list[object] = []
    threading.Timer(0.2, process.terminate).start()
    began = time.monotonic()
    end_left_behind([row(process)], lambda *said: told.append(said), patience=10)
    assert (told, time.monotonic() - began < 5) == ([], True)


@pytest.mark.parametrize(
    "other",
    [
        {"born": ""},  # nobody knows which process it was
        {"born": "another-start:1"},  # the number was given to another process
        {"born": None},
        {"pid": None},
        {"pid": str(os.getpid())},
        {"pid": 0},
        {"pid": -1},
    ],
)
def test_f160_a_process_that_only_has_the_number_is_never_touched(process, other):
    told: list[object] = []
    end_left_behind([row(process, **other), "rubbish", None], lambda *said: told.append(said))
    assert (told, process.poll()) == ([], None)


def test_a_number_with_a_moment_of_birth_is_one_process(process):
    assert born(process.pid) == born(process.pid) != ""
    assert born(process.pid) != born(os.getpid())
    process.kill()
    process.wait(10)
    assert born(process.pid) == ""


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="there are no zombies on Windows")
def test_one_that_ended_and_was_not_waited_for_does_not_live(process):
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert born(process.pid) == ""
