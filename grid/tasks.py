"""The grid tick as a Celery task: no arguments, no retry; the next tick is the retry (docs/adr/0002)."""

from __future__ import annotations

from celery import Task, shared_task

from grid.strategy import GRID
from trading.tasks import run_in_worker


@shared_task(name="grid.tick", base=Task, spec=GRID)
def grid() -> None:
    """Fills, quotes, lines and lots, orders of all grid sessions."""
    run_in_worker(GRID)
