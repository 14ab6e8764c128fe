"""A line for the log can never break the path of an order: what is logged is formatted by the library, which catches."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.sources import name_of, nodes_of, python_files, tree_of

pytestmark = [pytest.mark.fast, pytest.mark.orders]

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def risky_lines(tree: ast.AST) -> list[str]:
    """Log calls whose text is put together before the library sees it, where an odd value would raise."""
    return [
        ast.unparse(call)
        for call in nodes_of(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in LEVELS
        and ast.unparse(call.func.value) in ("log", "logger", "logging")
        and not (call.args and isinstance(call.args[0], ast.Constant))
    ]


@pytest.mark.parametrize("path", python_files("trading"), ids=name_of)
def test_f007_f008_a_log_line_is_formatted_where_it_cannot_raise(path):
    assert risky_lines(tree_of(path)) == []


@pytest.mark.parametrize(
    "line", ["log.info(f'{price:.2f}')", "log.warning('%.2f' % price)", "log.error(str(order))"]
)
def test_the_search_finds_a_line_that_could(line):
    assert risky_lines(ast.parse(line)) == [ast.unparse(ast.parse(line))]
