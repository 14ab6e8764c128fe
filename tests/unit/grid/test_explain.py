"""What a session waits for is said with the very prices at which the rules act."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from grid.domain.explain import explain, ladder
from grid.domain.ledger import Ledger
from grid.domain.rules import step
from grid.domain.state import Trade, start
from tests.unit.grid.cases import (
    TODAY,
    at,
    centred,
    d,
    facts,
    fill,
    follow,
    lots,
    quote,
    with_ledger,
)
from trading.domain.types import Side

pytestmark = [pytest.mark.fast, pytest.mark.grid]

YESTERDAY = TODAY - timedelta(days=1)


def said(state, price, rules, known=None, seconds=0):
    found = explain(state, d(price), rules, at(seconds), known or facts())
    return " ".join(text.en for text in found), " ".join(text.zh for text in found)


def test_between_its_lines_a_centred_grid_names_both():
    en, zh = said(start(d(10)), "10.20", centred())
    assert "a sale needs more than 10.50, a buy less than 9.50" in en
    assert "高于 10.50 才会卖出，低于 9.50 才会买入" in zh
    assert "Budget left: 20000.00 yuan." in en


@pytest.mark.parametrize(
    ("path", "word", "turns_at", "side"),
    [(["10.80"], "follows the peak 10.80", "10.7471", Side.SELL), (["9.20"], "follows the valley 9.20", "9.2451", Side.BUY)],
)  # fmt: skip
def test_an_armed_grid_names_the_price_at_which_the_next_quote_trades(path, word, turns_at, side):
    state, _ = follow(path, centred())
    en, _ = said(state, path[-1], centred())
    assert word in en
    assert turns_at in en
    beyond = Decimal("-0.01") if side is Side.SELL else Decimal("0.01")
    short = quote(d(turns_at).quantize(Decimal("0.01")) - beyond, 10)
    there = quote(d(turns_at).quantize(Decimal("0.01")) + beyond, 10)
    assert step(state, short, centred(), short.time, facts())[1] is None
    decided = step(state, there, centred(), there.time, facts())[1]
    assert isinstance(decided, Trade)
    assert decided.side is side


def test_a_cooldown_is_named_with_its_end_and_no_longer_once_it_is_over():
    state = replace(start(d(10)), last_buy_at=at(0))
    assert "Cooldown of buying until 09:35:00." in said(state, "10", centred(), seconds=10)[0]
    assert "Cooldown" not in said(state, "10", centred(), seconds=300)[0]


def test_a_trade_under_way_is_all_there_is_to_say():
    state, _ = follow(["9.20", "9.30"], centred())
    assert state.pending is not None
    en, zh = said(state, "9.30", centred())
    assert en.startswith("A trade is under way")
    assert zh.startswith("交易进行中")
    assert "Budget" not in en


def test_a_lot_grid_names_its_next_buy_and_when_its_lots_are_due():
    known = with_ledger(facts(), fill(1, "buy", 500, "9.80", on=YESTERDAY))
    en, zh = said(start(d(10)), "9.90", lots(), known)
    assert "The next buy needs 9.604 or less" in en
    assert "takes its profit at 10.584, the first stops at 8.82" in en
    assert "最近止盈价 10.584" in zh
    assert "T+1" not in en


@pytest.mark.parametrize(
    ("price", "en", "zh"),
    [
        ("9.604", "has reached the level of the next buy, 9.604", "已到达下一买入档 9.604"),
        ("9.50", "9.50 has reached the level of the next buy, 9.604", "现价 9.50 已到达"),
        ("9.61", "9.604 or less, 0.06% below 9.61", "较现价 9.61 低 0.06%"),
    ],
)
def test_a_level_that_was_crossed_already_is_not_called_a_distance(price, en, zh):
    known = with_ledger(facts(), fill(1, "buy", 500, "9.80", on=YESTERDAY))
    english, chinese = said(start(d(10)), price, lots(), known)
    assert en in english
    assert zh in chinese


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ("11", "11.00 is above the upper line"),
        ("9", "9.00 is below the lower line"),
        ("10", "10.00 lies between the lines"),
    ],
)
def test_a_price_beyond_a_line_that_nobody_follows_yet_is_not_called_between_the_lines(
    price, words
):
    assert words in said(start(d(10)), price, centred())[0]


def test_a_lot_bought_today_waits_for_the_next_session_and_a_full_grid_buys_no_more():
    known = with_ledger(facts(), fill(1, "buy", 500, "9.80"))
    en, _ = said(start(d(10)), "9.90", lots(max_lots=1), known)
    assert "as many as it may have (max_lots)" in en
    assert "500 shares were bought today" in en


def test_an_unknown_holding_is_said():
    assert "What is held is not known" in said(start(d(10)), "10", centred(), facts(held=None))[0]


def test_the_ladder_of_a_running_lot_grid_goes_on_from_its_cheapest_lot_within_its_budget():
    known = with_ledger(facts(), fill(1, "buy", 500, "9.80"))
    found = ladder(start(d(10)), lots(max_investment="12000"), known)
    assert [(line.side, line.price, line.quantity) for line in found] == [
        (Side.BUY, d("9.604"), 500),
        (Side.BUY, d("9.604") * d("0.98"), 200),
    ]
    spent = sum(line.price * line.quantity for line in found) + 4900
    assert spent <= 12000


def test_the_ladder_of_a_centred_grid_begins_at_its_present_centre():
    found = ladder(start(d(12)), centred(), facts())
    assert [line.price for line in found][:2] == [d("12.60"), d("11.40")]
    assert ladder(start(d(12)), centred(), facts(Ledger(), sellable=0))[0].side is Side.BUY
