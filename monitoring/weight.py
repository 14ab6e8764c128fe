"""Whether a process has grown too heavy, and when it may be replaced. Pure; seconds are monotonic, sizes bytes."""

from __future__ import annotations

from enum import Enum

#: Seconds between two looks, and how many in a row have to find it too heavy.
WEIGH_EVERY, LOOKS = 30.0, 3
#: Seconds between two looks once it is to be replaced, and how long a calm moment is waited for.
LOOK_FOR_CALM_EVERY, CALM_WITHIN = 2.0, 60.0
#: Seconds a process lives at the least: one that is heavy by nature is not started again all the time.
LIVES = 600.0


class Verdict(Enum):
    """What becomes of a process."""

    STAYS = "stays"
    WHEN_CALM = "when calm"  # it is replaced, as soon as nothing is under way
    NOW = "now"  # nothing calms down


class Weight:
    """What is known of one run of a process; `ceiling` 0: it may be as heavy as it likes."""

    def __init__(self, ceiling: int, started_at: float) -> None:
        self._ceiling, self._started_at = ceiling, started_at
        self._looked_at = started_at
        self._too_heavy = 0
        self._since: float | None = None  # it is to be replaced
        self.held = 0

    def is_due(self, now: float) -> bool:
        """Whether it should be weighed."""
        every = WEIGH_EVERY if self._since is None else LOOK_FOR_CALM_EVERY
        return self._ceiling > 0 and now - self._looked_at >= every

    def weigh(self, held: int | None, now: float) -> Verdict:
        """Take note of what it holds, None when nobody knows, and judge."""
        self._looked_at, self.held = now, held or 0
        self._too_heavy = self._too_heavy + 1 if self.held > self._ceiling else 0
        if self._too_heavy < LOOKS or now - self._started_at < LIVES:
            self._since = None
            return Verdict.STAYS
        if self._since is None:
            self._since = now
        return Verdict.WHEN_CALM if now - self._since < CALM_WITHIN else Verdict.NOW
