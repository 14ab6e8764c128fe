"""`manage.py up --replay DAY --speed 20`: a fast day through the real processes ends as the replay in one process."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

import pytest

from tests.redis_servers import wait_until
from tests.replays import BANK, plain, steady
from tests.stack import Stack, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.unattended,
    pytest.mark.usefixtures("whole_machine"),
]

SPEED = 20
#: When the price has passed its peak and fallen back, in UTC as the database keeps it, and a minute and a half later.
TURNED, LATEST = time(1, 35), time(1, 36, 30)


def sold(stack: Stack) -> list[Any]:
    return stack.rows(
        "SELECT kind, filled_quantity, approved_at FROM trading_order WHERE state = 'filled'"
    )


def test_a_day_twenty_times_as_fast_sells_what_it_would_sell_slowly(tmp_path):
    day = plain(
        tmp_path,
        steady("09:30:02", "09:33:00", "10.00"),
        steady("09:33:00", "09:35:00", "10.80"),
        steady("09:35:00", "09:45:00", "10.70"),
    )
    arguments = ("--speed", str(SPEED), "--position", f"{BANK}:1000@10", "--no-web", "--no-flower")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with running(home, "--replay", str(day), *arguments) as stack:
        wait_until(stack.all_run, 40)
        wait_until(lambda: sold(stack), 30)
        [(kind, quantity, decided)] = sold(stack)
        # Armed at 10.80, sold at 10.70: more than half a percent below, 60 % of the holding.
        assert (kind, quantity) == ("first_take_profit", 600)
        assert TURNED <= datetime.fromisoformat(decided).time().replace(tzinfo=None) <= LATEST
        codes = {code for (code,) in stack.rows("SELECT code FROM trading_event")}
        assert not codes & {"ORDER_UNKNOWN", "PROTECTIVE_PASS", "ORDER_EXPIRED", "TICK_LATE"}
        states = {state for (state,) in stack.rows("SELECT new_state FROM trading_orderevent")}
        assert "unknown" not in states
        stack.process.terminate()
        assert stack.process.wait(10) == 0
