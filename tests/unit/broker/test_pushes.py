"""Whether the terminal's pushes come, told by what only its queries show."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from trading.broker.pushes import PATIENCE, PushWatch
from trading.domain.reports import BrokerTrade, Event, Snapshot
from trading.domain.types import CHINA, Side, Symbol

pytestmark = [pytest.mark.fast, pytest.mark.orders, pytest.mark.unattended]

START = datetime(2026, 8, 10, 10, 0, tzinfo=CHINA)
BEFORE = "1"


def trade(number: str) -> BrokerTrade:
    return BrokerTrade(number, 7, Symbol("600036.SH"), Side.SELL, 100, Decimal(10), START)


def query(*numbers: str) -> Snapshot:
    return Snapshot(START, 1, True, trades=tuple(map(trade, numbers)))


@pytest.mark.parametrize(
    ("story", "dead"),
    [
        # (seconds, what came)
        pytest.param([(0, query(BEFORE)), (3, query(BEFORE)), (60, None)], False, id="no fill"),
        pytest.param(
            [(0, query(BEFORE)), (3, query(BEFORE, "2")), (13, None)], False, id="in time"
        ),
        pytest.param(
            [(0, query(BEFORE)), (3, query(BEFORE, "2")), (14, None)], True, id="not told"
        ),
        pytest.param(
            [(0, query()), (3, trade("2")), (4, query("2")), (60, None)], False, id="first"
        ),
        pytest.param(
            [(0, query()), (3, query("2")), (12, trade("2")), (60, None)], False, id="late"
        ),
        pytest.param(
            [(0, query()), (3, query("2")), (30, trade("2")), (60, None)], False, id="over"
        ),
        pytest.param(
            [(0, query()), (3, query("2")), (30, trade("2")), (40, query("2", "3")), (51, None)],
            True,
            id="dead again",
        ),
        pytest.param(
            [(0, query()), (3, query("2")), (4, "anew"), (60, query("2"))], False, id="anew"
        ),
    ],
)
def test_f119_a_fill_that_only_queries_show_for_ten_seconds_says_that_pushes_are_dead(story, dead):
    watch = PushWatch(PATIENCE)
    for seconds, what in story:
        now = START + timedelta(seconds=seconds)
        if what == "anew":
            watch.connected()
        else:
            watch.look([] if what is None else [Event(what, 1, now)], now)
    assert watch.dead is dead
