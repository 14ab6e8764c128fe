"""Tells the database what runs on this machine, beside the supervisor, which must never wait for a database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, connection

from monitoring.services.machines import EVERY, report
from trading.services.database_clock import ahead_of_database

log = logging.getLogger(__name__)


class MachineReport:
    """Says every ten seconds what it was told last, and has `look` look at the database.

    One that is away is asked again at the next turn.
    """

    def __init__(
        self,
        name: str,
        real: Callable[[], datetime],
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self._name, self._real, self._look = name, real, look
        self._rows: Sequence[Mapping[str, Any]] = ()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="machine report", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def say(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Note what runs; it is told at the next turn."""
        self._rows = [dict(row) for row in rows]

    def stop(self) -> None:
        """Say once more that nothing runs here now, within some seconds."""
        self._over.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._over.wait(EVERY.total_seconds()):
            self._tell(self._rows)
        self._tell(())

    def _tell(self, rows: Sequence[Mapping[str, Any]]) -> None:
        try:
            report(self._name, rows, ahead_of_database(self._real))
            self._look()
        except (DatabaseError, InterfaceError) as problem:
            log.warning("this machine cannot speak with the database: %s", problem)
        finally:
            connection.close()
