"""A malformed source is refused as a whole, with one line that says where, what and what was expected."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.market_data.files import filled, rows, write, zipped
from trading.errors import SourceError
from trading.market_data.sources import files, open_source, read_corporate_actions
from trading.market_data.sources.cells import CellError, day, moment, number, price, quantity
from trading.market_data.sources.forms import SSE_DAY, SSE_MARKET

pytestmark = pytest.mark.fast

HEADER = "time,symbol,last,previous_close,volume,bid1,bid1_quantity,status"
GOOD = "2021-12-01 09:30:00,600036,10.50,10.00,1000,10.49,300,continuous"


def refused(path: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        open_source(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(caught.value.file)
    return caught.value


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("last", "ten", "a number"),
        ("last", "NaN", "a finite number"),
        ("last", "-NaN", "a finite number"),
        ("last", "inf", "a finite number"),
        ("last", "-10.5", "a number of at least 0"),
        ("last", "1_0.5", "a number"),
        ("last", "10,5", "cells as in the header"),
        ("last", "10.555", "a price on the tick of 0.01"),
        ("last", "1e300", "a number below"),
        ("previous_close", "1.2.3", "a number"),
        ("bid1", "-1", "a number of at least 0"),
        ("bid1_quantity", "many", "a number"),
        ("bid1_quantity", "-300", "a number of at least 0"),
        ("volume", "10.5", "a whole number of shares"),
        ("volume", "NaN", "a finite number"),
        ("symbol", "", "a symbol such as 600036.SH"),
        ("symbol", "999", "a symbol such as 600036.SH"),
        ("symbol", "600036.XX", "a symbol such as 600036.SH"),
        ("symbol", "777777", "a symbol such as 600036.SH"),
        ("time", "", "a time such as 2021-12-01 09:30:00"),
        ("time", "yesterday", "a time such as"),
        ("time", "2021-12-01", "a time such as"),
        ("time", "2021-02-30 09:30:00", "a time such as"),
        ("time", "2021-12-01 25:00:00", "a time such as"),
        ("time", "1638322200", "a time such as"),
        ("time", "2021-12-01 09:30:00+99:99", "a time such as"),
        ("time", "2021-12-01 09:29:59", "no time before 2021-12-01T09:30:00+08:00"),
        ("status", "open", "one of unknown, pre_open"),
    ],
)
def test_a_bad_cell_names_its_line_column_and_value(tmp_path, column, text, expected):
    cells = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | {column: text}
    path = write(tmp_path, rows(HEADER, GOOD, ",".join(cells.values())))
    error = refused(path)
    assert (error.file, error.line) == ("day.csv", 3)
    assert expected in error.expected
    if "cells" not in expected:
        assert (error.field, error.value) == (column, text)


@pytest.mark.parametrize(
    ("text", "line", "field", "expected"),
    [
        ("", None, "file", "a header line and rows"),
        ("\n\n", 1, "header", "the header of a form"),
        (HEADER, None, "file", "at least one row"),
        ("a,b,c\n1,2,3\n", 1, "header", "the header of a form in docs/replay-sources.md"),
        ("time,symbol\n1,2\n", 1, "header", "a column last"),
        ("time,symbol,last,bid1\n1,2,3,4\n", 1, "header", "a column bid1_quantity"),
        ("time,symbol,last,last\n1,2,3,4\n", 1, "header", "every column named, and named once"),
        ("time,symbol,last,\n1,2,3,4\n", 1, "header", "every column named, and named once"),
        (rows(HEADER, GOOD, GOOD[:30]), 3, "row", "8 cells as in the header"),
        (rows(HEADER, GOOD, GOOD + ",1"), 3, "row", "8 cells as in the header"),
        (rows(HEADER, GOOD, f'"{GOOD}'), 3, "row", "a row of comma-separated cells"),
        (rows(HEADER, GOOD).encode("utf-16"), 1, "text", "UTF-8"),
        (rows(HEADER, GOOD).encode() + "备注".encode("gbk"), 3, "text", "UTF-8"),
        (rows(HEADER, GOOD) + "x" * 300_000, 3, "row", "a row of comma-separated cells"),
        ("DateTime,InstrumentStatus\n1,2\n", 1, "header", "a column SecurityID"),
    ],
)
def test_a_bad_file_says_what_was_expected(tmp_path, text, line, field, expected):
    error = refused(write(tmp_path, text))
    assert (error.line, error.field) == (line, field)
    assert expected in error.expected


def test_an_exchange_form_names_the_column_of_a_bad_level(tmp_path):
    columns = SSE_MARKET.required
    values = {"SecurityID": "600519", "DateTime": "2021.12.01T09:30:00", "OfferPrice7": "x"}
    error = refused(write(tmp_path, rows(",".join(columns), filled(columns, values))))
    assert (error.line, error.field, error.value) == (2, "OfferPrice7", "x")


def test_a_day_kept_in_the_folder_s_name_needs_that_name(tmp_path):
    columns = SSE_DAY.required
    line = filled(columns, {"SecurityID": "600519", "UpdateTime": "09:30:00.000"})
    error = refused(write(tmp_path, rows(",".join(columns), line), "monday/snapshot.csv"))
    assert (error.field, error.value, error.expected) == (
        "folder",
        "monday",
        "a day such as 20230201",
    )
    error = refused(write(tmp_path, rows(",".join(columns), line), "20231301/snapshot.csv"))
    assert (error.line, error.field) == (2, "UpdateTime")


def test_a_zip_that_is_none(tmp_path):
    assert refused(write(tmp_path, GOOD, "day.zip")).expected == "an undamaged ZIP file"


def test_a_truncated_zip(tmp_path):
    whole = zipped(tmp_path, {"day.csv": rows(HEADER, GOOD)}).read_bytes()
    assert refused(write(tmp_path, whole[: len(whole) // 2], "half.zip")).field == "archive"


def test_a_damaged_zip(tmp_path):
    text = rows(HEADER, *(GOOD.replace("09:30:00", f"09:30:{second:02}") for second in range(60)))
    whole = bytearray(zipped(tmp_path, {"day.csv": text}).read_bytes())
    whole[60:70] = bytes(10)
    assert refused(write(tmp_path, bytes(whole), "bad.zip")).expected == "an undamaged ZIP file"


@pytest.mark.parametrize(
    "names", [[], ["readme.txt"], ["a.csv", "b.csv"], ["1/snapshot.csv", "2/snapshot.csv"]]
)
def test_a_zip_holds_exactly_one_csv_of_quotes(tmp_path, names):
    error = refused(zipped(tmp_path, {name: rows(HEADER, GOOD) for name in names}))
    assert error.expected == "exactly one CSV of quotes in a ZIP"


def test_what_an_archiver_adds_is_not_a_second_csv(tmp_path):
    members = {
        "day.csv": rows(HEADER, GOOD),
        "__MACOSX/day.csv": "x",
        ".hidden.csv": "x",
        "a/": "",
    }
    assert len(open_source(zipped(tmp_path, members))) == 1


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    error = refused(zipped(tmp_path, {"day.csv": b"0" * 10_000_000}))
    assert error.expected == "a packing ratio of at most 200"


def test_a_member_of_more_than_two_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST_FILE", 50)
    assert (
        refused(zipped(tmp_path, {"day.csv": rows(HEADER, GOOD)})).expected == "at most 50 bytes"
    )
    assert refused(write(tmp_path, rows(HEADER, GOOD))).field == "size"


def test_a_zip_that_lies_about_its_size_is_not_read_further(tmp_path):
    path = zipped(tmp_path, {"day.csv": rows(HEADER, GOOD)})
    raw = path.read_bytes()
    size = len(rows(HEADER, GOOD)).to_bytes(4, "little")
    assert raw.count(size) >= 2
    error = refused(write(tmp_path, raw.replace(size, (80).to_bytes(4, "little")), "lies.zip"))
    assert error.field in {"archive", "row"}


def test_a_zip_with_a_password(tmp_path):
    path = zipped(tmp_path, {"day.csv": rows(HEADER, GOOD)})
    raw = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    assert (
        refused(write(tmp_path, bytes(raw), "locked.zip")).expected
        == "a plain ZIP without a password"
    )


def test_a_path_that_is_not_there(tmp_path):
    assert refused(tmp_path / "nowhere.csv").field == "file"


def test_an_empty_directory(tmp_path):
    (tmp_path / "empty").mkdir()
    assert (
        refused(tmp_path / "empty").expected == "at least one .csv, .zip, .day, .lc1 or .lc5 file"
    )


def test_one_bad_file_refuses_the_whole_directory(tmp_path):
    write(tmp_path / "week", rows(HEADER, GOOD), "a.csv")
    write(tmp_path / "week", rows(HEADER, GOOD.replace("10.50", "x")), "b.csv")
    assert refused(tmp_path / "week").file == "b.csv"


def test_a_file_that_is_there_twice(tmp_path):
    for name in ("a.csv", "copy of a.csv"):
        write(tmp_path / "week", rows(HEADER, GOOD), name)
    assert refused(tmp_path / "week").expected == "every file once"


def test_two_files_of_a_symbol_may_not_overlap(tmp_path):
    later = GOOD.replace("09:30:00", "09:31:00")
    write(tmp_path / "week", rows(HEADER, GOOD, later), "a.csv")
    write(tmp_path / "week", rows(HEADER, GOOD.replace("09:30:00", "09:30:30")), "b.csv")
    error = refused(tmp_path / "week")
    assert (error.file, error.field) == ("b.csv", "time of 600036.SH")


def test_a_volume_that_falls_is_left_to_the_gate(tmp_path):
    """A faithful recording of a live feed holds such rows; refusing the day would hide how they are refused."""
    fallen = GOOD.replace("09:30:00", "09:30:03").replace("1000", "900")
    assert [
        quote.volume for quote in open_source(write(tmp_path, rows(HEADER, GOOD, fallen))).quotes()
    ] == [1000, 900]


def test_the_byte_order_mark_of_a_spreadsheet_does_no_harm(tmp_path):
    assert len(open_source(write(tmp_path, b"\xef\xbb\xbf" + rows(HEADER, GOOD).encode()))) == 1


@given(st.text())
def test_any_text_is_a_value_or_a_cell_error(text):
    for read in (number, quantity, moment, day, lambda cell: price(cell, Decimal("0.01"))):
        with suppress(CellError):
            read(text)


ACTIONS = "symbol,date,factor,share_ratio,cash_per_share,note"


def test_corporate_actions_are_read_by_date(tmp_path):
    text = rows(
        ACTIONS, "600036,2024-07-11,0.943,1,1.972,dividend", "000001,2024-06-14,0.5,2,,split"
    )
    first, second = read_corporate_actions(write(tmp_path, text))
    assert (first.symbol, str(first.share_ratio), first.note) == ("000001.SZ", "2", "split")
    assert first.cash_per_share == 0
    assert (second.symbol, str(second.factor), str(second.cash_per_share)) == (
        "600036.SH",
        "0.943",
        "1.972",
    )
    assert (
        len(read_corporate_actions(write(tmp_path, "symbol,date,factor\n600036,20240711,0.9\n")))
        == 1
    )


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("600036,2024-07-11,0,1,0,", "factor"),
        ("600036,2024-07-11,,1,0,", "factor"),
        ("600036,2024-07-11,11,1,0,", "factor"),
        ("600036,2024-07-11,NaN,1,0,", "factor"),
        ("600036,2024-07-11,0.9,-1,0,", "share_ratio"),
        ("600036,2024-07-11,0.9,0,0,", "share_ratio"),
        ("600036,2024-07-11,0.9,1,-1,", "cash_per_share"),
        ("600036,11.07.2024,0.9,1,0,", "date"),
        ("600036,2024-07-11 09:30,0.9,1,0,", "date"),
        ("gold,2024-07-11,0.9,1,0,", "symbol"),
        ("000002,2024-07-11,0.9,1,0,", "date"),  # twice
    ],
)
def test_a_bad_corporate_action_is_refused_in_the_same_form(tmp_path, line, field):
    path = write(tmp_path, rows(ACTIONS, "000002,2024-07-11,0.8,1,0,", line))
    with pytest.raises(SourceError) as caught:
        read_corporate_actions(path)
    assert (caught.value.line, caught.value.field) == (3, field)


def test_a_zip_made_by_another_tool_is_read_when_stored_unpacked(tmp_path):
    path = tmp_path / "stored.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("day.csv", rows(HEADER, GOOD))
    assert len(open_source(path)) == 1
