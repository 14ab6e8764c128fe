"""A rehearsal on past quotes decides what the rules decide, and counts it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from grid.domain.preview import Market
from grid.domain.rehearsal import Rehearsal, rehearse
from grid.domain.state import start
from tests.unit.grid.cases import TODAY, centred, d, lots, quote
from tests.unit.grid.cases import Market as Played
from trading.domain.fees import FeeSchedule
from trading.domain.instruments import instrument_for
from trading.domain.types import Symbol

pytestmark = [pytest.mark.fast, pytest.mark.grid]

STOCK = Market(instrument_for(Symbol("600036.SH")), FeeSchedule(), TODAY)
FUND = Market(instrument_for(Symbol("513100.SH")), FeeSchedule(), TODAY)
TOMORROW = TODAY + timedelta(days=1)
DOWN = [quote(price, number * 60) for number, price in enumerate(("10.00", "9.79", "9.59"))]
UP = [quote(price, 3600 + number * 60) for number, price in enumerate(("10.40", "10.60"))]


def test_without_quotes_there_is_nothing_to_say():
    assert rehearse([], lots(), STOCK, 0) == Rehearsal()
    assert rehearse([quote("0")], lots(), STOCK, 0).days == 0


def test_a_stock_bought_today_is_sold_tomorrow_and_a_fund_within_the_day():
    rules = lots(grid_take_profit_ratio="0.03")
    stock = rehearse([*DOWN, *UP], rules, STOCK, 0)
    assert (stock.buys, stock.rounds) == (2, 0)
    fund = rehearse([*DOWN, *UP], rules, FUND, 0)
    assert (fund.buys, fund.rounds) == (2, 1)
    next_day = [quote("10.60", 60, TOMORROW)]
    later = rehearse([*DOWN, *next_day], rules, STOCK, 0)
    assert (later.buys, later.rounds, later.days) == (2, 1, 2)
    assert (later.first, later.until) == (TODAY, TOMORROW)
    assert later.profit > 0


def test_it_ends_where_the_session_would_stop():
    found = rehearse([quote("10"), quote("8.40", 60), quote("9", 120)], centred(), STOCK, 1000)
    assert found.stopped is not None
    assert "deviate" in found.stopped.en
    assert found.quotes == 2


@pytest.mark.parametrize(("rules", "base"), [(lots(max_investment="30000"), 0), (centred(interval="0.01", callback="0.002"), 1000)])  # fmt: skip
def test_it_trades_and_earns_what_the_rules_do_quote_by_quote(rules, base):
    waves = [*range(0, -20, -1), *range(-20, 20), *range(20, 0, -1)]
    prices = [d(10) + d("0.03") * step for step in waves * 3]
    quotes = [quote(price, n * 60) for n, price in enumerate(prices)]
    found = rehearse(quotes, rules, STOCK, base)
    played = Played(rules, start(prices[0]), base=base)
    played.ends_at = quotes[0].time + timedelta(days=7)
    played.play((one.last, one.time) for one in quotes)
    assert found.buys + found.rounds == len(played.trades)
    assert found.profit == played.ledger.profit(prices[found.quotes - 1])
    assert found.buys > 0
