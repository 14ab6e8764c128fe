"""What the house logs as an error while a world runs: invariant I19 looks at it."""

from __future__ import annotations

import logging


class LoggedErrors(logging.Handler):
    """Everything the house logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        problem = record.exc_info[1] if record.exc_info else None
        self.records.append(f"{record.getMessage()}: {problem!r}")
