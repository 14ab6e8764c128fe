"""Every periodic task: how often, in which queue, and how long a message of it is any use.

Periods belong to the code; an operator may pause a task in the admin. `expire_seconds`, never `expires`: the
DatabaseScheduler drops the latter silently. It lies below the period, so that a worker which was away runs each task
once and not as often as it was asked for.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from trading.domain.pace import Pace

#: Tasks that lead to orders; and those that only read and write outside, for which late is better than never.
TICKS, SLOW = "ticks", "slow"


def _every(seconds: float, task: str, expire_seconds: int, queue: str = TICKS) -> dict[str, Any]:
    return {
        "task": task,
        "schedule": timedelta(seconds=seconds),
        "options": {"queue": queue, "expire_seconds": expire_seconds},
    }


#: Slow tasks that follow the market all the same: a point a minute is one of market time.
_OF_THE_MARKET = {"monitoring.curves"}

SCHEDULE: dict[str, dict[str, Any]] = {
    # Broker snapshot → accounts and positions.
    "sync": _every(10, "trading.sync", 8),
    # Quotes → signals → risk → orders.
    "strategy": _every(5, "trading.strategy", 4),
    # Grid sessions: quotes → lines and lots → orders; their fills, their ends.
    "grid": _every(5, "grid.tick", 4),
    # Strategy plug-ins, where there are any: advice → risk → orders.
    "plug_ins": _every(5, "trading.plug_ins", 4),
    # Timeouts, cancels, re-orders, the end of old signals.
    "orders": _every(2, "trading.orders", 1),
    # Late ticks, silent gateway or feed, stuck orders, settings, calendar, disk.
    "health": _every(30, "monitoring.health", 25),
    # From 09:00 to 09:30 of a session: is everything ready?
    "premarket": _every(60, "monitoring.premarket", 50, SLOW),
    # From 09:01 to 09:30, for live accounts: instruments, limits, days and ex-rights as the terminal states them.
    "reference": _every(60, "trading.reference", 50, SLOW),
    # Once a session's books are closed: its daily bars, and a child that counts the indicators.
    "indicators": _every(60, "trading.indicators", 50, SLOW),
    # What accounts are worth and symbols cost, a point a minute of the market: for people to look at.
    "curves": _every(60, "monitoring.curves", 50, SLOW),
    # One report per account and session, once its books are closed.
    "day_report": _every(60, "monitoring.day_report", 50, SLOW),
    # Audit rows get their links in the chain; once a day its end is written down.
    "audit": _every(60, "monitoring.audit", 50, SLOW),
    # From 08:30 to 09:10 of a session and from 15:45 on: a backup, proven; then what may be forgotten, and the file.
    "backup": _every(60, "monitoring.backup", 50, SLOW),
    # What happened → alerts; a child sends those that are due.
    "alerts": _every(10, "monitoring.alerts", 8, SLOW),
    # Where a monitor outside is named: tells it that everything works, or what does not.
    "heartbeat": _every(60, "monitoring.heartbeat", 50, SLOW),
    # What the processes warned of, from their files, as rows.
    "log_lines": _every(60, "monitoring.log_lines", 50, SLOW),
}


def at_speed(speed: Decimal) -> dict[str, dict[str, Any]]:
    """Return the schedule for a simulated market that runs this fast: the ticks come as much more often."""
    pace = Pace(speed)
    return {name: _faster(entry, pace) for name, entry in SCHEDULE.items()}


def _faster(entry: dict[str, Any], pace: Pace) -> dict[str, Any]:
    if entry["task"] not in _OF_THE_MARKET and (
        entry["options"]["queue"] == SLOW or entry["task"].startswith("monitoring.")
    ):
        return entry  # these look after machines, or come once a session
    period = pace.period(entry["schedule"])
    # Whole seconds, and 0 would mean for ever.
    expiry = min(entry["options"]["expire_seconds"], max(1, int(period.total_seconds())))
    options = {**entry["options"], "expire_seconds": expiry}
    return {**entry, "schedule": period, "options": options}
