"""The files by which a paper terminal is found, in the data directory: `paper.json` says where, `paper.token` lets in."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

NOTICE, TOKEN = "paper.json", "paper.token"


def token_for(home: Path) -> str:
    """Return the token of this data directory, made when there is none; only its owner can read it."""
    path = home / TOKEN
    try:
        kept = read_token(home)
    except FileNotFoundError:
        kept = ""
    if kept:
        return kept
    token = secrets.token_urlsafe(32)
    _write_private(path, token)
    return token


def read_token(home: Path) -> str:
    """Return the token. Raises FileNotFoundError when no terminal ever ran here."""
    return (home / TOKEN).read_text(encoding="utf-8").strip()


def write_notice(home: Path, host: str, port: int) -> None:
    """Say where this process listens."""
    notice = {"host": host, "port": port, "pid": os.getpid()}
    _write_private(home / NOTICE, json.dumps(notice))


def remove_notice(home: Path) -> None:
    """Take the notice away; one that a killed process left stays until the next start."""
    (home / NOTICE).unlink(missing_ok=True)


def terminal_address(home: Path) -> str | None:
    """Return the address of the last terminal that started here, None when there is none; it may be gone."""
    try:
        notice = json.loads((home / NOTICE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return f"tcp://{notice['host']}:{notice['port']}"


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
