"""A file for a bug report: what the doctor says, versions, settings, the end of every log, without any secret.

Everything goes through one function (monitoring/redaction.py) on its way into the file.
"""

from __future__ import annotations

import json
import os
import platform
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django_celery_beat.models import PeriodicTask

from monitoring.doctor.values import Case, Diagnosis
from monitoring.redaction import HIDDEN, is_secret_name, known_secrets, redacted
from monitoring.run_file import read_run_file
from trading.models import Account, Event, TickLease, TradingConfig

#: Of each log: so many bytes from its end. Of the journal: so many rows.
TAIL, EVENTS = 200_000, 500
#: Settings of Django that say nothing about a fault, and are long.
_DULL = ("TEMPLATES", "LOGGING", "PASSWORD_HASHERS", "FORMATS", "LANGUAGES")
#: Variables of the environment that belong to this program, or to what it stands on.
_OURS = (
    "MINIQMT_",
    "DJANGO_",
    "CELERY_",
    "REDIS_",
    "DATABASE_",
    "LOG_",
    "DEBUG",
    "ALLOWED_",
    "FALLBACK_",
    "PYTHON",
)


def write_bundle(path: Path, case: Case, found: Iterable[Diagnosis]) -> list[str]:
    """Write the bundle; returns the names in it. Raises FileExistsError, OSError. The database may be away."""
    numbers = _read(lambda: list(Account.objects.values_list("broker_account_id", flat=True)), [])
    secrets = {*known_secrets(case.home, os.environ), settings.SECRET_KEY}

    def clean(text: str) -> str:
        return redacted(text, secrets, numbers)

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with (
        os.fdopen(descriptor, "wb") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle,
    ):
        for name, text in _parts(case, found):
            bundle.writestr(clean(name), clean(text))
        return bundle.namelist()


def _parts(case: Case, found: Iterable[Diagnosis]) -> Iterable[tuple[str, str]]:
    yield "doctor.json", _json([one.as_row() for one in found])
    yield "versions.json", _json(_versions(case.project))
    yield "settings.json", _json(_settings())
    yield "environment.json", _json(_environment(os.environ))
    yield "processes.json", _json(read_run_file(case.home))
    for name, read in (
        ("accounts.json", _accounts),
        ("configuration.json", lambda: list(TradingConfig.objects.order_by("pk").values())),
        ("events.json", lambda: list(Event.objects.order_by("-pk")[:EVENTS].values())),
        ("schedule.json", lambda: list(PeriodicTask.objects.order_by("name").values())),
        ("ticks.json", lambda: list(TickLease.objects.order_by("name").values())),
    ):
        yield name, _json(_read(read, "the database could not be read"))
    for path in sorted((case.home / "logs").glob("*.log")) + sorted(
        (case.home / "logs").glob("*.jsonl")
    ):
        yield f"logs/{path.name}", _tail(path)


def _versions(project: Path) -> Mapping[str, Any]:
    return {
        "miniqmt": _own_version(project),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "packages": {
            one.metadata["Name"]: one.version
            for one in sorted(metadata.distributions(), key=lambda one: one.metadata["Name"] or "")
        },
    }


def _own_version(project: Path) -> str:
    try:
        content = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
        return str(content["project"]["version"])
    except (OSError, ValueError, KeyError):
        return "unknown"


def _settings() -> Mapping[str, Any]:
    names = (name for name in dir(settings) if name.isupper() and name not in _DULL)
    return {name: _shown(name, getattr(settings, name)) for name in sorted(names)}


def _shown(name: str, value: Any) -> Any:
    if is_secret_name(name):
        return redacted(str(value)) if "://" in str(value) else HIDDEN if value else value
    if isinstance(value, Mapping):
        return {str(key): _shown(str(key), one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown("", one) for one in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return f"{value}"  # a text of Django's may be one that is translated when it is read


def _environment(environment: Mapping[str, str]) -> Mapping[str, Any]:
    return {
        name: _shown(name, value)
        for name, value in sorted(environment.items())
        if name.startswith(_OURS)
    }


def _accounts() -> list[Mapping[str, Any]]:
    wanted = ("pk", "name", "mode", "enabled", "trading_state", "gateway_status", "gateway_reason")
    more = ("gateway_seen_at", "snapshot_at", "terminal_folder")
    return list(Account.objects.order_by("pk").values(*wanted, *more))


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - TAIL, 0))
            # From a whole line on: half a secret would not be known for one.
            text = file.read().decode("utf-8", "replace")
            return text if size <= TAIL else text.partition("\n")[2]
    except OSError as problem:
        return f"cannot be read: {problem}"


def _read(ask: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return ask()
    except (DatabaseError, InterfaceError):
        return otherwise


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str)
