"""How grid plugs into trading: a tick of its own, named in `settings.MINIQMT_TICKS`."""

from __future__ import annotations

from datetime import timedelta

from grid.services.tick import grid_tick
from trading.services.runner import TickSpec, in_session

#: Every 5 s, with a lease of its own: whatever happens in it, exits go on.
GRID = TickSpec("grid", timedelta(seconds=5), grid_tick, in_session)
