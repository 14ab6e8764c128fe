"""What the documents promise is what the code does."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.sources import APPS, ROOT, nodes_of, python_files, tree_of

pytestmark = pytest.mark.fast

READ_BY_PIP = {"PIP_INDEX_URL"}
SET_BY_PROGRAMS = {"DJANGO_SETTINGS_MODULE", "USERDOMAIN", "XDG_CONFIG_HOME"}


def variables_read(tree: ast.Module) -> set[str]:
    """Names in `env.bool("NAME")`, `os.environ.get("NAME")` and `os.environ["NAME"]`."""
    names = set()
    for node in nodes_of(tree):
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


#: Each is shown by a test that carries its number, or says what makes it impossible, and where.
FAILURES = range(1, 172)


def rows_of_failures() -> dict[int, tuple[str, str]]:
    """(how it is handled, which tests show it) of each failure."""
    page = (ROOT / "docs" / "failure-modes.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| (\d+) \| .+? \| (.+) \| (.+?) \|$", page, re.MULTILINE)
    return {int(number): (here, shown) for number, here, shown in lines}


def test_every_failure_has_its_row():
    assert rows_of_failures().keys() == set(FAILURES)


@pytest.mark.parametrize("number", FAILURES)
def test_a_failure_is_shown_by_a_test_of_its_number_or_named_impossible_with_the_file(number):
    here, shown = rows_of_failures()[number]

    if shown != "–":
        numbers = {
            int(one) for one in re.findall(r"(?<=[_`])f(\d{3})_", shown.replace("test_", "_"))
        }
        assert number in numbers, shown
        return
    named = re.findall(r"\(`(\S+)`\)", here)
    assert here.startswith("Cannot occur: ")
    assert named
    assert all((ROOT / name).is_file() for name in named)


def test_few_failures_are_explained_instead_of_shown():
    rows = rows_of_failures()
    explained = {number for number in FAILURES if rows[number][1] == "–"}
    assert len(explained) <= 12


def _documented() -> set[str]:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    return set(re.findall(r"^# (\w+)=", example, re.MULTILINE))


def _read() -> set[str]:
    return set().union(*(variables_read(tree_of(path)) for path in python_files(*APPS)))


def test_every_environment_variable_is_documented():
    documented, read = _documented(), _read()
    assert read - documented - SET_BY_PROGRAMS == set()


def test_f169_every_documented_variable_is_read():
    documented, read = _documented(), _read()
    assert documented - read - READ_BY_PIP == set()
