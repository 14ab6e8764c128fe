"""Runs `manage.py reference` for whoever needs its rows: if the vendor's library takes its process down, only that ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trading.errors import GatewayUnavailable

ROOT = Path(__file__).resolve().parents[2]
#: Seconds one reading may take; a download of years of minutes needs a longer one.
DEADLINE = 120.0


def read_apart(
    arguments: Sequence[str],
    deadline: float = DEADLINE,
    command: Sequence[str] = (sys.executable, str(ROOT / "manage.py"), "reference"),
) -> tuple[list[Any], list[tuple[str, str, int]]]:
    """Return (rows, refused as (symbol, field, count)) of one reading in a process of its own.

    Raises GatewayUnavailable when it ends otherwise than well (a crash of the library included) or takes too long.
    """
    try:
        done = subprocess.run(
            [*command, *arguments], capture_output=True, timeout=deadline, check=True, cwd=ROOT
        )
        head, *rows = [json.loads(line) for line in done.stdout.decode().splitlines()]
        return rows, [(symbol, name, count) for symbol, name, count in head["refused"]]
    except subprocess.TimeoutExpired:
        raise GatewayUnavailable(f"the reading took longer than {deadline:.0f} s") from None
    except subprocess.CalledProcessError as ended:
        said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[-1] if said else "it said nothing"
        raise GatewayUnavailable(
            f"the reading ended with code {ended.returncode}: {why}"
        ) from None
    except (OSError, ValueError, KeyError) as problem:
        raise GatewayUnavailable(f"the reading cannot be understood: {problem}") from problem
