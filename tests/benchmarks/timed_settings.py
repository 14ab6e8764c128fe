"""The product's settings, on the database backend that keeps time."""

from __future__ import annotations

from miniqmt.settings import *  # noqa: F403
from miniqmt.settings import DATABASES

DATABASES["default"]["ENGINE"] = "tests.benchmarks.timed_sqlite"
