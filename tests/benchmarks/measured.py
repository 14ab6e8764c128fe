"""What a benchmark finds: cases with their samples, facts and targets; as JSON, and beside an earlier run."""

from __future__ import annotations

import math
import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class Skipped(Exception):
    """The benchmark cannot be run here; the message says why."""


@dataclass(frozen=True)
class Target:
    """What the project asks for: `value` at most `limit`."""

    what: str
    value: float
    limit: float

    @property
    def is_met(self) -> bool:
        return self.value <= self.limit


@dataclass(frozen=True)
class Case:
    """One measured thing. `samples` are in `unit`; `queries` per tick; `facts` whatever else is worth a line."""

    name: str
    samples: Sequence[float]
    unit: str = "ms"
    queries: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    targets: Sequence[Target] = ()

    @property
    def p50(self) -> float:
        return percentile(self.samples, 50)

    @property
    def p99(self) -> float:
        return percentile(self.samples, 99)

    def as_json(self) -> dict[str, Any]:
        return {
            "case": self.name,
            "unit": self.unit,
            "samples": len(self.samples),
            "min": _round(min(self.samples, default=math.nan)),
            "p50": _round(self.p50),
            "p99": _round(self.p99),
            "max": _round(max(self.samples, default=math.nan)),
            "queries": dict(self.queries),
            "facts": dict(self.facts),
            "targets": [
                {
                    "what": one.what,
                    "value": _round(one.value),
                    "limit": one.limit,
                    "met": one.is_met,
                }
                for one in self.targets
            ],
        }


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that so many percent of all are not above; NaN without samples."""
    if not samples:
        return math.nan
    return sorted(samples)[max(0, math.ceil(len(samples) * percent / 100) - 1)]


def _round(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None


def machine() -> dict[str, Any]:
    """Return what the figures depend on, and how busy the machine is: nothing that names it."""
    load = os.getloadavg() if hasattr(os, "getloadavg") else ()
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "sqlite": sqlite3.sqlite_version,
        "load": [round(value, 2) for value in load],
    }


def lines_of(name: str, cases: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return the rows of the printed table of one benchmark."""
    rows = []
    for case in cases:
        more = {**case["queries"], **case["facts"]}
        figures = [_shown(case[key]) for key in ("p50", "p99", "max")]
        told = ", ".join(f"{key} {_shown(value)}" for key, value in more.items())
        verdicts = "; ".join(
            f"{target['what']} {_shown(target['value'])} ≤ {_shown(target['limit'])}"
            + ("" if target["met"] else " MISSED")
            for target in case["targets"]
        )
        rows.append(
            (name, case["case"], case["unit"], str(case["samples"]), *figures, told, verdicts)
        )
    return rows


def ratios(
    now: Mapping[str, Any], before: Mapping[str, Any]
) -> list[tuple[str, str, float, float, float]]:
    """Return (benchmark, case, p50 before, p50 now, now / before) of what both runs measured."""
    found = []
    for name, benchmark in now.items():
        old = {case["case"]: case["p50"] for case in before.get(name, {}).get("cases", ())}
        for case in benchmark.get("cases", ()):
            base, value = old.get(case["case"]), case["p50"]
            if base and value is not None:
                found.append((name, case["case"], base, value, value / base))
    return found


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
