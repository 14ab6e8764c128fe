"""Imports the real Python layer of xtquant without its native half, and says what it finds as JSON.

xtquant ships its native modules for Windows only. Two stand-ins are enough for its Python sources to import anywhere:
the trading client, whose every request type is a bag of attributes, and the data centre, whose every function returns
0. Run as a program (`python -m tests.contract.xtquant_native`) it leaves the caller's modules alone.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import itertools
import json
import sys
from types import ModuleType
from typing import Any


class Bag:
    """Any request the Python layer fills in and hands over."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class NativeClient:
    """Stands for the native client: remembers what was bound and what was sent, answers nothing by itself."""

    def __init__(self, path: bytes, name: str, session: int) -> None:
        self.path, self.name, self.session = path, name, session
        self.bound: dict[str, Any] = {}
        self.sent: list[tuple[str, int, dict[str, Any]]] = []
        self._numbers = itertools.count(1)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("bindOn"):
            return lambda callback: self.bound.__setitem__(name, callback)
        if name.endswith("WithSeq"):
            return lambda seq, request: self.sent.append((name, seq, dict(vars(request))))
        raise AttributeError(name)

    def nextSeq(self) -> int:
        return next(self._numbers)

    def init(self) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def connect(self) -> int:
        return 0


class _Trading(ModuleType):
    XtQuantAsyncClient = NativeClient

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        request = type(name, (Bag,), {})
        setattr(self, name, request)
        return request


class _Data(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: 0


def real_module(name: str) -> ModuleType:
    """Return the real `xtquant.NAME`, imported without its native half and without asking the network."""
    if "xtquant" not in sys.modules:
        known = sys.modules.get("pkg_resources")
        sys.modules["pkg_resources"] = None  # type: ignore[assignment]  # its update check needs this module
        try:
            package = importlib.import_module("xtquant")
        finally:
            del sys.modules["pkg_resources"]
            if known is not None:
                sys.modules["pkg_resources"] = known
        for stand_in in (_Trading("xtquant.xtpythonclient"), _Data("xtquant.datacenter")):
            sys.modules[stand_in.__name__] = stand_in
            setattr(package, stand_in.__name__.rpartition(".")[2], stand_in)
    return importlib.import_module(f"xtquant.{name}")


def signature(function: Any) -> list[list[str]]:
    """Return name, kind and default of every parameter but `self`; annotations are nobody's contract."""
    parameters = inspect.signature(function).parameters.values()
    return [
        [one.name, one.kind.name, "" if one.default is one.empty else repr(one.default)]
        for one in parameters
        if one.name not in ("self", "cls")
    ]


def methods(cls: type) -> dict[str, list[list[str]]]:
    """Return the public methods of a class, and its constructor, with their signatures."""
    own = {name: one for name, one in vars(cls).items() if inspect.isfunction(one)}
    return {
        name: signature(one)
        for name, one in own.items()
        if name == "__init__" or not name.startswith("_")
    }


def attributes(cls: Any) -> list[str]:
    """Return the attributes an object has after construction with its parameters' own names as values."""
    names = [name for name, _, _ in signature(cls.__init__)]
    values = {name: "STOCK" if name == "account_type" else name for name in names}
    return sorted(vars(cls(**values)))


def constants(module: ModuleType) -> dict[str, str]:
    return {name: repr(one) for name, one in vars(module).items() if name.isupper()}


def records(module: ModuleType) -> dict[str, Any]:
    """Return constructor and attributes of every record class of an `xttype` module."""
    found = {}
    for name, cls in vars(module).items():
        if inspect.isclass(cls) and cls.__module__ == module.__name__:
            found[name] = {"parameters": signature(cls.__init__), "attributes": attributes(cls)}
    return found


def description() -> dict[str, Any]:
    """Return what the installed xtquant offers, as plain values."""
    trader, data = real_module("xttrader"), real_module("xtdata")
    functions = {name: one for name, one in vars(data).items() if inspect.isfunction(one)}
    return {
        "version": importlib.metadata.version("xtquant"),
        "trader": methods(trader.XtQuantTrader),
        "callback": methods(trader.XtQuantTraderCallback),
        "records": records(real_module("xttype")),
        "constants": constants(real_module("xtconstant")),
        "data": {name: signature(one) for name, one in functions.items()},
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(description()))
