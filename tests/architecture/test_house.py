"""The checks of the whole project, so that one command runs everything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.sources import ROOT

pytestmark = pytest.mark.slow

CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "system checks": ["manage", "check", "--fail-level", "WARNING"],
    "migrations": ["manage", "makemigrations", "--check", "--dry-run"],
}


@pytest.mark.parametrize("name", CHECKS)
def test_the_project_passes(name, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIQMT_HOME", str(tmp_path))

    result = run("-m", *CHECKS[name])

    assert result.returncode == 0, result.stdout + result.stderr


def test_the_layers_hold():
    # import-linter has no `python -m`; its console script may live anywhere.
    result = run("-c", "import sys; from importlinter.cli import lint_imports_command as f; f()")

    assert result.returncode == 0, result.stdout + result.stderr


def run(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
