"""`python -m tests.week [--days 5] [--finished FILE] [--json FILE]`: a week of faults, about 70 minutes (Linux, macOS).

It needs a quiet machine. Each session that is over is kept in the FILE of --finished, with the data directory in --home:
a week that was interrupted goes on with the session it was in. It ends with 1 when something was broken, or not seen.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.week.market import AFTERNOON
from tests.week.play import Day, Plan, play


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what it started is ended, too
    folder = options.home or Path(tempfile.mkdtemp(prefix="week-"))
    folder.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        folder.resolve(),
        options.days,
        options.speed,
        options.every,
        options.seed,
        options.lasts,
        only=tuple(options.only),
    )
    finished = options.finished or folder / "finished.jsonl"
    days = _done(finished, options.seed)
    began = time.monotonic()
    _say(f"the week is in {folder}; {len(days)} of {plan.days} sessions are over")
    for day in play(plan, len(days), _say):
        days.append(day)
        with finished.open("a", encoding="utf-8") as file:
            file.write(json.dumps(day.as_json(), ensure_ascii=False) + "\n")
        _tell(day)
    report = summary(days, time.monotonic() - began)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False), "utf-8")
    _say(json.dumps(report, indent=1, ensure_ascii=False))
    return 1 if any(day.failed for day in days) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.week", description=__doc__)
    parser.add_argument("--days", type=int, default=5, help="sessions (default 5)")
    parser.add_argument("--speed", type=int, default=20, help="of market time (default 20)")
    parser.add_argument(
        "--every", type=float, default=30.0, help="real seconds between faults; 0: none"
    )
    parser.add_argument("--seed", type=int, default=1, help="of market, faults and moments")
    parser.add_argument("--home", type=Path, help="folder of the week (default: a new one)")
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.add_argument("--finished", type=Path, help="a line for each session that is over")
    parser.add_argument(
        "--lasts",
        type=int,
        default=AFTERNOON[1],
        help="seconds of each session in which something happens (default: all of it)",
    )
    parser.add_argument("--only", action="append", default=[], help="only this fault, repeatable")
    return parser.parse_args()


def _done(path: Path, seed: int) -> list[Day]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    days = [Day(**json.loads(line)) for line in lines]
    return [day for day in days if day.seed == seed]


def _tell(day: Day) -> None:
    _say(
        f"{day.on}: {len(day.faults)} faults in {day.seconds:.0f} s, {day.orders} orders and {day.fills} fills so far"
    )
    for line in (*day.broken, *day.not_shown, *day.missed, *map(str, day.unexplained.items())):
        _say(f"  {line}")


def summary(days: Sequence[Day], seconds: float) -> dict[str, Any]:
    """Return the figures of a week, as docs/reliability.md has them."""
    faults = [fault for day in days for fault in day.faults]
    seen = [fault["told_after"] for fault in faults if "told_after" in fault]
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processors": os.cpu_count(), "python": platform.python_version()},
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "seconds": round(seconds),
        "sessions": len(days),
        "interrupted": sum(day.partial for day in days),
        "faults": len(faults),
        "by_fault": dict(Counter(fault["fault"].split(",")[0] for fault in faults).most_common()),
        "not_done": [fault for fault in faults if "not_done" in fault],
        "told_after_s": {"median": sorted(seen)[len(seen) // 2], "most": max(seen)}
        if seen
        else {},
        "not_shown": [line for day in days for line in day.not_shown],
        "broken": [line for day in days for line in day.broken],
        "missed": [line for day in days for line in day.missed],
        "orders": days[-1].orders if days else 0,
        "fills": days[-1].fills if days else 0,
        "restarts": dict(Counter(one["process"] for day in days for one in day.restarts)),
        "database_mb": days[-1].database_mb if days else 0,
        "memory": [day.memory for day in days],
        "unexplained_errors": {
            words: count for day in days for words, count in day.unexplained.items()
        },
    }


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the program's own output


if __name__ == "__main__":
    sys.exit(main())
