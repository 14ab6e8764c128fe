"""Where the real market data lies beside the project, and how daily bars are read from it."""

from __future__ import annotations

import struct
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

DATA = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"


class DayBar(NamedTuple):
    """One unadjusted daily bar; prices in whole cents."""

    on: date
    open: int
    high: int
    low: int
    close: int


def data_file(name):
    """Return the path of a data file, or skip the test that asks for it."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"market data {name} is not beside the project")
    return path


def day_bars(name):
    """Read a TDX `.day` file: 32-byte records `<IIIIIfII`, prices in 0.01 yuan."""
    return [
        DayBar(date(day // 10_000, day // 100 % 100, day % 100), *prices)
        for day, *prices, _amount, _volume, _reserved in struct.iter_unpack(
            "<IIIIIfII", data_file(name).read_bytes()
        )
    ]
