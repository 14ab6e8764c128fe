"""Which code a campaign ran: outcomes of another revision say nothing about this one."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

import grimp

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("trading", "grid", "tests")
#: What plays seeds; whatever it imports, and what that imports in turn, decides what becomes of them.
_PLAYER = "tests.simulation.campaign"


@cache
def revision() -> str:
    """Return twelve digits of all the source that decides what becomes of a seed.

    Pages, commands and whatever else no seed ever runs may change meanwhile: a campaign of days goes on.
    """
    digest = hashlib.sha256()
    for module in modules():
        digest.update(module.encode() + b"\0")
        digest.update(_source(module).read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:12]


def modules() -> list[str]:
    """Return the names of our modules that a seed runs."""
    graph = grimp.build_graph(*_PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    return sorted({_PLAYER} | graph.find_upstream_modules(_PLAYER))


def _source(module: str) -> Path:
    path = _ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def commit() -> str | None:
    """Return the commit that is checked out, `+` behind it when files differ; None without git."""
    git = shutil.which("git")
    if git is None:
        return None
    described = subprocess.run(
        [git, "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return described.stdout.strip() or None
