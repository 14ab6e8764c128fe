"""How a bug is planted: the patches of the real code that make it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

Patch = AbstractContextManager[Any]
#: Its docstring says what the bug is; each call makes its patches anew.
Bug = Callable[[], list[Patch]]


def put(owner: Any, name: str, made: Callable[[Any], Any]) -> Patch:
    """Replace an attribute by what `made` makes of it."""
    return mock.patch.object(owner, name, made(getattr(owner, name)))
