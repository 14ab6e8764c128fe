"""PostgreSQL as this program uses it: transactions take turns (base.py, docs/adr/0004), and no wait is without an end."""

from __future__ import annotations

from typing import Any

#: Seconds: to reach the server; for a lock, as long as SQLite's timeout; until a statement is given up; until a
#: process that was frozen in a transaction loses it, and with it its locks.
CONNECT, LOCK, STATEMENT, IDLE = 5, 20, 60, 10


def options(given: dict[str, Any]) -> dict[str, Any]:
    """Return what libpq is told for every connection; what the operator's DATABASE_URL says goes first."""
    ends = {
        "lock_timeout": LOCK,
        "statement_timeout": STATEMENT,
        "idle_in_transaction_session_timeout": IDLE,
    }
    network = {  # a connection that is gone is noticed in 20 s
        "connect_timeout": CONNECT,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": 20_000,  # ms; only where the system has it
    }
    server = " ".join(f"-c {name}={seconds}s" for name, seconds in ends.items())
    return {**network, "options": server, **given}
