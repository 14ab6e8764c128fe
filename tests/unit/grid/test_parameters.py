"""What a session's parameters may be (rules §3)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from grid.domain.centred_grid import CentredGrid
from grid.domain.lot_grid import LotGrid
from grid.domain.parameters import default_investment, starting_centre
from grid.domain.rules import STYLES, build, parameter_names
from grid.domain.templates import DEFAULT_TEMPLATE, TEMPLATES
from tests.unit.grid.cases import LOT, STAR_LOT, centred, d, lots
from trading.domain.settings import SettingError

pytestmark = [pytest.mark.fast, pytest.mark.grid]


def test_the_lot_grid_has_the_settings_users_know():
    rules = LotGrid(d(50000))
    assert (rules.grid_buy_amount, rules.grid_price_drop) == (d(5000), d("0.02"))
    assert (rules.grid_take_profit_ratio, rules.grid_stop_loss_ratio) == (d("0.08"), d("-0.10"))
    assert (rules.grid_max_hold_days, rules.max_lots) == (30, 10)


def test_the_centred_grid_has_the_moderate_defaults():
    moderate = TEMPLATES[DEFAULT_TEMPLATE].rules(d(20000))
    assert moderate == CentredGrid(d(20000))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conservative", "0.08 0.20 0.008 0.20 0.08 -0.08"),
        ("moderate", "0.05 0.25 0.005 0.15 0.10 -0.10"),
        ("aggressive", "0.03 0.30 0.003 0.10 0.15 -0.15"),
    ],
)
def test_templates(name, expected):
    rules = TEMPLATES[name].rules(d(20000))
    assert isinstance(rules, CentredGrid)
    found = (
        rules.interval,
        rules.position_ratio,
        rules.callback,
        rules.max_deviation,
        rules.target_profit,
        rules.stop_loss,
    )
    assert found == tuple(map(Decimal, expected.split()))


def test_a_template_takes_own_values():
    rules = TEMPLATES["moderate"].rules(d(20000), interval=d("0.06"), duration_days=30)
    assert isinstance(rules, CentredGrid)
    assert (rules.interval, rules.duration_days) == (d("0.06"), 30)


CENTRED_EDGES = [
    ("interval", "0.01", "0.20", {"callback": "0.001", "max_deviation": "0.5"}),
    ("position_ratio", "0.01", "1", {}),
    ("callback", "0.001", "0.10", {"interval": "0.2", "max_deviation": "0.5"}),
    ("max_deviation", "0.05", "0.50", {"interval": "0.04"}),
    ("target_profit", "0.01", "1", {"stop_loss": "-0.01"}),
    ("stop_loss", "-0.50", "-0.001", {"target_profit": "1"}),
    ("duration_days", 1, 365, {}),
]


@pytest.mark.parametrize(("name", "low", "high", "others"), CENTRED_EDGES)
def test_a_value_may_lie_on_both_ends_of_its_range_and_not_beyond(name, low, high, others):
    step = 1 if isinstance(low, int) else d("0.0001")
    for edge in (low, high):
        assert getattr(centred(**others, **{name: edge}), name) == Decimal(edge)
    for beyond in (Decimal(low) - step, Decimal(high) + step):
        value = int(beyond) if isinstance(low, int) else beyond
        with pytest.raises(SettingError) as problem:
            centred(**others, **{name: value})
        assert problem.value.field == name
        assert problem.value.value == value
        assert str(value) in problem.value.text.en
        assert str(value) in problem.value.text.zh


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"callback": "0.05", "interval": "0.05"}, "callback"),
        ({"max_deviation": "0.05", "interval": "0.05"}, "max_deviation"),
        ({"max_investment": "399", "position_ratio": "0.25"}, "max_investment"),
        ({"target_profit": "0.05", "stop_loss": "-0.06"}, "target_profit"),
        ({"trade_mode": "money"}, "trade_mode"),
        ({"duration_days": "7.5"}, "duration_days"),
        ({"fixed_quantity": -100}, "fixed_quantity"),
        ({"interval": "NaN"}, "interval"),
        ({"interval": True}, "interval"),
        ({"max_investment": None}, "max_investment"),
    ],
)
def test_a_centred_grid_that_contradicts_itself_is_refused(named, field):
    with pytest.raises(SettingError) as problem:
        centred(**named)
    assert problem.value.field == field


def test_the_smallest_target_goes_with_the_widest_loss():
    assert centred(target_profit="0.01", stop_loss="-0.50").stop_loss == d("-0.50")
    with pytest.raises(SettingError):
        centred(target_profit="0.01", stop_loss="-0.49")


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"grid_price_drop": "0"}, "grid_price_drop"),
        ({"grid_take_profit_ratio": "0"}, "grid_take_profit_ratio"),
        ({"grid_stop_loss_ratio": "0.10"}, "grid_stop_loss_ratio"),
        ({"grid_max_hold_days": 0}, "grid_max_hold_days"),
        ({"max_lots": 0}, "max_lots"),
        ({"grid_buy_amount": "5000", "max_investment": "4999"}, "max_investment"),
    ],
)
def test_a_lot_grid_out_of_range_is_refused(named, field):
    with pytest.raises(SettingError) as problem:
        lots(**named)
    assert problem.value.field == field


@pytest.mark.parametrize(
    ("quantity", "lot", "fits"),
    [
        (0, LOT, True),
        (300, LOT, True),
        (150, LOT, False),
        (100, STAR_LOT, False),
        (201, STAR_LOT, True),
    ],
)
def test_a_fixed_quantity_is_an_order_of_the_instrument(quantity, lot, fits):
    problem = centred(fixed_quantity=quantity).misfit(lot)
    assert (problem is None) == fits
    if problem is not None:
        assert problem.field == "fixed_quantity"


def test_parameters_are_built_by_the_name_of_their_style():
    assert build("lot", {"max_investment": d(50000)}) == lots()
    assert set(STYLES) == {"lot", "centred"}
    assert "interval" in parameter_names("centred")
    for style, named in (
        ("martingale", {}),
        ("lot", {"max_investment": d(50000), "interval": d("0.05")}),
    ):
        with pytest.raises(SettingError):
            build(style, named)


@pytest.mark.parametrize(
    ("given", "high", "last", "expected"),
    [
        ("9.80", "10.50", "10.00", "9.80"),
        (None, "10.50", "10.00", "10.50"),
        (None, None, "10.00", "10.00"),
        (None, "0", "10.00", "10.00"),
        (None, None, "0", None),
        (None, None, None, None),
    ],
)
def test_the_first_centre_is_the_users_else_the_holdings_high_else_the_last_price(
    given, high, last, expected
):
    found = starting_centre(*(None if text is None else d(text) for text in (given, high, last)))
    assert found == (None if expected is None else d(expected))


def test_a_session_without_a_budget_gets_half_of_what_its_holding_is_worth():
    assert default_investment(d("33333.50")) == 16666
