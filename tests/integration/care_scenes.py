"""Backups as their pages find them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from monitoring import backup_files
from monitoring.backup_files import Engine, Note, Proof, Why


def a_backup(home: Path, ago: timedelta, *, key: str | None = None) -> Path:
    """Put a small file with its note among the backups, sealed with this installation's key or another one."""
    at = timezone.now() - ago
    folder = backup_files.private_folder(home)
    path = folder / backup_files.name_for(at, Why.AFTER_BOOKS, Engine.SQLITE)
    path.write_bytes(b"x" * 3_000_000)
    note = Note(
        at, Why.AFTER_BOOKS, Engine.SQLITE, 3_000_000, "0" * 64, Proof.RESTORED, {"t": 1234}
    )
    backup_files.write_note(path, note, settings.SECRET_KEY if key is None else key)
    return path
