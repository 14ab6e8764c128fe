"""The ledger: lots from fills, exact (rules §3, Ledger)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from grid.domain.ledger import GridFill, Ledger, book, rebuild, scaled
from tests.unit.grid.cases import TODAY, d, fill
from trading.domain.types import Side

pytestmark = [pytest.mark.fast, pytest.mark.grid]


def shown(lots):
    return [f"{lot.id}: {lot.quantity} @ {lot.price:.2f}" for lot in lots]


def test_partial_fills_of_one_order_are_one_lot():
    ledger = rebuild([fill(7, "buy", 300, "9.80", "5"), fill(7, "buy", 200, "9.85", "0.02")])
    assert shown(ledger.lots) == ["7: 500 @ 9.82"]
    assert (ledger.cost, ledger.fees, ledger.quantity) == (d(4910), d("5.02"), 500)


BUYS = [
    fill(1, "buy", 500, "10.00"),
    fill(2, "buy", 500, "9.60"),
    fill(3, "buy", 500, "9.20"),
]


@pytest.mark.parametrize(
    ("sold", "left", "realised"),
    [
        (300, ["1: 500 @ 10.00", "2: 500 @ 9.60", "3: 200 @ 9.20"], "300"),
        (500, ["1: 500 @ 10.00", "2: 500 @ 9.60"], "500"),
        (700, ["1: 500 @ 10.00", "2: 300 @ 9.60"], "620"),
        (1500, [], "900"),
    ],
)
def test_style_b_closes_the_newest_lots_first(sold, left, realised):
    ledger = rebuild([*BUYS, fill(4, "sell", sold, "10.20")])
    assert shown(ledger.lots) == left
    assert ledger.realised == d(realised)
    assert ledger.unmatched == ()


def test_style_a_closes_the_lots_its_order_names():
    ledger = rebuild([*BUYS, fill(4, "sell", 700, "10.20", lots=(3, 1))])
    assert shown(ledger.lots) == ["1: 300 @ 10.00", "2: 500 @ 9.60"]
    assert ledger.realised == d("540")  # 500 × 1.00 + 200 × 0.20


def test_partial_fills_of_a_sale_go_through_its_lots_in_their_order():
    parts = [fill(4, "sell", n, "10.20", lots=(3, 1)) for n in (100, 450, 150)]
    assert (
        rebuild([*BUYS, *parts]).lots
        == rebuild([*BUYS, fill(4, "sell", 700, "10.20", lots=(3, 1))]).lots
    )


def test_f094_a_sale_out_of_the_base_holding_is_paired_with_the_next_buy():
    ledger = rebuild([fill(1, "sell", 300, "10.50", "6")])
    assert (shown(ledger.unmatched), ledger.quantity) == (["1: 300 @ 10.50"], 0)
    assert ledger.realised == 0
    ledger = book(ledger, fill(2, "buy", 500, "10.00", "5"))
    assert ledger.unmatched == ()
    assert shown(ledger.lots) == ["2: 200 @ 10.00"]
    assert ledger.realised == d("141.00")  # 300 × 0.50 − 6 − 3
    assert ledger.lots[0].fees == 2


def test_what_a_sale_does_not_find_in_lots_is_unmatched():
    ledger = rebuild([fill(1, "buy", 200, "10"), fill(2, "sell", 500, "10.50")])
    assert (ledger.lots, shown(ledger.unmatched)) == ((), ["2: 300 @ 10.50"])
    assert ledger.realised == 100


def test_the_newest_unmatched_sale_is_closed_first():
    ledger = rebuild(
        [fill(1, "sell", 300, "10.50"), fill(2, "sell", 300, "11"), fill(3, "buy", 400, "10")]
    )
    assert shown(ledger.unmatched) == ["1: 200 @ 10.50"]
    assert ledger.realised == d("350")


def test_profit_is_marked_to_market_with_fees_on_both_sides():
    ledger = rebuild([fill(1, "buy", 1000, "10", "5"), fill(2, "sell", 400, "10.50", "7.10")])
    assert ledger.realised == d("190.90")  # 200 − 2 − 7.10
    assert ledger.unrealised(d("9.90")) == d("-63.00")  # −60 − 3
    assert ledger.profit(d("9.90")) == d("127.90")
    short = rebuild([fill(1, "sell", 400, "10.50", "7.10")])
    assert short.profit(d("10")) == d("192.90")


def test_thirds_are_not_lost():
    ledger = rebuild(
        [
            fill(1, "buy", 300, "3.3333", "5"),
            *(fill(n, "sell", 100, "3.3333", "1") for n in (2, 3, 4)),
        ]
    )
    assert ledger.lots == ()
    assert ledger.realised == -8
    assert ledger.profit(d(1)) == -8


@pytest.mark.parametrize(("base", "sellable"), [(0, 200), (1000, 900)])
def test_a_grid_may_sell_its_lots_and_what_is_left_of_its_base(base, sellable):
    ledger = rebuild([fill(1, "sell", 300, "10.5")] if base else [])
    ledger = book(ledger, fill(2, "buy", 200, "10"))
    assert ledger.may_sell(base) == sellable


@pytest.mark.parametrize("broken", [{"quantity": 0}, {"price": Decimal(0)}, {"fees": Decimal(-1)}])
def test_a_fill_that_is_none_is_refused(broken):
    values = {
        "order": 1,
        "side": Side.BUY,
        "quantity": 100,
        "price": d(10),
        "fees": d(0),
        "on": TODAY,
    }
    with pytest.raises(ValueError, match="fill"):
        book(Ledger(), GridFill(**{**values, **broken}))


def test_a_corporate_action_scales_lots_and_unmatched_sales_and_keeps_what_was_realised():
    ledger = rebuild([*BUYS, fill(4, "sell", 100, "10.20")])
    split = scaled(ledger, d("0.5"), d(2))
    assert [lot.quantity for lot in split.lots] == [1000, 1000, 800]
    assert [lot.price for lot in split.lots] == [d("5.00"), d("4.80"), d("4.60")]
    assert (split.cost, split.realised) == (ledger.cost, ledger.realised)
    dividend = scaled(ledger, d("0.98"), d(1))
    assert dividend.cost == ledger.cost * d("0.98")
    assert scaled(rebuild([fill(1, "sell", 300, "10")]), d("0.5"), d(2)).unmatched_quantity == 600
    with pytest.raises(ValueError, match="factor"):
        scaled(ledger, d(0), d(1))
