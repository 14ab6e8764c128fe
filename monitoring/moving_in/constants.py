"""The constants of another program's `config.py`, by parsing: nothing of it is ever run or imported."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "int": int,
    "float": lambda value: Decimal(str(value)),
    "str": str,
    "bool": bool,
}
_ENVIRONMENT = ("os.environ.get", "os.getenv")
_TEXT_METHODS = ("lower", "upper", "strip")


class Constants(NamedTuple):
    """Values by name (numbers with a point are `Decimal`), and the lines that are more than a constant."""

    values: Mapping[str, Any]
    unread: Mapping[str, int]


class _NotConstant(Exception):
    """An expression that only running it could tell."""


def read_constants(source: str, environment: Mapping[str, str]) -> Constants:
    """Return the module-level constants of a Python text. `environment` answers `os.environ.get`.

    A later assignment wins. Raises SyntaxError when the text is no Python.
    """
    values: dict[str, Any] = {}
    unread: dict[str, int] = {}
    for statement in ast.parse(source).body:
        name, expression = _assigned(statement)
        if name is None or expression is None or not name.isupper():
            continue
        try:
            values[name] = _Reader(values, environment).value(expression)
            unread.pop(name, None)
        except (_NotConstant, ArithmeticError, ValueError, TypeError):
            values.pop(name, None)
            unread[name] = statement.lineno
    return Constants(values, unread)


def _assigned(statement: ast.stmt) -> tuple[str | None, ast.expr | None]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, expression = statement.targets[0], statement.value
        return (target.id, expression) if isinstance(target, ast.Name) else (None, None)
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value
    return None, None


class _Reader:
    """Evaluates what can be known from the text and the environment alone."""

    def __init__(self, known: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._known, self._environment = known, environment

    def value(self, node: ast.expr) -> Any:
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise _NotConstant
        return method(node)

    def _constant(self, node: ast.Constant) -> Any:
        return Decimal(repr(node.value)) if isinstance(node.value, float) else node.value

    def _name(self, node: ast.Name) -> Any:
        if node.id not in self._known:
            raise _NotConstant
        return self._known[node.id]

    def _list(self, node: ast.List | ast.Tuple) -> list[Any]:
        return [self.value(one) for one in node.elts]

    _tuple = _list

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        if None in node.keys:
            raise _NotConstant
        return {
            self.value(key): self.value(one)
            for key, one in zip(node.keys, node.values, strict=True)
            if key is not None
        }

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return not value
        if isinstance(node.op, ast.USub):
            return -value
        raise _NotConstant

    def _binop(self, node: ast.BinOp) -> Any:
        made = _ARITHMETIC.get(type(node.op))
        left, right = self.value(node.left), self.value(node.right)
        # Numbers only: a text times a number may be as large as it likes.
        if made is None or not all(isinstance(one, int | Decimal) for one in (left, right)):
            raise _NotConstant
        return (
            made(Decimal(left), Decimal(right)) if made is operator.truediv else made(left, right)
        )

    def _compare(self, node: ast.Compare) -> bool:
        if len(node.ops) != 1:
            raise _NotConstant
        left, right = self.value(node.left), self.value(node.comparators[0])
        if isinstance(node.ops[0], ast.Eq):
            return bool(left == right)
        if isinstance(node.ops[0], ast.In):
            return bool(left in right)
        raise _NotConstant

    def _call(self, node: ast.Call) -> Any:
        if node.keywords:
            raise _NotConstant
        called, arguments = ast.unparse(node.func), node.args
        if called in _ENVIRONMENT and len(arguments) in (1, 2):
            found = self._environment.get(self.value(arguments[0]))
            default = self.value(arguments[1]) if len(arguments) == 2 else None
            return default if found is None else found
        if called in _CONVERSIONS and len(arguments) == 1:
            return _CONVERSIONS[called](self.value(arguments[0]))
        if isinstance(node.func, ast.Attribute) and node.func.attr in _TEXT_METHODS:
            text = self.value(node.func.value)
            if isinstance(text, str) and not arguments:
                return getattr(text, node.func.attr)()
        raise _NotConstant
