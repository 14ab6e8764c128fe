"""A gateway's cycles: one that fails is not the last, and is told of where a person looks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from django.db import DatabaseError, close_old_connections

from trading.domain.types import Text
from trading.errors import StandDown
from trading.models import EventLevel
from trading.services.events import journal
from trading.services.failures import database_failed, named

log = logging.getLogger(__name__)

#: Seconds to wait after a cycle that failed: the database may be coming back.
AFTER_TROUBLE = 1.0
#: Seconds from one event about failed cycles to the next: every cycle may fail.
TELL_EVERY = 60.0


class Cyclic(Protocol):
    """The gateway's loop, as far as its cycles are concerned."""

    def now(self) -> datetime | None: ...

    def cycle(self) -> float: ...


class Keeping(Protocol):
    """What must be kept for a cycle to be ours."""

    def keep(self) -> None: ...


class Cycles:
    """Runs one cycle at a time; `monotonic` in seconds, `real` with a time zone."""

    def __init__(
        self,
        account_id: int,
        loop: Cyclic,
        keeper: Keeping,
        real: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._account_id, self._loop, self._keeper = account_id, loop, keeper
        self._real, self._monotonic = real, monotonic
        self._failed, self._reason = 0, ""
        self._told_at = float("-inf")

    def turn(self) -> float:
        """Run one cycle; return how many seconds to wait. Raises StandDown alone: nothing else may end the gateway."""
        close_old_connections()
        try:
            self._keeper.keep()
            wait = self._loop.cycle()
        except StandDown:
            raise
        except Exception as problem:
            # Whatever it was, the account must not be left alone: the next cycle looks at everything again.
            log.exception("a cycle of the gateway failed")
            self._failed += 1
            self._reason = named(problem)
            wait = AFTER_TROUBLE
            if database_failed(problem):
                return wait  # the journal is in it
        self._tell()
        return wait

    def _tell(self) -> None:
        """Journal the cycles that failed since the last event about them."""
        at = self._monotonic()
        if not self._failed or at - self._told_at < TELL_EVERY:
            return
        text = Text(
            f"{self._failed} cycle(s) of the gateway failed, the last with: {self._reason}."
            " Every next cycle looks at the whole account again; its log has all of it.",
            f"网关有 {self._failed} 次循环失败，最近一次的原因：{self._reason}。"
            "之后的每次循环都会重新检查整个账户；详情见网关日志。",
        )
        try:
            now = self._loop.now() or self._real()
            journal(self._account_id, EventLevel.WARNING, "CYCLES_FAILED", text, now)
        except DatabaseError:
            log.exception("failed cycles are not told of yet")
            return
        self._failed, self._told_at = 0, at
