"""Styles and scripts under names that hold the hash of their content, compressed beforehand: a browser keeps them for good.

`up` collects them into the data directory once per version of the files (`collect`, the same as Django's
`manage.py collectstatic`). A page links to what was collected only while that still is what the program brings along:
after an upgrade, in tests and wherever nobody collected, it links to the plain names, which are served from where they
lie and kept for a minute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from whitenoise.storage import CompressedManifestStaticFilesStorage

#: What was collected, in the folder it was collected into.
_COLLECTED = "collected-from"


class CollectedFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # whitenoise has no types
    """Names with a hash for what was collected from the files of today, plain names for all else."""

    def stored_name(self, name: str) -> str:
        known = self.hash_key(self.clean_name(name)) in self.hashed_files
        return str(super().stored_name(name)) if known else name

    def read_manifest(self) -> str | None:
        manifest: str | None = super().read_manifest() if is_collected() else None
        return manifest

    def save_manifest(self) -> None:
        super().save_manifest()
        _collected().write_text(_of_today(), encoding="utf-8")


def collect() -> None:
    """Collect what is not collected yet. Raises OSError."""
    if not is_collected():
        call_command("collectstatic", interactive=False, clear=True, verbosity=0)


def is_collected() -> bool:
    """Whether what lies collected is what the program brings along now."""
    try:
        return _collected().read_text(encoding="utf-8") == _of_today()
    except OSError:
        return False


def _collected() -> Path:
    return Path(settings.STATIC_ROOT) / _COLLECTED


def _of_today() -> str:
    """Name the files of today by their names, sizes and times of change: reading them would take ten times as long."""
    lines = sorted(f"{name} {size} {changed}" for name, size, changed in _files())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _files() -> Iterator[tuple[str, int, int]]:
    for finder in get_finders():
        for name, storage in finder.list(None):
            stat = Path(storage.path(name)).stat()
            yield Path(name).as_posix(), stat.st_size, stat.st_mtime_ns
