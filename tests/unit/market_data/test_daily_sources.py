"""Daily bars from files and from anybody's rows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy
import pandas
import pytest

from tests.unit.domain.real_data import data_file
from trading.errors import SourceError
from trading.market_data.sources.cells import CellError
from trading.market_data.sources.daily import RECORD, daily_bar, read_daily

pytestmark = [pytest.mark.fast]

ROW = {"date": "2026-07-01", "open": 10, "high": 10.5, "low": 9.9, "close": 10.2, "volume": 100}


@pytest.mark.parametrize(
    "written",
    [
        "2026-07-01",
        "20260701",
        "2026/7/1",
        "2026-07-01 00:00:00",
        20260701,
        date(2026, 7, 1),
        datetime(2026, 7, 1, tzinfo=UTC),
        pandas.Timestamp("2026-07-01"),
        numpy.int64(20260701),
    ],
)
def test_f141_a_date_in_any_spelling_is_one_date(written):
    bar = daily_bar("600036", {**ROW, "date": written})
    assert type(bar.on) is date
    assert bar.on == date(2026, 7, 1)


def test_f140_what_pandas_hands_over_becomes_plain_values():
    frame = pandas.DataFrame([{**ROW, "amount": 1020.3, "previous_close": 10.1}])
    frame["volume"] = frame["volume"].astype("int32")
    frame["open"] = frame["open"].astype("float32")
    bar = daily_bar("600036", frame.iloc[0].to_dict())
    assert bar.open == Decimal("10.00")
    for name in ("open", "high", "low", "close", "amount", "previous_close"):
        assert type(getattr(bar, name)) is Decimal
    assert type(bar.volume) is int


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"close": float("nan")}, "open"),
        ({"close": None}, "open"),
        ({"close": "ten"}, "close"),
        ({"close": 10.2049}, "close"),
        ({"high": 10.1}, "open"),
        ({"volume": 1.5}, "volume"),
        ({"date": "2026-13-01"}, "date"),
        ({"date": None}, "date"),
        ({"date": ""}, "date"),
    ],
)
def test_f140_a_row_with_a_hole_is_an_error_that_names_its_cell(change, column):
    with pytest.raises(CellError) as error:
        daily_bar("600036", {**ROW, **change})
    assert error.value.column == column


def day_file(folder, name, *records):
    path = folder / name
    path.write_bytes(b"".join(RECORD.pack(*record, 0) for record in records))
    return path


@pytest.mark.parametrize(
    ("name", "symbol", "close"),
    [
        ("sh600036.day", "600036.SH", "10.20"),
        ("sh510300.day", "510300.SH", "1.020"),  # F143: a fund counts in thousandths
        ("sz128001.day", "128001.SZ", "1.020"),
        ("sh000001.day", "000001.SH", "10.20"),  # F142: the index, not the share in Shenzhen
        ("sz000001.day", "000001.SZ", "10.20"),
    ],
)
def test_f142_f143_a_day_file_says_whose_it_is_and_in_which_unit(tmp_path, name, symbol, close):
    path = day_file(tmp_path, name, (20260701, 1000, 1050, 990, 1020, 1020.0, 100))
    (bar,) = read_daily(path)
    assert (bar.symbol, bar.close, bar.volume) == (symbol, Decimal(close), 100)


@pytest.mark.parametrize(
    "records",
    [
        [(20260701, 1000, 1050, 990, 1020, 0.0, 1)] * 2,  # F138: a day twice
        [(20261301, 1000, 1050, 990, 1020, 0.0, 1)],
        [(20260701, 0, 1050, 990, 1020, 0.0, 1)],
    ],
)
def test_f138_a_malformed_day_file_is_refused_whole(tmp_path, records):
    with pytest.raises(SourceError):
        read_daily(day_file(tmp_path, "sh600036.day", *records))
    with pytest.raises(SourceError):
        read_daily(tmp_path / "nobody.day")


def test_a_csv_of_a_fund_counts_volume_in_lots(tmp_path):
    path = tmp_path / "588000.csv"
    path.write_text(
        "date,open,close,high,low,volume,amount,code\n2020-11-16,1.556,1.465,1.62,1.451,14453638,2119240688.0,588000\n",
        encoding="utf-8",
    )
    (bar,) = read_daily(path, volume_in="lots")
    assert (bar.symbol, bar.close) == ("588000.SH", Decimal("1.465"))
    assert bar.volume == 1_445_363_800
    (tmp_path / "none.csv").write_text("date,close\n2020-11-16,1\n", encoding="utf-8")
    with pytest.raises(SourceError):
        read_daily(tmp_path / "none.csv")


def test_real_day_files_are_read_whole():
    bars = read_daily(data_file("hikyuu/sh600000.day"))
    assert (len(bars), bars[0].close, bars[-1].close) == (6119, Decimal("27.75"), Decimal("13.75"))
