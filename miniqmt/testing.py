"""`python manage.py test`: pytest in an installation of its own. Standard library only."""

from __future__ import annotations

import itertools
import os
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from miniqmt import handover


def run(python: str, root: Path, arguments: Sequence[str]) -> int:
    """Runs the tests away from the operator's settings, this installation's state and its Redis."""
    with tempfile.TemporaryDirectory(prefix="miniqmt-", ignore_cleanup_errors=True) as home:
        os.environ.update(MINIQMT_HOME=home, MINIQMT_READ_DOTENV="false", REDIS_URL="")
        command = [python, "-m", "pytest", *pytest_options(root, arguments)]
        return handover.run(command, folder=root)


def pytest_options(root: Path, arguments: Sequence[str]) -> list[str]:
    """`test fast orders` is short for `test -m "fast or orders"`; the rest is pytest's own."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    markers = settings["tool"]["pytest"]["ini_options"]["markers"]
    known = {marker.partition(":")[0] for marker in markers}
    groups = list(itertools.takewhile(known.__contains__, arguments))
    rest = arguments[len(groups) :]
    return [*_both_cores(rest), *(["-m", " or ".join(groups)] if groups else []), *rest]


def _both_cores(options: Sequence[str]) -> list[str]:
    """Spread tests over two processes, unless an option asks for one or wants to see them one by one."""
    alone = ("-n", "--pdb", "--trace", "-s", "--capture=no", "--collect-only", "--co")
    if any(option.startswith(alone) for option in options):
        return []
    # In their folders' order: acceptance first, so that no long file is left over for one process at the end.
    return ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
