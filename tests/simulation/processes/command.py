"""`python -m tests.simulation --processes N`: the campaign of real processes as a command."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.simulation.processes import campaign
from tests.simulation.processes.scenarios import SCENARIOS


def run_processes(options: argparse.Namespace) -> int:
    if options.only is not None and options.only not in SCENARIOS:
        _say(f"there is no scenario {options.only}; there are {', '.join(sorted(SCENARIOS))}")
        return 2
    seeds = range(options.first, options.first + options.processes)
    runs = options.runs or Path(tempfile.mkdtemp(prefix="processes-"))
    runs.mkdir(parents=True, exist_ok=True)
    began, finished = time.monotonic(), campaign.Finished(options.finished)
    played = campaign.run(seeds, options.jobs, finished, runs, options.only, keep=options.keep)
    for outcome in played:
        _tell(outcome)
    chosen = [finished.outcomes[seed] for seed in seeds]
    figures = campaign.summary(chosen, time.monotonic() - began)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False), "utf-8")
    never = [name for name, times in figures["points"].items() if not times]
    _say(
        f"{figures['runs']} runs, {sum(figures['points'].values())} deaths at {len(figures['points']) - len(never)}"
        f" points, {figures['orders']} orders, {figures['fills']} fills, {len(figures['failing'])} failing,"
        f" {figures['seconds']} s"
    )
    return 1 if figures["failing"] else 0


def _tell(outcome: campaign.Outcome) -> None:
    what = outcome.skipped or f"{outcome.orders} orders, {outcome.fills} fills"
    _say(
        f"{outcome.seed} {outcome.scenario}: {outcome.seconds} s, {what}, died at {', '.join(outcome.hits) or 'no point'}"
    )
    if outcome.folder:
        _say("\n".join(f"    {line}" for line in outcome.broken[:8]))
        _say(f"    {outcome.folder}\n    {campaign.repeat(outcome)}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
