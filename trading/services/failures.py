"""What failed by a mistake of ours, or with the database, told where a person looks; the log has all of it."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import DatabaseError, InterfaceError, OperationalError

from trading.domain.types import Text
from trading.models import EventLevel
from trading.services.events import journal_once

log = logging.getLogger(__name__)


def database_failed(problem: Exception) -> bool:
    """Whether the database itself failed, so that nothing can be journalled now."""
    return isinstance(problem, OperationalError | InterfaceError)


def named(problem: Exception) -> str:
    """Return what an alert may say of it: only the database's words are known to hold nobody's secrets."""
    said = str(problem).partition("\n")[0] if isinstance(problem, DatabaseError) else ""
    return ": ".join(filter(None, [type(problem).__name__, said]))


def tell_tick_failed(account_id: int, tick: str, problem: Exception, now: datetime) -> None:
    """Journal that a tick failed by a mistake of ours, twice a day; `now` is market time.

    What the database does wrong is told by the lateness of the ticks, once it can be written.
    """
    if database_failed(problem):
        return
    text = Text(
        f"The {tick} tick failed with {named(problem)} and did nothing; every next one tries again."
        f" What it looks after is not looked after meanwhile: send a bug report (manage.py doctor --bundle).",
        f"{tick} 检查出错（{named(problem)}），未执行任何操作；之后每次都会重试。"
        "在此期间其负责的内容无人看管：请提交问题报告（manage.py doctor --bundle）。",
    )
    try:
        journal_once(account_id, EventLevel.ALARM, "TICK_FAILED", text, now)
    except DatabaseError:
        log.exception("a tick that failed is not told of")
