"""Reference data of the terminal become values of ours, in whatever form its library gives them."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.unit.paper.market_day import (
    BANK,
    BOND_FUND,
    CALENDAR,
    FRIDAY,
    MONDAY,
    TUESDAY,
    at,
    quote,
)
from tests.unit.paper.market_day import exchange as an_exchange
from trading.broker import xt_reference
from trading.domain.instruments import Category, instrument_for
from trading.domain.reference import (
    Dividend,
    HistoryBar,
    InstrumentDetail,
    Period,
    differences,
    from_row,
    to_row,
)
from trading.domain.types import CHINA, Symbol
from trading.errors import GatewayUnavailable
from trading.paper import transport, xtdata
from trading.paper.terminal import Terminal
from trading.services.reference_process import read_apart

pytestmark = pytest.mark.fast

ADDRESS = "memory://reference"
DETAIL = InstrumentDetail(
    BANK, "招商银行", MONDAY, Decimal("10.00"), Decimal("11.00"), Decimal("9.00"),
    Decimal("0.01"), False, Category.STOCK, None, None,
)  # fmt: skip
DIVIDEND = Dividend(
    BANK, FRIDAY, Decimal("0.5"), Decimal("0.1"), Decimal("0.2"), Decimal(0), Decimal(0),
    Decimal("1.25"),
)  # fmt: skip
BAR = HistoryBar(
    BANK, datetime(2026, 8, 7, tzinfo=CHINA), Decimal("9.90"), Decimal("10.10"), Decimal("9.80"),
    Decimal("10.00"), 12_300, Decimal("123000.00"), Decimal("9.85"), False,
)  # fmt: skip
MINUTE = replace(BAR, at=datetime(2026, 8, 7, 9, 31, tzinfo=CHINA))


@pytest.fixture
def twin():
    market = an_exchange()
    terminal = Terminal(market)
    terminal.bars, terminal.dividends = [BAR, MINUTE], [DIVIDEND]
    terminal.step(at("09:31"))
    terminal.feed([quote("09:31")])
    transport.serve_in_process(ADDRESS, terminal)
    yield xtdata.connect_to(ADDRESS)
    transport.forget(ADDRESS)


# -- the twin answers like the terminal


def test_the_details_of_the_day(twin):
    read = xt_reference.read_details(twin, [BANK, BOND_FUND, Symbol("600999.SH")])
    bank, fund = read.rows
    assert bank == DETAIL
    assert (fund.category, fund.price_step) == (Category.FUND, Decimal("0.001"))
    assert read.refused == {("600999.SH", "detail"): 1}


def test_trading_dates_and_the_calendar(twin):
    dates = xt_reference.read_trading_dates(twin, "SH", FRIDAY, MONDAY)
    assert (dates.rows, dates.refused) == ((FRIDAY, MONDAY), {})
    assert xt_reference.read_calendar(twin, "SZ", FRIDAY, TUESDAY).rows == (
        FRIDAY,
        MONDAY,
        TUESDAY,
    )
    with pytest.raises(GatewayUnavailable, match="超出现有节假日数据"):
        xt_reference.read_calendar(twin, "SH", FRIDAY, CALENDAR.known_until.replace(year=2027))
    assert xt_reference.read_trading_dates(twin, "SH", TUESDAY, TUESDAY).refused == {
        ("SH", "dates"): 1
    }


def test_ex_rights_days_are_the_events_that_scale_costs(twin):
    read = xt_reference.read_dividends(twin, [BANK, BOND_FUND], FRIDAY, MONDAY)
    assert read.rows == (DIVIDEND,)
    action = read.rows[0].action()
    assert (action.factor, action.share_ratio, action.cash_per_share) == (
        Decimal("0.8"),
        Decimal("1.3"),
        Decimal("0.5"),
    )
    assert xt_reference.read_dividends(twin, [BANK], MONDAY, TUESDAY).rows == ()


@pytest.mark.parametrize(
    ("period", "last", "ends"),
    [
        (Period.DAY, FRIDAY, [BAR.at]),
        (Period.DAY, MONDAY, [BAR.at, at("00:00")]),  # the running session is among them
        (Period.MINUTE, MONDAY, [MINUTE.at]),
    ],
)
def test_bars_of_days_and_minutes(twin, period, last, ends):
    read = xt_reference.read_bars(twin, [BANK], period, FRIDAY, last)
    assert [one.at for one in read.rows] == ends
    assert replace(read.rows[0], at=BAR.at) == BAR
    assert read.refused == {}


def test_f136_a_symbol_without_history_is_told_and_only_periods_of_the_vendor_can_be_asked(twin):
    read = xt_reference.read_bars(twin, [BOND_FUND], Period.DAY, FRIDAY, FRIDAY)
    assert (read.rows, read.refused) == ((), {(BOND_FUND, "bars"): 1})
    assert [one.value for one in Period] == ["1d", "1m", "5m"]
    with pytest.raises(ValueError, match="'day' is not a valid Period"):
        Period("day")
    # What the wrong name does at the terminal, and did: an empty answer.
    assert len(twin.get_market_data_ex([], [BANK], "day")[BANK]) == 0


# -- every form a number comes in


class Vendor:
    """Looks like the vendor's module; answers with what a test hands it, and remembers what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        def answer(*given: Any) -> Any:
            self.asked.append((name, *given))
            found = self.answers.get(name)
            if isinstance(found, Exception):
                raise found
            return found

        answer.__name__ = name
        return answer


def bars(**changes: Any) -> Vendor:
    row = {
        "time": np.int64(1786032000000), "open": np.float32(9.9), "high": np.float64(10.1),
        "low": np.float64(9.8), "close": np.float64(10.000000000000002),
        "volume": np.int64(123), "amount": np.float64(123000.0),
        "preClose": np.float64(9.85), "suspendFlag": np.int32(0),
    } | changes  # fmt: skip
    return Vendor(get_market_data_ex={BANK: pd.DataFrame([row], index=["20260807"])})


def read_bar(vendor: Vendor) -> Any:
    return xt_reference.read_bars(vendor, [BANK], Period.DAY, FRIDAY, FRIDAY)


def test_f140_no_type_of_another_library_comes_through():
    [bar] = read_bar(bars()).rows
    assert bar == BAR
    kinds = {type(getattr(bar, one.name)) for one in fields(bar)}
    assert kinds == {str, datetime, Decimal, int, bool}
    assert type(bar.at) is datetime


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"close": np.float64("nan")}, "close"),
        ({"open": None}, "open"),
        ({"high": "10.1"}, "high"),
        ({"low": np.float64("-inf")}, "low"),
        ({"close": 0.0}, "close"),
        ({"close": 11.0}, "close"),  # outside the day
        ({"preClose": pd.NaT}, "preClose"),
        ({"suspendFlag": None}, "suspendFlag"),
        ({"time": None}, "time"),
        ({"volume": -1}, "volume"),
        ({"volume": 7}, "volume"),  # in no unit does the turnover fit
        ({"amount": float("inf")}, "amount"),
    ],
)
def test_f140_a_field_that_is_no_number_refuses_its_row_and_is_counted(changes, name):
    read = read_bar(bars(**changes))
    assert (read.rows, read.refused) == ((), {(BANK, name): 1})


@pytest.mark.parametrize("volume", [123, 12_300], ids=["lots", "shares"])
def test_volumes_are_shares_whatever_unit_they_come_in(volume):
    [bar] = read_bar(bars(volume=np.int64(volume))).rows
    assert bar.volume == 12_300


def test_f141_days_go_out_in_the_one_form_the_vendor_knows_and_an_empty_answer_is_said():
    vendor = Vendor(get_market_data_ex={}, get_divid_factors=pd.DataFrame(), get_trading_dates=[])
    first, last = date(2026, 7, 1), date(2026, 8, 7)
    assert xt_reference.read_bars(vendor, [BANK], Period.DAY, first, last).refused
    assert xt_reference.read_trading_dates(vendor, "SH", first, last).refused
    assert xt_reference.read_dividends(vendor, [BANK], first, last).rows == ()
    spans = {
        call[0]: [one for one in call if str(one).startswith("2026")] for call in vendor.asked
    }
    assert spans.keys() == {
        "download_history_data",
        "get_market_data_ex",
        "get_trading_dates",
        "get_divid_factors",
    }
    assert all(span == ["20260701", "20260807"] for span in spans.values())


@pytest.mark.parametrize(
    ("index", "row"),
    [
        ("20260807", {}),
        (20260807, {}),
        ("19700101", {"time": np.float64(1786032000000.0)}),
    ],
)
def test_f141_an_ex_rights_day_is_read_from_its_time_or_its_index(index, row):
    numbers = dict.fromkeys(("interest", "stockBonus", "stockGift", "allotNum", "allotPrice"), 0.0)
    table = pd.DataFrame([{**numbers, "dr": np.float64(1.25), **row}], index=[index])
    read = xt_reference.read_dividends(Vendor(get_divid_factors=table), [BANK], FRIDAY, FRIDAY)
    assert [one.on for one in read.rows] == [FRIDAY]


@pytest.mark.parametrize("divisor", [0.0, float("nan"), -1.0, None, 0.8])
def test_an_ex_rights_day_without_a_divisor_is_refused(divisor):
    numbers = dict.fromkeys(("interest", "stockBonus", "stockGift", "allotNum", "allotPrice"), 0.0)
    table = pd.DataFrame([{**numbers, "dr": divisor}], index=["20260807"])
    read = xt_reference.read_dividends(Vendor(get_divid_factors=table), [BANK], FRIDAY, FRIDAY)
    assert (read.rows, read.refused) == ((), {(BANK, "dr"): 1})


def raw(**changes: Any) -> dict[str, Any]:
    return {
        "InstrumentID": "600036", "ExchangeID": "SH", "InstrumentName": "招商银行",
        "TradingDay": "20260810", "PreClose": 10.0, "UpStopPrice": 11.000000000000002,
        "DownStopPrice": 9.0, "PriceTick": 0.01, "InstrumentStatus": 0, "OpenDate": "0",
        "ExpireDate": "99999999",
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, {}),
        ({"InstrumentStatus": 3}, {"suspended": True}),
        ({"InstrumentStatus": -1}, {"suspended": False}),  # back from a suspension
        ({"UpStopPrice": 0.0, "DownStopPrice": 0.0}, {"limit_up": None, "limit_down": None}),
        ({"UpStopPrice": 999999.99}, {"limit_up": None}),
        ({"OpenDate": 20020409}, {"listed_on": date(2002, 4, 9)}),
        ({"ExpireDate": 20270101}, {"ends_on": date(2027, 1, 1)}),
        ({"TradingDay": ""}, {"trading_day": None}),
        ({"PriceTick": 0.0}, {"price_step": None}),
    ],
)
def test_details_in_the_forms_of_different_clients(changes, wanted):
    vendor = Vendor(get_instrument_detail=raw(**changes), get_instrument_type={"stock": True})
    assert xt_reference.read_details(vendor, [BANK]).rows == (replace(DETAIL, **wanted),)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"InstrumentID": "600000"}, "InstrumentID"),
        ({"PreClose": float("nan")}, "PreClose"),
        ({"UpStopPrice": None}, "UpStopPrice"),
        ({"InstrumentStatus": "停牌"}, "InstrumentStatus"),
    ],
)
def test_details_with_rubbish_in_them_are_refused(changes, name):
    vendor = Vendor(get_instrument_detail=raw(**changes), get_instrument_type={})
    read = xt_reference.read_details(vendor, [BANK])
    assert (read.rows, read.refused) == ((), {(BANK, name): 1})


def test_what_the_vendor_raises_is_a_terminal_that_does_not_answer():
    vendor = Vendor(get_instrument_detail=Exception("无法连接xtquant服务"))
    with pytest.raises(GatewayUnavailable, match="无法连接"):
        xt_reference.read_details(vendor, [BANK])


# -- against our own knowledge


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, []),
        ({"limit_up": Decimal("10.50")}, ["limits 9.00–10.50, the rules say 9.00–11.00"]),
        ({"limit_up": None}, ["states no limits"]),
        ({"previous_close": Decimal(0)}, ["no previous close"]),
        ({"price_step": Decimal("0.001")}, ["price step 0.001, we have 0.01"]),
        ({"price_step": None, "category": None}, []),
        ({"category": Category.FUND}, ["category fund, we have stock"]),
        ({"name": "*ST招行"}, ["special treatment (ST) True, we have False"]),
        ({"trading_day": FRIDAY}, ["still states 2026-08-07, not 2026-08-10"]),
        (
            {"limit_up": Decimal("10.50"), "price_step": Decimal("0.001")},
            ["the rules say", "price step"],
        ),
    ],
)
def test_what_the_terminal_states_is_compared_with_the_rules_in_words(changes, says):
    found = differences(replace(DETAIL, **changes), instrument_for(BANK, "招商银行"), MONDAY)
    assert len(found) == len(says)
    for text, part in zip(found, says, strict=True):
        assert part in text.en
        assert BANK in text.zh


# -- from process to process


@pytest.mark.parametrize("value", [DETAIL, replace(DETAIL, listed_on=FRIDAY), DIVIDEND, BAR])
def test_a_value_goes_through_json_unchanged(value):
    assert from_row(type(value), to_row(value)) == value


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import os; os.abort()", "ended with code"),
        ("raise SystemExit('no terminal')", "code 1: no terminal"),
        ("import time; time.sleep(30)", "took longer than"),
        ("print('hello')", "cannot be understood"),
    ],
)
def test_f113_a_reading_that_crashes_hangs_or_talks_rubbish_ends_alone(code, says):
    with pytest.raises(GatewayUnavailable, match=says):
        read_apart([], deadline=2.0, command=(sys.executable, "-c", code))


def test_a_reading_says_its_rows_and_what_was_refused():
    code = """print('{"refused": [["600036.SH", "close", 1]]}'); print('{"a": 1}')"""
    assert read_apart([], command=(sys.executable, "-c", code)) == (
        [{"a": 1}],
        [("600036.SH", "close", 1)],
    )
