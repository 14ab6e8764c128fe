"""In the demo a grid buys and sells within minutes, on any day; its past can be walked again."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest

from grid.domain.preview import Market
from grid.domain.rehearsal import rehearse
from grid.domain.rules import build
from grid.domain.templates import TEMPLATES
from tests.unit.grid.cases import d
from trading.domain.calendar import TradingCalendar
from trading.domain.fees import FeeSchedule
from trading.domain.types import CHINA, BookStatus, Symbol
from trading.market_data.demo import DemoMarket, demo_holdings, demo_instruments

pytestmark = [pytest.mark.fast, pytest.mark.grid]

FUND, STOCK = Symbol("513100.SH"), Symbol("600200.SH")
DAYS = tuple(date(2026, 11, 2) + timedelta(days=n) for n in range(19) if n % 7 < 5)
CALENDAR = TradingCalendar(DAYS, DAYS[0], DAYS[-1])


def opening(symbol, on, minutes):
    """Return the first minutes of a session."""
    until = datetime.combine(on, time(9, 30), CHINA) + timedelta(minutes=minutes)
    found = []
    for quote in DemoMarket(CALENDAR).session(symbol, on):
        if quote.time >= until:
            break
        found.append(quote)
    return found


@pytest.mark.parametrize("on", DAYS[1:6])
def test_the_lot_grid_of_the_manual_buys_and_sells_within_a_quarter_of_an_hour(on):
    rules = build("lot", {"max_investment": d(30000), "grid_take_profit_ratio": d("0.03")})
    market = Market(demo_instruments()[FUND], FeeSchedule(), on)
    found = rehearse(opening(FUND, on, 15), rules, market, 0)
    assert found.buys >= 1
    assert found.rounds >= 1


@pytest.mark.parametrize("on", DAYS[1:6])
def test_the_aggressive_template_buys_and_sells_within_half_an_hour(on):
    rules = TEMPLATES["aggressive"].rules(d(30000))
    market = Market(demo_instruments()[STOCK], FeeSchedule(), on)
    held = {one.symbol: one.quantity for one in demo_holdings()}[STOCK]
    found = rehearse(opening(STOCK, on, 30), rules, market, held, centre=d(10))
    assert found.buys >= 1
    assert found.rounds >= 1


def test_a_past_session_walked_again_is_what_was_shown_live():
    market, on = DemoMarket(CALENDAR), DAYS[3]
    day = datetime.combine(on, time(9, 30), CHINA)
    live = [
        quote
        for quote in market.quotes(day, day + timedelta(minutes=3))
        if quote.symbol == STOCK and quote.status is BookStatus.CONTINUOUS
    ]
    assert live
    again = [one for one in opening(STOCK, on, 3) if one.time > day]
    assert again == [one for one in live if one.time < day + timedelta(minutes=3)]
