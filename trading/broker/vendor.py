"""The vendor's own library, imported only where it runs, when it is needed, and without its call to the network."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from trading.errors import GatewayUnavailable


def load(name: str) -> ModuleType:
    """Return `xtquant.NAME`. Raises GatewayUnavailable where it cannot be imported."""
    if os.name != "nt":
        raise GatewayUnavailable(
            "A live account needs QMT, which runs on Windows only. 实盘账户需要 QMT 客户端，仅支持 Windows。"
        )
    try:
        with _no_update_check():
            importlib.import_module("xtquant")
        return importlib.import_module(f"xtquant.{name}")
    except (ImportError, OSError) as problem:
        raise GatewayUnavailable(f"xtquant cannot be imported: {problem}") from problem


@contextmanager
def _no_update_check() -> Iterator[None]:
    """Importing xtquant asks PyPI for a newer release, for up to 10 s; without this module it gives that up."""
    absent = "pkg_resources"
    known = sys.modules.get(absent)
    sys.modules[absent] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[absent]
        if known is not None:
            sys.modules[absent] = known
