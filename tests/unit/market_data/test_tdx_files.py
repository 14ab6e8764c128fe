"""A local TDX installation as a source of replays: `.day`, `.lc1` and `.lc5`."""

from __future__ import annotations

import struct
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.market_data.files import DATA, needs
from trading.domain.types import Symbol
from trading.errors import SourceError
from trading.market_data.sources import open_source
from trading.market_data.tdx_local import local_daily_bars

PINGAN = DATA / "mootdx" / "sz000001.day"
PUFA = DATA / "hikyuu" / "sh600000.day"
MINUTES, FIVES = DATA / "mootdx" / "sh688001.lc1", DATA / "mootdx" / "sh688001.lc5"


def day(on: int, *prices: int, amount: float = 1e7, volume: int = 10_000) -> bytes:
    """A record of a `.day`: open, high, low and close in units of the price."""
    return struct.pack("<IIIIIfII", on, *prices, amount, volume, 0)


def minute(on: date, clock: str, *prices: float, volume: int = 4000) -> bytes:
    """A record of a `.lc1` or `.lc5`, under the END of its minutes."""
    hour, minutes = map(int, clock.split(":"))
    stamp = (on.year - 2004) * 2048 + on.month * 100 + on.day
    return struct.pack("<HHfffffII", stamp, hour * 60 + minutes, *prices, 4e4, volume, 0)


def write(folder: Path, name: str, *records: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(records))
    return path


def told(path: Path) -> list[tuple[str, str, str, int]]:
    return [
        (f"{quote.time:%m-%d %H:%M:%S}", quote.symbol, str(quote.last), quote.volume)
        for quote in open_source(path).quotes()
    ]


def test_a_day_file_gives_four_quotes_a_session_in_yuan_and_shares(tmp_path):
    path = write(tmp_path, "sh600036.day", day(20230201, 1000, 1050, 990, 1020, volume=8000))
    assert told(path) == [
        ("02-01 09:30:00", "600036.SH", "10.00", 2000),
        ("02-01 10:50:00", "600036.SH", "9.90", 4000),
        ("02-01 13:40:00", "600036.SH", "10.50", 6000),
        ("02-01 15:00:00", "600036.SH", "10.20", 8000),
    ]


@pytest.mark.parametrize(
    ("name", "price"),
    [
        ("sh600036.day", "10.23"),
        ("sh510300.day", "1.023"),
        (
            "sh588000.day",
            "1.023",
        ),  # the library knows them in files, and shows their quotes tenfold
        ("sh560010.day", "1.023"),  # and these not even in files
        ("sz159915.day", "1.023"),
    ],
)
def test_prices_are_in_the_unit_of_their_kind(tmp_path, name, price):
    path = write(tmp_path, name, day(20230201, 1023, 1023, 1023, 1023))
    assert {str(quote.last) for quote in open_source(path).quotes()} == {price}


@pytest.mark.parametrize(
    ("suffix", "length", "labels", "starts"),
    [
        (".lc1", 60, ("09:31", "09:32", "15:00"), ("09:30:00", "09:31:00", "14:59:00")),
        (".lc5", 300, ("09:35", "09:40", "15:00"), ("09:30:00", "09:35:00", "14:55:00")),
    ],
)
def test_a_minute_is_named_after_its_end(tmp_path, suffix, length, labels, starts):
    on = date(2023, 2, 1)
    records = [minute(on, label, 10.01, 10.01, 10.01, 10.01) for label in labels]
    recording = open_source(write(tmp_path, f"sh688001{suffix}", *records))
    quotes = list(recording.quotes())
    assert tuple(f"{quote.time:%H:%M:%S}" for quote in quotes[::4]) == starts
    assert {quote.last for quote in quotes} == {Decimal("10.01")}  # a single float's noise is gone
    assert recording.heartbeat == length


def test_an_installation_is_one_source(tmp_path):
    write(tmp_path, "vipdoc/sh/lday/sh600036.day", day(20230201, 1000, 1000, 1000, 1000))
    write(tmp_path, "vipdoc/sz/lday/sz000001.day", day(20230201, 1100, 1100, 1100, 1100))
    assert open_source(tmp_path).symbols == ("000001.SZ", "600036.SH")


@pytest.mark.parametrize(
    ("name", "records", "field"),
    [
        ("sh600036.day", [b"x" * 33], "size"),
        ("sh600036.day", [b""], "size"),
        ("sh000001.day", [day(20230201, 1, 1, 1, 1)], "file"),  # an index
        ("nobody.day", [day(20230201, 1, 1, 1, 1)], "file"),
        ("sh900901.day", [day(20230201, 1, 1, 1, 1)], "symbol"),  # a B share
        ("sh600036.day", [day(20230201, 0, 0, 0, 0)], "open"),
        ("sh600036.day", [day(20231301, 1, 1, 1, 1)], "time"),
        ("sh600036.day", [day(20230201, 1000, 990, 980, 985)], "high"),
        ("sh600036.day", [day(20230202, 1, 1, 1, 1), day(20230201, 1, 1, 1, 1)], "time"),
        ("sh600036.day", [day(20230201, 1, 1, 1, 1, amount=float("nan"))], "amount"),
        ("sh688001.lc1", [minute(date(2023, 2, 1), "09:31", 10.004, 10.004, 10.004, 10.004)], "open"),
        ("sh688001.lc1", [minute(date(2023, 2, 1), "12:31", 10, 10, 10, 10)], "time"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_anywhere_is_refused_whole(tmp_path, name, records, field):
    with pytest.raises(SourceError) as refused:
        open_source(write(tmp_path, name, *records))
    assert refused.value.field == field


def test_the_same_file_under_two_names_is_refused(tmp_path):
    """Copies of an index under the name of a share are in mootdx's own repository."""
    for name in ("sh600036.day", "sh600000.day"):
        write(tmp_path, name, day(20230201, 1000, 1000, 1000, 1000))
    with pytest.raises(SourceError, match="the same bytes"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("path", "sessions", "first", "last"),
    [
        pytest.param(PINGAN, 4995, "2000-02-14", "2021-05-14", marks=needs(PINGAN)),
        pytest.param(PUFA, 6119, "1999-11-10", "2025-08-05", marks=needs(PUFA)),
    ],
)
def test_a_recorded_installation_is_read_whole(path, sessions, first, last):
    recording = open_source(path)
    assert len(recording.sessions) == sessions
    assert recording.sessions[0].isoformat() == first
    assert recording.sessions[-1].isoformat() == last
    assert len(recording) == 4 * sessions


@pytest.mark.parametrize(
    ("path", "bars", "days"),
    [
        pytest.param(MINUTES, 2880, 12, marks=needs(MINUTES)),
        pytest.param(FIVES, 144, 3, marks=needs(FIVES)),
    ],
)
def test_recorded_minutes_are_read_whole(path, bars, days):
    recording = open_source(path)
    assert (len(recording), len(recording.sessions)) == (4 * bars, days)
    assert {f"{quote.time:%H:%M}" for quote in recording.quotes()} >= {"09:30", "15:00"}


def test_daily_bars_of_an_installation_need_no_network(tmp_path):
    records = [day(20230131, 990, 1010, 980, 1000), day(20230201, 1000, 1050, 990, 1020)]
    write(tmp_path, "vipdoc/sh/lday/sh600036.day", *records)

    (bar,) = local_daily_bars(Symbol("600036.SH"), 1, tmp_path)

    assert bar.on == date(2023, 2, 1)
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(
        map(Decimal, ("10.00", "10.50", "9.90", "10.20"))
    )
    assert (bar.volume, bar.amount) == (10_000, Decimal("10000000.00"))
    assert len(local_daily_bars(Symbol("600036.SH"), 500, tmp_path)) == 2


@pytest.mark.parametrize(
    "records",
    [None, [b"x"], [day(20230201, 0, 0, 0, 0)], [day(20231301, 1, 1, 1, 1)]],
    ids=["no file", "half a record", "no prices", "no date"],
)
def test_a_file_that_cannot_be_read_is_no_empty_history(tmp_path, records):
    if records is not None:
        write(tmp_path, "vipdoc/sh/lday/sh600036.day", *records)
    with pytest.raises(SourceError):
        local_daily_bars(Symbol("600036.SH"), 1, tmp_path)


def test_without_a_folder_of_tdx_there_are_no_local_bars(settings):
    with pytest.raises(SourceError, match="MINIQMT_MOOTDX_FOLDER"):
        local_daily_bars(Symbol("600036.SH"), 1)
