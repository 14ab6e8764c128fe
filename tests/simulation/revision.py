"""Which code a campaign ran: outcomes of another revision say nothing about this one."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = ("trading", "grid", "tests/simulation", "tests/full_client")


@cache
def revision() -> str:
    """Return twelve digits of all the source that decides what becomes of a seed."""
    digest = hashlib.sha256()
    for folder in _FOLDERS:
        for path in sorted((_ROOT / folder).rglob("*.py")):
            digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0")
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:12]


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
