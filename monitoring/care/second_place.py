"""A second place for backups, on another disk or machine: what is on the same disk does not outlive it."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from django.conf import settings

from monitoring import backup_files
from monitoring.backup_files import Backup
from monitoring.care.errors import NothingDone


def is_missing(backup: Backup | None) -> bool:
    """Whether a second place is set and this backup is not there."""
    folder = settings.MINIQMT_BACKUP_COPY
    if not folder or backup is None:
        return False
    return not backup_files.note_of(Path(folder) / backup.path.name).exists()


def copy(backup: Backup, now: datetime) -> None:
    """Copy a backup with its note, the note last, and remove there what the rule does not keep. Raises NothingDone."""
    folder = Path(settings.MINIQMT_BACKUP_COPY)
    target = folder / backup.path.name
    draft = folder / f".{backup.path.name}.part"
    try:
        if not folder.is_dir():  # not made: it may be where a disk is to be mounted
            raise FileNotFoundError(f"there is no folder {folder}")
        draft.unlink(missing_ok=True)
        backup_files.private_file(draft)
        shutil.copyfile(backup.path, draft)
        backup_files.on_disk(draft)
        if backup_files.digest_of(draft) != backup.note.sha256:
            raise OSError("the copy is not what was copied")
        draft.replace(target)
        backup_files.write_note(target, backup.note, settings.SECRET_KEY)
        backup_files.rotate(folder, settings.SECRET_KEY, now)
    except OSError as problem:
        raise NothingDone(
            f"{backup.path.name} was made, but not copied to the second place: {problem}.",
            f"{backup.path.name} 已生成，但未能复制到第二存放处：{problem}。",
        ) from None
