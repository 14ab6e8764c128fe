from __future__ import annotations

import pytest

from tests.architecture.sources import forget


@pytest.fixture(scope="package", autouse=True)
def _trees_are_kept_as_long_as_they_are_looked_at():
    yield
    forget()
