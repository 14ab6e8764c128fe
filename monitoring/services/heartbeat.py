"""The sign of life for a monitor outside: when it stops coming, somebody else notices that this machine is silent."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from monitoring.models import Heartbeat
from monitoring.services.readiness import Readiness, readiness
from trading.services import leases

LEASE, PERIOD = "heartbeat", timedelta(seconds=60)
#: Seconds: for the other side to answer, and until the asking process is ended whatever it waits for.
ANSWER_WITHIN, WITHIN = 5.0, 8.0
_ROW = 1


def beat(real: datetime, url: str) -> bool:
    """Tell the monitor at `url` how things are; False when there is none, or it was told just now.

    Whether it was reached is kept and shown; it is no alarm, for its own alarm is what it is there for.
    """
    if not url or not leases.is_due(LEASE, PERIOD, real):
        return False
    with transaction.atomic():
        if not leases.claim(LEASE, PERIOD, real):
            return False
    state = readiness(real)
    address = url if state.ready else f"{url.rstrip('/')}/fail"
    said = _ask(address, _body(state))
    reached = bool(said["ok"])
    row = {"at": real, "healthy": state.ready, "reached": reached, "answer": str(said["answer"])}
    if reached:
        row["reached_at"] = real
    Heartbeat.objects.update_or_create(pk=_ROW, defaults=row)
    return True


def _body(state: Readiness) -> str:
    """Return the codes alone: names, symbols and amounts are nobody's business outside."""
    codes = [*state.reasons, *(reason for one in state.accounts for reason in one.reasons)]
    return " ".join(sorted({one.code for one in codes})) or "ok"


def _ask(url: str, body: str) -> dict[str, Any]:
    asked = json.dumps({"url": url, "body": body, "timeout": ANSWER_WITHIN})
    command = [sys.executable, "-m", "monitoring.ping"]
    try:
        done = subprocess.run(
            command,
            input=asked.encode(),
            capture_output=True,
            timeout=WITHIN,
            cwd=settings.BASE_DIR,
        )
        said: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"ok": False, "answer": f"no answer within {WITHIN:g} s"}
    except (OSError, ValueError) as problem:
        return {"ok": False, "answer": type(problem).__name__}
    return said
