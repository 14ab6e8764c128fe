"""`python -m tests.simulation --seeds N --from SEED [--plant BUG,BUG|all] [--json FILE] [--jobs 2] [--finished FILE] [--channel NAME] [--show]`,
and `--processes N --from SEED [--only SCENARIO] [--jobs 2] [--finished FILE] [--json FILE]` with real processes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.simulation.setup import set_up


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first one")
    parser.add_argument(
        "--plant", help="planted bugs (A,B), or all: at which seed is each caught?"
    )
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument(
        "--finished", type=Path, help="JSON lines of finished seeds, to go on later"
    )
    parser.add_argument(
        "--channel",
        choices=("xttrader", "full_client"),
        default="xttrader",
        help="the way to the broker; full_client: a strategy inside the full client",
    )
    parser.add_argument("--show", action="store_true", help="tell the story of each seed")
    parser.add_argument("--processes", type=int, help="so many runs of real processes instead")
    parser.add_argument("--only", help="with --processes: the scenario of every run")
    parser.add_argument("--runs", type=Path, help="with --processes: where their folders go")
    parser.add_argument("--keep", action="store_true", help="with --runs: keep every folder")
    parser.add_argument(
        "--database",
        choices=("settings", "postgres"),
        help="postgres: on a server started for this run; without: in memory, or where DATABASE_URL says",
    )
    options = parser.parse_args()
    if options.database == "postgres":
        from tests.postgres import main as with_postgres

        again = (*sys.argv[1:], "--database=settings")
        return with_postgres([sys.executable, "-m", "tests.simulation", *again])
    if options.processes is not None:
        from tests.simulation.processes.command import run_processes

        return run_processes(options)
    set_up()
    from tests.simulation import campaign  # needs Django

    seeds = range(options.first, options.first + options.seeds)
    if options.show:
        return _show(seeds, options.plant, options.channel)
    if options.plant:
        return _plant(options.plant, seeds, options.json, options.channel)
    started, finished = campaign.timed(), campaign.Finished(options.finished, options.channel)
    if finished.of_others:
        _say(f"{finished.of_others} lines of another revision of the code do not count")
    for outcome in campaign.run(seeds, options.jobs, finished, options.channel):
        if outcome.broken:
            _say(f"seed {outcome.seed}: {'; '.join(outcome.broken[:3])}")
            _say(f"    {campaign.repeat(outcome.seed, channel=options.channel)}")
    chosen = [finished.outcomes[seed] for seed in seeds]
    seconds = campaign.timed() - started
    figures = {"channel": options.channel, **campaign.summary(chosen, seconds)}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    _say(
        f"revision {figures['revision']}: {figures['seeds']} seeds, {figures['orders']} orders, {figures['crashes']} crashes,"
        f" {len(figures['failing'])} failing {figures['by_invariant']}, {figures['seconds']} s"
    )
    return 1 if figures["failing"] else 0


def _show(seeds: range, bug: str | None, channel: str) -> int:
    from tests.simulation import campaign
    from tests.simulation.database import Database
    from tests.simulation.telling import story

    database, failing = Database(), 0
    with database.in_use():
        for seed in seeds:
            outcome, world = campaign.play(seed, database, bug, channel)
            failing += bool(outcome.broken)
            _say("\n".join([str(world.plan), *story(world), *outcome.broken]))
    return 1 if failing else 0


def _plant(bug: str, seeds: range, path: Path | None, channel: str) -> int:
    """Find for each bug the first seed that catches it; what is found is written after every bug."""
    from tests.simulation import bugs, campaign
    from tests.simulation.database import Database

    names, database = bugs.NAMES if bug == "all" else bug.split(","), Database()
    table: list[dict[str, Any]] = []
    with database.in_use():
        for name in names:
            outcome = campaign.first_caught(name, seeds, database, channel)
            table.append(campaign.row_of(name, bugs.meaning(name), seeds, outcome, channel))
            found = (
                "NOT CAUGHT" if outcome is None else f"seed {outcome.seed}: {outcome.broken[0]}"
            )
            _say(f"{name}: {found}")
            if path is not None:
                path.write_text(json.dumps(table, indent=1), encoding="utf-8")
    return 1 if any(row["seed"] is None for row in table) else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
