"""How fast a simulated market runs, and what that means for a process that lives in real time (design, Clocks).

Market time: signal age, order timeouts, phases, T+1. Real time: the periods of ticks, leases, heartbeats, and every
deadline that measures a machine and not the market.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

#: No tick is due more often than this.
SHORTEST_PERIOD = timedelta(milliseconds=500)
#: The fastest market that is worth it: at half a second, ten seconds pass between two ticks.
FASTEST = 20
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """Market seconds in a real one. A market slower than real time changes nothing: its ticks come as always."""

    speed: Decimal = Decimal(1)

    def period(self, of: timedelta) -> timedelta:
        """Return every how much real time a tick is due: the faster the market the more often, but see above."""
        if self.speed <= 1:
            return of
        shorter = timedelta(microseconds=int(of // _MICROSECOND / self.speed))
        return max(shorter, min(of, SHORTEST_PERIOD))

    def market(self, real: timedelta) -> timedelta:
        """Return the market time that passes in so much real time: what a deadline for a machine is in market time."""
        if self.speed <= 1:
            return real  # asked several times in every step of a gateway
        return timedelta(microseconds=int(real // _MICROSECOND * self.speed))
