"""Reads the pinned requirements of a lock file. Standard library only, like `environment`."""

from __future__ import annotations

import ast
import operator
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_PINNED = re.compile(r"^([\w.-]+)==([^\s;\\]+)(?: *; *([^\\\n]+?))? *\\?$", re.MULTILINE)
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def pinned(lock: Path) -> dict[str, str]:
    """Name and version of what the lock file asks for on this Python and platform."""
    return {
        name: version
        for name, version, marker in _PINNED.findall(lock.read_text(encoding="utf-8"))
        if not marker or applies(marker)
    }


def are_installed(locks: Iterable[Path]) -> bool:
    """Whether this Python already has every pinned package at its pinned version."""
    return all(
        _installed_version(name) == version
        for lock in locks
        for name, version in pinned(lock).items()
    )


def _installed_version(name: str) -> str | None:
    from importlib import metadata  # slow to import, rarely needed

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def applies(marker: str) -> bool:
    """Whether an environment marker holds here; lock files use comparisons, `and` and `or`."""
    return _holds(ast.parse(marker, mode="eval").body)


def _holds(node: ast.expr) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(map(_holds, parts))
        case ast.BoolOp(op=ast.Or(), values=parts):
            return any(map(_holds, parts))
        case ast.Compare(
            left=ast.Name(id=name),
            ops=[comparison],
            comparators=[ast.Constant(value=str(expected))],
        ):
            found = _marker_values()[name]
            if name.startswith("python_"):
                return _COMPARE[type(comparison)](_numbers(found), _numbers(expected))
            return _COMPARE[type(comparison)](found, expected)
    raise ValueError(f"environment marker not understood: {ast.unparse(node)}")


def _marker_values() -> dict[str, str]:
    return {
        "implementation_name": sys.implementation.name,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_system": platform.system(),
        "python_full_version": platform.python_version(),
        "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
        "sys_platform": sys.platform,
    }


def _numbers(version: str) -> tuple[int, ...]:
    # "3.12" must not be less than "3.12.0", and a release candidate counts as its release.
    numbers = [int(part) for part in re.findall(r"\d+", version)[:3]]
    return (*numbers, *[0] * (3 - len(numbers)))
