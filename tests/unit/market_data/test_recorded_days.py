"""Recorded days of the exchanges become quotes, trap by trap."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from datetime import date, datetime, time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from time import process_time

import pytest

from tests.unit.market_data.files import (
    MOUTAI,
    STAR_DAY,
    THIRTY,
    filled,
    needs,
    recorded,
    rows,
    write,
    zipped,
)
from trading.domain.types import CHINA, BookStatus, Level, Quote
from trading.market_data.sources import open_source, read_corporate_actions
from trading.market_data.sources.forms import FORMS, PHASED_DAY, SSE_DAY, SSE_MARKET

pytestmark = pytest.mark.fast


def at(clock: str, quotes: list[Quote]) -> Quote:
    return next(quote for quote in quotes if quote.time.strftime("%H:%M:%S") == clock)


@needs(MOUTAI)
def test_one_symbol_s_day_beside_its_orders_and_trades():
    recording = recorded(MOUTAI)
    quotes = list(recording.quotes())
    assert (recording.name, len(recording), recording.symbols) == (
        MOUTAI.name,
        5109,
        ("600519.SH",),
    )
    assert recording.sessions == (date(2023, 2, 1),)
    assert recording.sha256 == hashlib.sha256(MOUTAI.read_bytes()).hexdigest()
    assert not recording.warnings
    opening = at("09:25:03", quotes)
    assert (opening.last, opening.previous_close) == (Decimal("1854.98"), Decimal("1845.76"))
    assert (opening.volume, opening.amount) == (32800, Decimal("60843344"))
    assert opening.bids[0] == Level(Decimal("1854.00"), 100)
    assert len(at("11:29:57", quotes).bids) == len(at("11:29:57", quotes).asks) == 10


@needs(MOUTAI)
def test_shanghai_s_trade_is_continuous_only_while_the_market_trades():
    counted = Counter(
        (quote.status, quote.time.time() < time(9, 30), quote.time.time() >= time(14, 57))
        for quote in recorded(MOUTAI).quotes()
    )
    assert counted[BookStatus.CONTINUOUS, True, False] == 0
    assert counted[BookStatus.AUCTION, True, False] == 127
    assert counted[BookStatus.AUCTION, False, True] == 64
    assert counted[BookStatus.BREAK, False, False] == 91  # lunch, one a minute
    assert counted[BookStatus.CLOSED, False, True] == 42


@needs(MOUTAI)
def test_an_auction_s_unmatched_rest_is_no_level():
    auction = at("09:15:03", list(recorded(MOUTAI).quotes()))
    assert auction.bids == auction.asks == (Level(Decimal("1844.88"), 400),)
    assert auction.last == 0


@needs(STAR_DAY)
def test_a_star_day_with_its_limits_and_breaks():
    recording = recorded(STAR_DAY)
    quotes = list(recording.quotes())
    assert (len(recording), recording.symbols) == (2386, ("688293.SH",))
    assert {quote.limit_up for quote in quotes} == {Decimal("134.76")}
    assert {quote.limit_down for quote in quotes} == {Decimal("89.84")}
    statuses = {
        clock: at(clock, quotes).status
        for clock in ("09:25:02", "09:30:05", "11:30:23", "14:57:02")
    }
    assert list(statuses.values()) == [
        BookStatus.BREAK,
        BookStatus.CONTINUOUS,
        BookStatus.BREAK,
        BookStatus.AUCTION,
    ]
    assert at("15:05:02", quotes).status is BookStatus.AFTER_HOURS
    assert at("15:05:02", quotes).time.microsecond == 220_000
    assert at("15:30:23", quotes).status is BookStatus.CLOSED


@needs(THIRTY)
def test_a_morning_of_thirty_symbols_in_order_of_time():
    recording = recorded(THIRTY)
    quotes = list(recording.quotes())
    assert (len(quotes), len(recording.symbols)) == (32972, 30)
    assert all(before.time <= after.time for before, after in pairwise(quotes))
    assert Counter(len(quote.bids) for quote in quotes)[10] > 30_000
    assert {quote.last.as_tuple().exponent for quote in quotes if quote.last} == {
        -2
    }  # 6.400000000000001 is 6.40


@needs(MOUTAI)
@needs(THIRTY)
@pytest.mark.parametrize(("source", "seconds"), [(MOUTAI, 1), (THIRTY, 6)])
def test_a_day_is_read_in_seconds(source, seconds):
    began = process_time()
    open_source(source)
    assert process_time() - began <= seconds


@pytest.mark.parametrize("form", [SSE_DAY, PHASED_DAY, SSE_MARKET], ids=lambda form: form.name)
def test_every_form_is_known_by_its_header(form, tmp_path):
    stamp = {
        "sse-day": {"UpdateTime": "09:30:03.000"},
        "phased-day": {"MDDate": "2023.03.23", "MDTime": "09:30:03.000"},
        "sse-market": {"DateTime": "2023.03.23T09:30:03.000"},
    }[form.name]
    word = {"sse-day": "TRADE", "phased-day": "3", "sse-market": "TRADE"}[form.name]
    columns = (*form.required, "Other")
    line = filled(
        columns,
        {
            **stamp,
            form.symbol: "600519",
            form.last: "10.5",
            form.previous_close: "10",
            form.status: word,
            form.bid_prices[0]: "10.49",
            form.bid_quantities[0]: "300",
        },
    )
    path = write(tmp_path, rows(",".join(columns), line), "20230323/snapshot.csv")
    (quote,) = open_source(path).quotes()
    assert quote.symbol == "600519.SH"
    assert quote.time == datetime(2023, 3, 23, 9, 30, 3, tzinfo=CHINA)
    assert quote.last == Decimal("10.5")
    assert quote.bids == (Level(Decimal("10.49"), 300),)
    assert quote.status is BookStatus.CONTINUOUS
    assert len({other.name for other in FORMS}) == 4


def test_a_bare_code_gets_the_exchange_its_form_is_known_for(tmp_path):
    columns = SSE_MARKET.required
    line = filled(columns, {"SecurityID": "000001", "DateTime": "2021.12.01T09:30:00.000"})
    path = write(tmp_path, rows(",".join(columns), line))
    with pytest.raises(
        Exception, match="SecurityID is '000001'"
    ):  # the index 000001.SH is no share
        open_source(path)


def test_a_status_nobody_knows_is_unknown_and_said_once(tmp_path):
    columns = SSE_MARKET.required
    values = {
        "SecurityID": "600519",
        "LastPx": "10",
        "PreClosePx": "10",
        "InstrumentStatus": "NEW",
    }
    lines = [
        filled(columns, {**values, "DateTime": f"2021.12.01T09:30:0{second}"})
        for second in range(3)
    ]
    recording = open_source(write(tmp_path, rows(",".join(columns), *lines)))
    assert {quote.status for quote in recording.quotes()} == {BookStatus.UNKNOWN}
    assert [text.en for text in recording.warnings] == [
        "day.csv: the status 'NEW' is unknown; nothing is decided on such rows"
    ]


PLAIN = "time,symbol,last,previous_close"


def test_f166_one_file_may_write_its_times_in_every_usual_way(tmp_path):
    written = [
        "2021-12-01 09:30:00",
        "2021.12.01T09:30:01.5",
        "20211201 09:30:02",
        "2021/12/1 9:31",
    ]
    written += ["2021-12-01T09:31:01+08:00", "2021-12-01T01:31:02Z"]
    path = write(tmp_path, rows(PLAIN, *(f"{text},600036,10.5,10" for text in written)))
    assert [quote.time.strftime("%H:%M:%S.%f")[:10] for quote in open_source(path).quotes()] == [
        "09:30:00.0",
        "09:30:01.5",
        "09:30:02.0",
        "09:31:00.0",
        "09:31:01.0",
        "09:31:02.0",
    ]


def test_a_plain_file_needs_three_columns_only(tmp_path):
    recording = open_source(
        write(tmp_path, rows("time,symbol,last", "2021-12-01 09:30:00,SH600036,10.5"))
    )
    (quote,) = recording.quotes()
    assert (quote.symbol, quote.last, quote.volume, quote.bids) == (
        "600036.SH",
        Decimal("10.5"),
        0,
        (),
    )
    assert quote.status is BookStatus.CONTINUOUS  # by the clock
    assert quote.previous_close == Decimal("10.5")
    assert "no previous close for 2021-12-01" in recording.warnings[0].en


def test_a_plain_file_may_say_everything(tmp_path):
    header = f"{PLAIN},open,high,low,volume,amount,bid1,bid1_quantity,bid2,bid2_quantity,ask1,ask1_quantity"
    line = "2021-12-01 09:31:00,510300,4.1234,4,4.1,4.2,4.0,1000,4100.5,4.12,300,0,200,4.123,100"
    path = write(tmp_path, rows(f"{header},status,limit_up,limit_down", f"{line},halted,4.4,3.6"))
    with pytest.raises(Exception, match=r"a price on the tick of 0\.001"):
        open_source(path)
    path.write_text(path.read_text().replace("4.1234", "4.123000000001"))
    (quote,) = open_source(path).quotes()
    assert quote.last == Decimal("4.123")
    assert quote.bids == (Level(Decimal("4.12"), 300),)
    assert quote.asks == (Level(Decimal("4.123"), 100),)
    assert (quote.limit_up, quote.limit_down) == (Decimal("4.4"), Decimal("3.6"))
    assert quote.suspended


def test_the_second_session_s_previous_close_is_the_last_price_of_the_first(tmp_path):
    lines = [
        "2021-12-01 09:30:00,600036,10",
        "2021-12-01 14:56:00,600036,11",
        "2021-12-02 09:30:00,600036,10.8",
    ]
    recording = open_source(write(tmp_path, rows("time,symbol,last", *lines)))
    assert [quote.previous_close for quote in recording.quotes()] == [10, 10, 11]
    assert len(recording.warnings) == 1
    assert recording.sessions == (date(2021, 12, 1), date(2021, 12, 2))


def test_a_directory_is_read_as_one_source(tmp_path):
    folder = tmp_path / "week"
    write(
        folder,
        rows(PLAIN, "2021-12-02 09:30:00,600036,10.5,10", "2021-12-02 09:30:03,600036,10.6,10"),
        "b.csv",
    )
    write(folder, rows(PLAIN, "2021-12-02 09:30:00,000001,12.5,12"), "a.csv")
    zipped(
        folder,
        {"c/snapshot.csv": rows(PLAIN, "2021-12-01 09:30:00,600036,10,10"), "c/trade.csv": "x"},
        "c.zip",
    )
    recording = open_source(folder)
    assert [(quote.symbol, quote.last) for quote in recording.quotes()] == [
        ("600036.SH", 10),
        ("000001.SZ", Decimal("12.5")),
        ("600036.SH", Decimal("10.5")),
        ("600036.SH", Decimal("10.6")),
    ]
    sums = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir())
    assert recording.sha256 == hashlib.sha256("\n".join(sums).encode()).hexdigest()
    assert recording.name == "week"


def test_quotes_can_be_read_twice(tmp_path):
    recording = open_source(write(tmp_path, rows(PLAIN, "2021-12-02 09:30:00,600036,10.5,10")))
    assert list(recording.quotes()) == list(recording.quotes())


def test_the_examples_of_the_manual_are_read(tmp_path):
    manual = Path(__file__).resolve().parents[3] / "docs" / "replay-sources.md"
    examples = re.findall(r"```csv\n(.*?)```", manual.read_text(encoding="utf-8"), re.DOTALL)
    paths = [write(tmp_path, text, f"{number}.csv") for number, text in enumerate(examples)]
    assert [len(open_source(path)) for path in paths[:-1]] == [2, 8, 4]
    assert len(read_corporate_actions(paths[-1])) == 1
