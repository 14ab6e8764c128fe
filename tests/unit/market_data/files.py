"""Files for the tests of this folder: small ones made up here, and the recorded days beside the project."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

from trading.market_data.sources import Recording, open_source

DATA = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
MOUTAI = DATA / "ddb" / "600519_20230201_snapshot_orders_trades.zip"
STAR_DAY = DATA / "ddb" / "688293_20230323_snapshot.csv"
THIRTY = DATA / "ddb" / "sh30_20211201_morning_snapshot.zip"
TICKS = DATA / "full_tick_samples.jsonl"


def needs(path: Path) -> pytest.MarkDecorator:
    """Skip, saying so, when a recorded file is not there."""
    return pytest.mark.skipif(not path.is_file(), reason=f"{path.name} is not beside the project")


def write(folder: Path, text: str | bytes, name: str = "day.csv") -> Path:
    """Write one file and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def zipped(folder: Path, members: Mapping[str, str | bytes], name: str = "day.zip") -> Path:
    """Write a ZIP and return its path."""
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    return path


def rows(header: str, *lines: str) -> str:
    """Return a CSV text."""
    return "\n".join((header, *lines)) + "\n"


def filled(columns: Sequence[str], values: Mapping[str, str]) -> str:
    """Return one line with these values and 0 in every other column."""
    return ",".join(values.get(column, "0") for column in columns)


@cache
def recorded(path: Path) -> Recording:
    """Return a recorded day, read once for all tests."""
    return open_source(path)
