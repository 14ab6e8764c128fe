"""Decisions are pure functions: the standard library only, and no float near money."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.architecture.sources import (
    PURE_PACKAGES,
    ROOT,
    module_of,
    name_of,
    nodes_of,
    pure_files,
    python_files,
    tree_of,
)

pytestmark = pytest.mark.fast

# Imports every pure module while anything that is neither standard library nor pure is refused.
IMPORT_ALONE = """
import importlib, sys

pure = sys.argv[1:]
parents = {name[:end] for name in pure for end, dot in enumerate(name) if dot == "."}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in sys.stdlib_module_names and name not in {*pure, *parents}:
            raise ImportError(f"{name} is not pure")

sys.meta_path.insert(0, Refuse())
for name in pure:
    importlib.import_module(name)
"""


def test_pure_modules_import_with_the_standard_library_alone():
    modules = [module_of(path) for path in pure_files()]

    result = subprocess.run(
        [sys.executable, "-c", IMPORT_ALONE, *modules],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )

    assert len(modules) > 5
    assert result.returncode == 0, result.stderr


def test_the_set_up_imports_with_the_standard_library_alone():
    names = ("environment", "handover", "lockfile", "testing")
    setup = [f"miniqmt.{name}" for name in names]

    result = subprocess.run(
        [sys.executable, "-c", IMPORT_ALONE, *setup],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )

    assert result.returncode == 0, result.stderr


def _floats(tree: ast.Module) -> list[int]:
    return [
        node.lineno
        for node in nodes_of(tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Call) and ast.unparse(node.func) == "float")
    ]


@pytest.mark.parametrize("path", python_files(*PURE_PACKAGES), ids=name_of)
def test_the_domain_makes_no_float(path):
    assert _floats(tree_of(path)) == []
