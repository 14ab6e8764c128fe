"""Who runs a command, for the journal."""

from __future__ import annotations

import getpass


def whoever_runs(command: str) -> str:
    """Return the user of the operating system and the command, at most 64 characters."""
    try:
        return f"{getpass.getuser()} ({command})"[:64]
    except (ImportError, KeyError, OSError):
        return f"manage.py {command}"
