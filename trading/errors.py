"""Exceptions, named by what the caller must do. A business "no" is a `Denial` value, not an exception."""

from __future__ import annotations


class MiniqmtError(Exception):
    """Root of the house's own exceptions."""


class ConfigError(MiniqmtError):
    """A setting is invalid: make no new decision except stop-losses under the last valid revision, and alert."""


class GatewayUnavailable(MiniqmtError):
    """The terminal did not answer: skip, the next tick tries again. Nothing was learned, nothing is assumed."""


class StandDown(MiniqmtError):
    """Another gateway acts for the account: end this one; whatever it has not sent is not its to send."""


class OrderRejected(MiniqmtError):
    """The terminal refused the order at once and for good: no order exists."""


class SubmitUncertain(MiniqmtError):
    """The order may or may not exist: leave it UNKNOWN and reconcile; never send it again."""


class SourceError(MiniqmtError):
    """A data file is malformed: nothing of it was imported. `str()` is one line: file, line, field, value, expected."""

    def __init__(self, file: str, line: int | None, field: str, value: str, expected: str) -> None:
        self.file, self.line, self.field, self.value, self.expected = (
            file,
            line,
            field,
            value,
            expected,
        )
        where = file if line is None else f"{file}, line {line}"
        super().__init__(f"{where}: {field} is {value!r}, expected {expected}")
