"""A fast market: ticks come as much more often, and what measures a machine keeps its real seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from grid.strategy import GRID
from miniqmt.schedule import SCHEDULE, at_speed
from trading.domain.orders import expires_at_outbox
from trading.domain.pace import Pace
from trading.domain.types import SignalKind
from trading.services.plug_ins import PLUG_INS
from trading.services.runner import TICKS

pytestmark = [pytest.mark.fast, pytest.mark.unattended]


@pytest.mark.parametrize(
    ("speed", "period", "real"),
    [
        (1, 5, 5.0),
        (0.5, 5, 5.0),
        (2, 5, 2.5),
        (5, 10, 2.0),
        (5, 2, 0.5),
        (20, 10, 0.5),
        (20, 2, 0.5),
        (20, 0.2, 0.2),
    ],
)
def test_a_tick_comes_as_much_more_often_as_the_market_is_faster_down_to_half_a_second(
    speed, period, real
):
    assert Pace(Decimal(str(speed))).period(timedelta(seconds=period)) == timedelta(seconds=real)


@pytest.mark.parametrize(("speed", "market"), [(1, 8), (0.5, 8), (20, 160)])
def test_eight_real_seconds_are_more_market_time_in_a_fast_market(speed, market):
    assert Pace(Decimal(str(speed))).market(timedelta(seconds=8)) == timedelta(seconds=market)


def test_an_order_waits_as_long_in_the_outbox_of_a_fast_market():
    now = datetime(2026, 8, 10, 2, tzinfo=UTC)
    assert expires_at_outbox(SignalKind.STOP_LOSS, now, Pace(Decimal(20))) - now == timedelta(
        minutes=5
    )


@pytest.mark.parametrize("speed", [0.5, 1, 2, 5, 20])
def test_beat_and_the_leases_agree_on_every_period(speed):
    schedule = at_speed(Decimal(str(speed)))
    specs = {**TICKS, GRID.name: GRID, PLUG_INS.name: PLUG_INS}
    for name, spec in specs.items():
        assert schedule[name]["schedule"] == Pace(Decimal(str(speed))).period(spec.period)
        assert schedule[name]["options"]["expire_seconds"] >= 1
    assert schedule["curves"]["schedule"] == Pace(Decimal(str(speed))).period(timedelta(minutes=1))
    for name in SCHEDULE.keys() - specs.keys() - {"curves"}:
        assert schedule[name] == SCHEDULE[name]
