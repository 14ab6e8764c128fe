"""The parts of fakeredis we serve, without numpy: it is for vector sets, which nobody here has, and costs 12 MB."""

from __future__ import annotations

import sys

_is_absent = sys.modules.setdefault("numpy", None) is None  # type: ignore[arg-type]

from fakeredis._core import FakeServer  # noqa: E402
from fakeredis._helpers import SimpleError, SimpleString  # noqa: E402
from fakeredis._socket import FakeSocket  # noqa: E402

if _is_absent:
    del sys.modules["numpy"]  # whoever else wants it shall have it

__all__ = ["FakeServer", "FakeSocket", "SimpleError", "SimpleString"]
