"""One look a second, however many people watch, and nobody waits for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from monitoring.console import shared
from monitoring.console.shared import SharedConsole
from monitoring.console.values import Console

pytestmark = [pytest.mark.fast, pytest.mark.system]

NOON = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)


class Builder:
    """Builds when it may, and counts."""

    def __init__(self) -> None:
        self.built, self.may_go_on, self.began = 0, threading.Event(), threading.Event()
        self.may_go_on.set()

    def __call__(self, real: datetime) -> Console:
        self.built += 1
        self.began.set()
        assert self.may_go_on.wait(10)
        return Console(real, (), None, False)


def test_twenty_who_ask_at_once_share_one_look():
    builder = Builder()
    console = SharedConsole(builder)
    with ThreadPoolExecutor(20) as viewers:
        seen = set(viewers.map(lambda _: id(console.at(NOON)), range(20)))
    assert (builder.built, len(seen)) == (1, 1)


def test_who_waits_too_long_gets_the_last_value_and_the_first_one_an_error(monkeypatch):
    monkeypatch.setattr(shared, "WAIT", 0.05)
    builder = Builder()
    console = SharedConsole(builder)
    for last, later in ((None, 0), (NOON, 5)):
        builder.may_go_on.clear()
        builder.began.clear()
        moment = NOON + timedelta(seconds=later)
        with ThreadPoolExecutor(1) as slow:
            building = slow.submit(console.at, moment)
            assert builder.began.wait(10)
            if last is None:
                with pytest.raises(TimeoutError):
                    console.at(moment)
            else:
                assert console.at(moment).taken_at == last
            builder.may_go_on.set()
            assert building.result(10).taken_at == moment


def test_a_look_that_failed_is_tried_again_by_the_next_one():
    answers = iter([OSError("disk"), None])

    def build(real: datetime) -> Console:
        problem = next(answers)
        if problem is not None:
            raise problem
        return Console(real, (), None, False)

    console = SharedConsole(build)
    with pytest.raises(OSError, match="disk"):
        console.at(NOON)
    assert console.at(NOON).taken_at == NOON


def test_the_name_of_the_content_stays_while_only_time_passes():
    one, later = Console(NOON, (), None, False), Console(NOON + timedelta(1), (), None, False)
    assert one.digest == later.digest
    assert one.digest != Console(NOON, (), (), False).digest
