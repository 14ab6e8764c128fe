"""Who may import what, where import-linter's contracts in pyproject.toml cannot say it."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.architecture.sources import APPS, ROOT, module_of, nodes_of, python_files, tree_of

pytestmark = pytest.mark.fast

PROTECTED = ("trading.broker", "trading.paper")
ALLOWED = (
    *PROTECTED,
    "trading.replay",
    "trading.management.commands.account_copy",
    "trading.management.commands.gateway",
    "trading.management.commands.market_data",
    "trading.management.commands.paper_terminal",
    "trading.management.commands.qmt_probe",
    "trading.management.commands.reference",
    "trading.management.commands.replay",
    "trading.management.commands.shadow",
)
BANNED_IN_RESIDENT_PROCESSES = (
    "apprise",
    "exchange_calendars",
    "mootdx",
    "numpy",
    "pandas",
    "xtquant",
)


def _is_in(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _imports(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in nodes_of(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_only_the_processes_that_run_them_import_the_broker_and_its_twin():
    importers = {
        module_of(path)
        for path in python_files(*APPS)
        if any(_is_in(name, PROTECTED) for name in _imports(tree_of(path)))
    }

    assert {name for name in importers if not _is_in(name, ALLOWED)} == set()


#: What each process that runs all day imports, beside Django with all apps.
RESIDENT = {
    "worker and beat": "import miniqmt.celery; miniqmt.celery.app.loader.import_default_modules();"
    " import miniqmt.beat",
    "web": "import miniqmt.asgi, django.urls; django.urls.get_resolver().url_patterns",
    "gateway": "import trading.management.commands.gateway",
    "shadow": "import trading.management.commands.shadow",
    "market_data": "import trading.management.commands.market_data",
    "market_data with a fallback": "from trading.market_data.mootdx_feed import open_feed; open_feed()",
    "paper_terminal": "import trading.management.commands.paper_terminal",
    "up": "import monitoring.management.commands.up",
}


@pytest.mark.parametrize("process", RESIDENT)
def test_resident_processes_do_not_load_the_heavy_libraries(process, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIQMT_HOME", str(tmp_path))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "miniqmt.settings")
    code = (
        f"import sys, django\ndjango.setup()\n{RESIDENT[process]}\n"
        f"print([name for name in {BANNED_IN_RESIDENT_PROCESSES} if name in sys.modules])"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8"
    )

    assert result.stdout.strip() == "[]", result.stdout + result.stderr
