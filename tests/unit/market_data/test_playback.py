from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.unit.paper.market_day import BANK, FRIDAY, MONDAY, STAR, at, quote
from trading.market_data.playback import RecordingSource
from trading.market_data.sources import Recording

pytestmark = [pytest.mark.fast, pytest.mark.system]

QUOTES = (
    quote("14:59", "9.80", on=FRIDAY),
    quote("09:30", "10.00"),
    quote("09:30", "50.00", symbol=STAR),
    quote("09:30:03", "10.10"),
    quote("09:30:06", "10.20"),
)


def source() -> RecordingSource:
    symbols, sessions = (BANK, STAR), (FRIDAY, MONDAY)
    return RecordingSource(Recording("made up", "0" * 64, sessions, symbols, (), 10, QUOTES))


def test_each_quote_comes_once_when_its_time_has_come():
    played = source()
    assert played.quotes(at("09:00", FRIDAY)) == []
    assert played.quotes(at("15:00", FRIDAY)) == [QUOTES[0]]
    assert played.quotes(at("09:30:03")) == list(QUOTES[1:4])
    assert played.quotes(at("09:30:03")) == []
    assert played.quotes(at("15:00")) == [QUOTES[4]]
    assert played.quotes(at("15:00") + timedelta(days=9)) == []


def test_who_begins_in_the_middle_sees_the_newest_of_each_symbol_only():
    assert [one.last for one in source().quotes(at("09:30:04"))] == [
        Decimal("50.00"),
        Decimal("10.10"),
    ]
