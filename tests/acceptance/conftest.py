"""Fixtures of the tests that start the program as a user does."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.replays import empty_database, play

__all__ = ["empty_database", "play"]


@pytest.fixture
def whole_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two whole stacks at once would measure the machine: they take turns, whichever test process they are in."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    lock = tmp_path_factory.getbasetemp().parent / "whole-machine.lock"  # of this run alone
    deadline = time.monotonic() + 300
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            assert time.monotonic() < deadline, f"{lock} was not given back"
            time.sleep(0.5)
    try:
        yield
    finally:
        lock.unlink()
