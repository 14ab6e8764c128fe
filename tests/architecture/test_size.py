"""A file that outgrows its limit is two files; a task only calls a service."""

from __future__ import annotations

import pytest

from tests.architecture.sources import APPS, name_of, python_files

pytestmark = pytest.mark.fast

LIMIT, LIMIT_OF_TESTS, LIMIT_OF_TASKS = 400, 600, 120


def _limit(name: str) -> int:
    if name.startswith("tests/"):
        return LIMIT_OF_TESTS
    return LIMIT_OF_TASKS if name.endswith("/tasks.py") else LIMIT


def test_no_file_outgrows_its_limit():
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files("manage.py", *APPS, "tests")
    }

    assert {name: n for name, n in lengths.items() if n > _limit(name)} == {}
