"""Whose turn a tick is, by one row and real time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from trading.services import leases

pytestmark = [pytest.mark.django_db, pytest.mark.unattended, pytest.mark.fast]

NOW = datetime(2026, 8, 10, 2, 0, tzinfo=UTC)
PERIOD = timedelta(seconds=5)


@pytest.mark.parametrize(
    ("later", "ours"),
    [
        (0.0, False),
        (2.4, False),
        (2.5, True),
        (60.0, True),
        (-3.0, False),  # clocks of two machines differ a little
        (-10.0, False),
        (-11.0, True),  # the clock was set back: nobody waits until it has caught up
        (-3600.0, True),
    ],
)
def test_a_tick_is_ours_when_half_its_period_is_over_or_the_clock_was_set_back(later, ours):
    assert leases.claim("strategy:1", PERIOD, NOW)

    then = NOW + timedelta(seconds=later)

    assert leases.is_due("strategy:1", PERIOD, then) is ours
    assert leases.claim("strategy:1", PERIOD, then) is ours
    assert not leases.claim("strategy:1", PERIOD, then)
