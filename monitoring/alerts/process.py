"""Starts the process that delivers, and does not wait for it: a worker's thread is for ticks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from django.conf import settings

_running: list[subprocess.Popen[bytes]] = []


def command() -> Sequence[str]:
    """Return what delivers what is due, and ends."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), "alerts", "deliver"]


def start_delivery() -> bool:
    """Start it unless ours still runs; a second one of another worker is harmless. Raises OSError."""
    if any(child.poll() is None for child in _running):
        return False
    _running[:] = [
        subprocess.Popen(
            command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=settings.BASE_DIR
        )
    ]
    return True
