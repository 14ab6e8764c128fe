"""Starts the process that delivers, and does not wait for it: a worker's thread is for ticks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from django.conf import settings

_running: list[subprocess.Popen[bytes]] = []


def start_delivery(command: Sequence[str] = ()) -> bool:
    """Start it unless ours still runs; a second one of another worker is harmless. Raises OSError."""
    if any(child.poll() is None for child in _running):
        return False
    delivers = command or (
        *(sys.executable, str(settings.BASE_DIR / "manage.py"), "alerts", "deliver"),
    )
    child = subprocess.Popen(
        delivers, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=settings.BASE_DIR
    )
    _running[:] = [child]
    return True


def end_delivery() -> None:
    """End the one that runs, if any: its deliveries are given back after their time."""
    for child in _running:
        child.kill()
        child.wait(timeout=5)
    _running.clear()
