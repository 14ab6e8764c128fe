"""`python -m tests.benchmarks [NAME…] [--json FILE] [--against FILE]`: measure, print a table, exit 0.

Targets are printed, and never make the command fail: whether a machine is quiet is not the code's doing. It fails
only when something could not be measured at all. It uses a temporary data directory, never the user's.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.benchmarks.measured import Skipped, lines_of, machine, ratios

#: Each is a module of this package: its docstring says what it measures and how, PARAMETERS with what, QUICK is the
#: same in small for the test that keeps it alive, and `run(ground, parameters)` yields the cases.
NAMES = (
    "strategy_tick",
    "grid_tick",
    "order_latency",
    "database_mix",
    "start_stop",
    "idle",
    "month",
    "replay_speed",
    "console_live",
    "api_holdings",
)
COLUMNS = ("benchmark", "case", "unit", "samples", "p50", "p99", "max", "facts", "targets")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benchmarks, all without a name; 1 when one could not be run."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="miniqmt-", ignore_cleanup_errors=True) as folder:
        _set_up(Path(folder))
        if options.list:
            for name in NAMES:
                print(f"{name:15} {str(_module(name).__doc__).splitlines()[0]}")  # noqa: T201
            return 0
        found, failed = _run(options.names or list(NAMES), options, Path(folder))
    report = {"machine": {**machine(), "quick": options.quick}, "benchmarks": found}
    if options.json:
        text = json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    _print(found)
    if options.against:
        _compare(found, json.loads(options.against.read_text(encoding="utf-8")))
    return 1 if failed else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="print ratios to an earlier --json FILE"
    )
    parser.add_argument("--minutes", type=float, help="of database_mix (default 10)")
    parser.add_argument("--quick", action="store_true", help="tiny: no figures worth keeping")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}; see --list")
    return options


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"tests.benchmarks.{name}")


def _set_up(folder: Path) -> None:
    """Make a data directory, and Django ready to use it; what this process starts inherits it."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    for name in ("REDIS_URL", "DATABASE_URL"):
        os.environ.pop(name, None)
    os.environ.update(
        MINIQMT_HOME=str(home),
        MINIQMT_READ_DOTENV="false",
        DJANGO_SETTINGS_MODULE="miniqmt.settings",
        PYTHONUTF8="1",
    )
    import django

    django.setup()


def _run(
    names: Sequence[str], options: argparse.Namespace, folder: Path
) -> tuple[dict[str, Any], bool]:
    from tests.benchmarks.ground import Ground

    ground = Ground(folder / "home", folder / "empty.sqlite3", _say)
    found: dict[str, Any] = {}
    failed = False
    for name in names:
        module = _module(name)
        parameters = module.QUICK if options.quick else module.PARAMETERS
        if options.minutes and hasattr(parameters, "minutes"):
            parameters = dataclasses.replace(parameters, minutes=options.minutes)
        entry: dict[str, Any] = {"parameters": dataclasses.asdict(parameters), "cases": []}
        found[name] = entry
        try:
            entry["load_before"] = machine()["load"]
            for case in module.run(ground, parameters):
                entry["cases"].append(case.as_json())
                _say(f"{name}: {case.name}: p50 {case.p50:.4g} {case.unit}")
        except Skipped as why:
            entry["skipped"] = str(why)
            _say(f"{name}: skipped, {why}")
        except Exception as problem:  # noqa: BLE001 - the others are still worth measuring
            entry["failed"], failed = str(problem), True
            traceback.print_exc()
        entry["load_after"] = machine()["load"]
    return found, failed


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def _print(found: Mapping[str, Any]) -> None:
    rows: list[tuple[str, ...]] = [COLUMNS]
    for name, benchmark in found.items():
        rows += lines_of(name, benchmark["cases"])
        for word in ("skipped", "failed"):
            if word in benchmark:
                rows.append((name, f"{word}: {benchmark[word]}", *[""] * 7))
    _table(rows)


def _compare(found: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    rows: list[tuple[str, ...]] = [("benchmark", "case", "p50 before", "p50 now", "ratio")]
    rows += [
        (name, case, f"{base:.4g}", f"{now:.4g}", f"{ratio:.2f}")
        for name, case, base, now, ratio in ratios(found, before["benchmarks"])
    ]
    print()  # noqa: T201
    _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
