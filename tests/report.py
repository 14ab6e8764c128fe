"""Leaves `test-reports/latest.json` and `latest.md` after each run: what each group did.

A group is a marker of pyproject.toml or a folder of tests. pytest's own output stays as it is.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

SLOWEST = 10
_COLUMNS = ("passed", "failed", "skipped", "seconds")


@dataclass
class Result:
    test: str
    groups: tuple[str, ...]
    outcome: str = "passed"
    reason: str = ""
    seconds: float = 0.0

    @property
    def folder(self) -> str:
        return PurePosixPath(self.test.partition("::")[0]).parent.as_posix()


@dataclass(eq=False)
class Recorder:
    folder: Path
    markers: tuple[str, ...]
    results: dict[str, Result] = field(default_factory=dict)
    started: float = field(default_factory=time.time)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed":  # a module that fails to import, or skips as a whole
            self._record(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._record(report).seconds += report.duration

    def _record(self, report: pytest.CollectReport | pytest.TestReport) -> Result:
        # A report carries its test's markers, also when another process ran it.
        keywords = getattr(report, "keywords", {})
        groups = tuple(name for name in self.markers if name in keywords)
        result = self.results.setdefault(report.nodeid, Result(report.nodeid, groups))
        if report.failed:
            result.outcome, result.reason = "failed", _last_line(report)
        elif report.skipped and result.outcome == "passed":
            result.outcome, result.reason = "skipped", _skip_reason(report)
        return result

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if session.config.option.collectonly:
            return
        report = self._report(exitstatus)
        self.folder.mkdir(exist_ok=True)
        text = json.dumps(report, ensure_ascii=False, indent=2)
        (self.folder / "latest.json").write_text(text + "\n", encoding="utf-8")
        (self.folder / "latest.md").write_text(markdown(report), encoding="utf-8")

    def _report(self, exitstatus: int) -> dict[str, Any]:
        results = list(self.results.values())
        slowest = sorted(results, key=lambda result: -result.seconds)[:SLOWEST]
        return {
            "started": datetime.fromtimestamp(self.started, UTC).isoformat(timespec="seconds"),
            "wall_seconds": round(time.time() - self.started, 1),
            "exit_status": int(exitstatus),
            "arguments": sys.argv[1:],
            "python": platform.python_version(),
            "platform": platform.platform(terse=True),
            "total": _count(results),
            "markers": {
                name: _count(r for r in results if name in r.groups)
                for name in self.markers
                if any(name in r.groups for r in results)
            },
            "folders": {
                name: _count(r for r in results if r.folder == name)
                for name in sorted({r.folder for r in results})
            },
            "failures": _reasons(results, "failed"),
            "skips": _reasons(results, "skipped"),
            "slowest": [{"test": r.test, "seconds": round(r.seconds, 2)} for r in slowest],
        }


def _count(results: Iterable[Result]) -> dict[str, float]:
    counted = dict.fromkeys(_COLUMNS, 0.0)
    for result in results:
        counted[result.outcome] += 1
        counted["seconds"] += result.seconds
    outcomes = {name: int(counted[name]) for name in _COLUMNS[:-1]}
    return {**outcomes, "seconds": round(counted["seconds"], 2)}


def _reasons(results: Iterable[Result], outcome: str) -> list[dict[str, str]]:
    return [{"test": r.test, "reason": r.reason} for r in results if r.outcome == outcome]


def _last_line(report: pytest.CollectReport | pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr)
    return next(iter(text.strip().splitlines()), "")


def _skip_reason(report: pytest.CollectReport | pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return f"expected to fail: {getattr(report, 'wasxfail', '')}"


def markdown(report: dict[str, Any]) -> str:
    lines = [
        f"# Tests of {report['started']}",
        "",
        f"Python {report['python']} on {report['platform']}, {report['wall_seconds']} s,"
        f" exit status {report['exit_status']}, arguments: `{' '.join(report['arguments'])}`",
        "",
        "| group | passed | failed | skipped | seconds |",
        "|---|---:|---:|---:|---:|",
    ]
    groups = {**report["markers"], **report["folders"], "**all**": report["total"]}
    for name, counted in groups.items():
        lines.append(f"| {name} | " + " | ".join(str(counted[key]) for key in _COLUMNS) + " |")
    for title in ("failures", "skips"):
        if report[title]:
            lines += ["", f"## {title.capitalize()}", ""]
            lines += [f"- `{entry['test']}`: {entry['reason']}" for entry in report[title]]
    lines += ["", "## Slowest", ""]
    lines += [f"- {entry['seconds']} s `{entry['test']}`" for entry in report["slowest"]]
    return "\n".join(lines) + "\n"


@pytest.hookimpl(tryfirst=True)  # before pytest and its plugins add their own markers
def pytest_configure(config: pytest.Config) -> None:
    markers = tuple(line.partition(":")[0] for line in config.getini("markers"))
    config.pluginmanager.register(Recorder(config.rootpath / "test-reports", markers))
