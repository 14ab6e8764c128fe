"""Crash points: named places in the code where a test can end, hang or delay the process. Disarmed, a point costs one check.

`crash_point("gateway.claimed")` does nothing unless armed: by a harness (`arm`), or for a process of its own by
`MINIQMT_FAULTS=gateway.claimed:1:kill,execution.stored:3:delay:0.5`, that is name:nth:action[:seconds], where nth
counts the passages of that point and action is raise, kill, hang or delay.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable

#: Every point, and what has been done when it is passed.
POINTS = {
    "gateway.connected": "the session is open, nothing was read yet",
    "gateway.drained": "reports were taken from the adapter, none is stored yet",
    "gateway.recorded": "reports are stored and reconciled",
    "gateway.armed": "start-up is confirmed, the status is not written yet",
    "gateway.claimed": "SUBMITTING is committed, nothing was sent",
    "gateway.checked": "market and quote allow it; the main switch is looked at next, then comes the call",
    "gateway.submitted": "the terminal was called, its seq is not stored yet",
    "gateway.sent": "the seq is stored",
    "gateway.cancel_claimed": "CANCEL_REQUESTED is committed, nothing was sent",
    "gateway.cancel_sent": "the cancel was sent",
    "gateway.asked": "a round of queries was asked for",
    "desk.taken_over": "the lease has our epoch, uncommitted",
    "desk.dropped": "an order that was not sent is EXPIRED, uncommitted",
    "desk.unknown": "an order is UNKNOWN, uncommitted",
    "desk.day_ended": "an order ended with its day, uncommitted",
    "moves.updated": "an order has its new state, its event row is not written yet",
    "execution.stored": "raw reports are written, none is reconciled yet",
    "execution.bound": "an order has its broker number, fills that waited for it are not its own yet",
    "execution.trades_booked": "the fills of a snapshot are booked, its orders are not looked at yet",
    "execution.rejected": "an order is REJECTED, its chain is not closed yet",
    "booking.position_moved": "a fill moved its position, its row is not written yet",
    "booking.fill_stored": "a fill has its row, its order does not count it yet",
    "booking.order_moved": "a fill is counted in its order, the chain is not looked at yet",
    "adoption.adopted": "a holding was adopted, uncommitted",
    "sync.snapshot_stored": "a snapshot is stored, not projected yet",
    "sync.positions_projected": "holdings show the snapshot, cash does not yet",
    "orders.approved": "an order is APPROVED, its event row is not written yet",
    "orders.cancel_wanted": "a cancel is asked for, the fresh snapshot it needs is not yet",
    "strategy.positions_saved": "the quotes are folded, nothing is decided yet",
    "strategy.decided": "signals and orders are written, uncommitted",
    "orders_tick.reordered": "a re-order is written, the order before it is not settled yet",
    "runner.claimed": "a tick has its lease, uncommitted",
    "runner.ran": "a tick has done its work, uncommitted",
    "terminal.performed": "the paper exchange has done what was asked, nothing is stored yet",
    "terminal.saving": "the paper terminal's rows are written, uncommitted",
    "terminal.stored": "the paper terminal has stored what happened, nobody was told yet",
}

Hook = Callable[[str], None]


class InjectedFault(Exception):
    """What the action `raise` raises: an error nobody expected at that point."""


_hook: Hook | None = None


def crash_point(name: str) -> None:
    """Tell the armed harness that the code has come here."""
    if _hook is not None:
        _hook(name)


def arm(hook: Hook | None) -> None:
    """Let `hook` hear of every point from now on; None disarms."""
    global _hook
    _hook = hook


def parse(text: str) -> Hook:
    """Return the hook of a setting such as `gateway.claimed:1:kill`. Raises ValueError on anything else."""
    wanted: dict[tuple[str, int], tuple[str, float]] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, nth, action, *seconds = part.split(":")
        if name not in POINTS or action not in _ACTIONS or int(nth) < 1 or len(seconds) > 1:
            raise ValueError(f"{part!r} is no fault: name:nth:raise|kill|hang|delay[:seconds]")
        wanted[name, int(nth)] = action, float(seconds[0]) if seconds else 1.0
    passed: Counter[str] = Counter()

    def hook(name: str) -> None:
        passed[name] += 1
        fault = wanted.get((name, passed[name]))
        if fault is not None:
            _ACTIONS[fault[0]](name, fault[1])

    return hook


def _raise(name: str, seconds: float) -> None:
    raise InjectedFault(name)


def _kill(name: str, seconds: float) -> None:
    os._exit(137)  # as kill -9 does: no handler runs, nothing is flushed


def _hang(name: str, seconds: float) -> None:
    threading.Event().wait()


def _delay(name: str, seconds: float) -> None:
    threading.Event().wait(seconds)


_ACTIONS = {"raise": _raise, "kill": _kill, "hang": _hang, "delay": _delay}

if os.environ.get("MINIQMT_FAULTS"):
    arm(parse(os.environ["MINIQMT_FAULTS"]))
