"""Django's SQLite, which refuses to write, or to grow, while a file says so; its own time goes wrong with the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.backends.sqlite3 import base

from tests.simulation.processes.harsh import CLOCK, FULL, READ_ONLY

_MANY_PAGES = 1_000_000


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._harm = (False, False)
        self.execute_wrappers.append(self._harmed)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        self._harm = (False, False)
        connection.create_function("STRFTIME", 2, _strftime)
        return connection

    def _harmed(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        harm = (_there(READ_ONLY), _there(FULL))
        if harm != self._harm and self.connection is not None:
            self.connection.execute(f"PRAGMA query_only = {int(harm[0])}")
            self.connection.execute(f"PRAGMA max_page_count = {1 if harm[1] else _MANY_PAGES}")
            self._harm = harm
        return execute(sql, params, many, context)


def _there(name: str) -> bool:
    return (Path(settings.HOME) / name).exists()


def _strftime(form: str, moment: str) -> str:
    """As SQLite's own for the one use Django makes of it: now, with milliseconds."""
    if moment.upper() != "NOW":
        raise ValueError(moment)
    path = Path(settings.HOME) / CLOCK
    wrong = float(path.read_text("utf-8") or 0) if path.exists() else 0.0
    now = datetime.now(UTC) + timedelta(seconds=wrong)
    return now.strftime(form.replace("%f", f"%S.{now.microsecond // 1000:03d}"))
