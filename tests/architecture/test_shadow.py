"""A shadow cannot send: nothing on the way of its imports reaches a real terminal, and its process locks the library out."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.architecture.sources import APPS, ROOT, module_of, python_files, tree_of

pytestmark = pytest.mark.fast

SHADOW = "trading.management.commands.shadow"
#: What reaches the vendor's library, or is it.
REACHES = ("xtquant", "trading.broker.vendor", "trading.management.commands.gateway")


def _imports(tree: ast.Module) -> set[str]:
    """Every name a module imports, wherever in it that stands."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def _reached(start: str) -> set[str]:
    modules = {module_of(path): path for path in python_files(*APPS)}
    found, waiting = set(), [start]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name in modules:
            parents = name.split(".")
            waiting += [".".join(parents[:end]) for end in range(1, len(parents))]
            waiting += _imports(tree_of(modules[name]))
    return found


def _of(names: set[str], wanted: str) -> set[str]:
    return {name for name in names if name == wanted or name.startswith(f"{wanted}.")}


@pytest.mark.parametrize("wanted", REACHES)
def test_nothing_a_shadow_imports_reaches_a_real_terminal(wanted):
    assert _of(_reached(SHADOW), wanted) == set()


def test_the_same_look_finds_what_a_live_gateway_imports():
    reached = _reached("trading.management.commands.gateway")
    assert _of(reached, "trading.broker.vendor")


def test_the_line_that_reads_the_real_account_names_no_way_to_order_or_cancel():
    path = next(
        one for one in python_files("trading") if module_of(one) == "trading.broker.reading"
    )
    called = {node.attr for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)}
    assert {name for name in called if "order" in name or "cancel" in name} == set()
    assert "trader" not in called


def test_in_the_process_of_a_shadow_the_vendors_library_cannot_be_imported():
    code = (
        "import os; os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'miniqmt.settings')\n"
        "import django; django.setup()\n"
        f"from {SHADOW} import lock_out\n"
        "lock_out()\n"
        "for name in ('xtquant', 'xtquant.xttrader'):\n"
        "    try:\n"
        "        __import__(name)\n"
        "        print('imported', name)\n"
        "    except ImportError:\n"
        "        print('locked out')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    assert result.stdout.split("\n")[:2] == ["locked out"] * 2, result.stderr
