"""`python -m tests.faults [NAME…] [--kills N] [--json FILE]`: the whole campaign of faults, about half an hour."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.faults.campaign import Campaign, Row

Part = Callable[[Campaign, int], list[Row]]

PARTS: dict[str, Part] = {
    "kills": lambda campaign, kills: campaign.kills(kills),
    "stop": lambda campaign, kills: campaign.stop(),
    "outages": lambda campaign, kills: campaign.outages(),
    "hangs": lambda campaign, kills: campaign.hangs(),
    "gateway": lambda campaign, kills: campaign.gateway_away(),
    "up": lambda campaign, kills: campaign.up_killed(kills),
}


def main() -> int:
    options = _options()
    began, load = time.monotonic(), _load()
    report: dict[str, Any] = {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processors": os.cpu_count(), "python": platform.python_version()},
        "load_before": load,
        "kills": options.kills,
    }
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        campaign = Campaign(Path(folder), say=_say)
        report["faults"] = {
            name: PARTS[name](campaign, options.kills) for name in options.parts or PARTS
        }
    rows = [row for part in report["faults"].values() for row in part]
    report["seconds"] = round(time.monotonic() - began)
    report["missed"] = [f"{row['fault']}: {line}" for row in rows for line in row["missed"]]
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False), "utf-8")
    _say(f"{len(rows)} faults in {report['seconds']} s, {len(report['missed'])} promises missed")
    return 1 if report["missed"] else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="NAME", help=f"of {', '.join(PARTS)}; default all"
    )
    parser.add_argument("--kills", type=int, default=5, help="of each process (default 5)")
    parser.add_argument("--json", type=Path, help="write the report here")
    options = parser.parse_args()
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


def _load() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the program's own output


if __name__ == "__main__":
    sys.exit(main())
