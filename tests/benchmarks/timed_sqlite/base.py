"""`DatabaseWrapper` writes one line per transaction that changed a row into `$MINIQMT_BENCHMARK_TIMES`/PID.

A line: milliseconds to get the write lock, milliseconds of the commit (with its fsync). A statement that writes
outside a transaction is one of its own: all its time counts as the commit. `locked` for each "database is locked".
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base

FOLDER = "MINIQMT_BENCHMARK_TIMES"
_lock = threading.Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django's own; `_begun` is the time the running transaction waited for its lock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._begun, self._changes = 0.0, 0
        self.execute_wrappers.append(self._watch)

    def _start_transaction_under_autocommit(self) -> None:
        began = time.perf_counter()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except OperationalError as problem:
            _note_locked(problem)
            raise
        self._begun = time.perf_counter() - began
        self._changes = self.connection.total_changes

    def _commit(self) -> None:
        began = time.perf_counter()
        super()._commit()  # type: ignore[misc]
        if self.connection.total_changes != self._changes:
            _note(f"{self._begun * 1000:.3f} {(time.perf_counter() - began) * 1000:.3f}")

    def _watch(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        alone = not self.in_atomic_block and not sql.lstrip()[:6].upper().startswith("SELECT")
        began = time.perf_counter()
        try:
            found = execute(sql, params, many, context)
        except OperationalError as problem:
            _note_locked(problem)
            raise
        if alone and sql.split(None, 1)[0].upper() in ("INSERT", "UPDATE", "DELETE"):
            _note(f"0 {(time.perf_counter() - began) * 1000:.3f}")
        return found


def _note_locked(problem: OperationalError) -> None:
    if "locked" in str(problem):
        _note("locked")


def _note(line: str) -> None:
    folder = os.environ.get(FOLDER)
    if folder:
        with _lock, (Path(folder) / str(os.getpid())).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
