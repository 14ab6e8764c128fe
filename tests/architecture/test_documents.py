"""What the documents promise is what the code does."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.sources import APPS, ROOT, python_files, tree_of

pytestmark = pytest.mark.fast

SET_BY_PROGRAMS = {"DJANGO_SETTINGS_MODULE"}


def variables_read(tree: ast.Module) -> set[str]:
    """Names in `env.bool("NAME")`, `os.environ.get("NAME")` and `os.environ["NAME"]`."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=owner), args=[ast.Constant(value=str(name)), *_]
            ):
                if ast.unparse(owner) in ("env", "os", "os.environ"):
                    names.add(name)
            case ast.Subscript(value=owner, slice=ast.Constant(value=str(name))):
                if ast.unparse(owner) == "os.environ":
                    names.add(name)
    return {name for name in names if re.fullmatch(r"[A-Z][A-Z0-9_]+", name)}


def test_every_test_the_failure_modes_name_exists():
    page = (ROOT / "docs" / "failure-modes.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))

    assert named - set(re.findall(r"^def (test_\w+)", text, re.MULTILINE)) == set()


def test_every_failure_from_1_to_109_has_its_row():
    page = (ROOT / "docs" / "failure-modes.md").read_text(encoding="utf-8")

    assert {int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} >= set(
        range(1, 110)
    )


def test_every_environment_variable_is_documented():
    documented = set(
        re.findall(r"^# (\w+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    )

    read = set().union(*(variables_read(tree_of(path)) for path in python_files(*APPS)))

    assert read - documented - SET_BY_PROGRAMS == set()
