"""Fixtures for all tests."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import HealthCheck, settings

# How fast a machine is at the moment must not decide a test; speed lives in tests/benchmarks.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

pytest_plugins = ["tests.report"]


@pytest.fixture(scope="session")
def _calendar_rows():
    """The calendar's rows, computed once: exchange_calendars takes a second to import."""
    from trading.services.calendar import calendar_rows

    return calendar_rows(date(2019, 1, 1))


@pytest.fixture
def calendar(db, _calendar_rows):
    """Fill the trading days of the test database."""
    from trading.models import TradingDay

    TradingDay.objects.bulk_create(_calendar_rows, ignore_conflicts=True, batch_size=500)
