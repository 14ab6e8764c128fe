"""What a check says: a code, how bad it is, the words and the remedy; and what a check is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from trading.domain.types import Text

#: Of the JSON; it changes only when a name in it changes its meaning or goes.
SCHEMA = 1


class Severity(StrEnum):
    """OK; WARN: works, and should be looked at; FAIL: something does not work, or is not safe; NOT_CHECKED: nobody knows."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing a check has to say. `fix`: what `--fix` may do about it, raises OSError or DatabaseError."""

    code: str
    severity: Severity
    text: Text
    remedy: Text | None = None
    fix: Callable[[], None] | None = None
    check: str = ""

    def as_row(self) -> dict[str, object]:
        """Return what JSON can carry; the names are kept (`SCHEMA`)."""
        return {
            "check": self.check,
            "code": self.code,
            "severity": self.severity.value,
            "en": self.text.en,
            "zh": self.text.zh,
            "remedy_en": None if self.remedy is None else self.remedy.en,
            "remedy_zh": None if self.remedy is None else self.remedy.zh,
            "fixable": self.fix is not None,
        }


@dataclass(frozen=True, slots=True)
class Case:
    """What is examined: data directory, project, real time; `ntp`: the time server that may be asked, empty: none."""

    home: Path
    project: Path
    now: datetime
    ntp: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One look. `deadline` in seconds; `needs_tables`: it reads rows, so there must be some."""

    name: str
    title: Text
    look: Callable[[Case], Iterable[Diagnosis]]
    deadline: float = 10.0
    needs_tables: bool = False


def ok(code: str, en: str, zh: str) -> Diagnosis:
    """Return that something is as it should be."""
    return Diagnosis(code, Severity.OK, Text(en, zh))


def not_checked(code: str, en: str, zh: str) -> Diagnosis:
    """Return that nobody looked, and why."""
    return Diagnosis(code, Severity.NOT_CHECKED, Text(en, zh))


def warn(code: str, text: Text, remedy: Text, fix: Callable[[], None] | None = None) -> Diagnosis:
    """Return that something should be looked at."""
    return Diagnosis(code, Severity.WARN, text, remedy, fix)


def fail(code: str, text: Text, remedy: Text, fix: Callable[[], None] | None = None) -> Diagnosis:
    """Return that something does not work, or is not safe."""
    return Diagnosis(code, Severity.FAIL, text, remedy, fix)


def exit_code(found: Iterable[Diagnosis]) -> int:
    """Return 2 when anything fails, 1 when anything warns, else 0."""
    severities = {one.severity for one in found}
    return 2 if Severity.FAIL in severities else int(Severity.WARN in severities)


def named(names: Sequence[str], most: int = 5) -> Text:
    """Return the first names, and how many more there are."""
    shown, more = ", ".join(names[:most]), len(names) - most
    return Text(
        shown + (f" and {more} more" if more > 0 else ""),
        shown + (f" 等 {len(names)} 个" if more > 0 else ""),
    )
