"""Caps of an account that goes live: what exceeds them is denied, and a sale that protects never is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trading.domain.caps import Caps, Used, over_caps
from trading.domain.settings import SettingError
from trading.domain.types import DenialCode, Side, SignalKind, Symbol

pytestmark = [pytest.mark.fast, pytest.mark.orders]

BANK, OTHER = Symbol("600036.SH"), Symbol("600000.SH")
CAPS = Caps(Decimal(5000), Decimal(20000), 10, frozenset({BANK}))
BUY, SELL = Side.BUY, Side.SELL
K = SignalKind


def denied(value="5000", *, caps=CAPS, bought="0", orders=0, kind=K.MANUAL, side=BUY, symbol=BANK):
    used = Used(Decimal(bought), orders)
    found = over_caps(caps, used, kind=kind, side=side, symbol=symbol, value=Decimal(value))
    assert found is None or (found.code is DenialCode.CAPS and found.text.en and found.text.zh)
    return found is not None


@pytest.mark.parametrize(
    ("expected", "case"),
    [
        (False, {"value": "5000"}),
        (True, {"value": "5000.01"}),
        (False, {"bought": "15000"}),
        (True, {"bought": "15000.01"}),
        (False, {"orders": 9}),
        (True, {"orders": 10}),
        (True, {"symbol": OTHER}),
        (False, {"symbol": OTHER, "caps": Caps(Decimal(5000), Decimal(20000), 10)}),
        (True, {"caps": None, "value": "1"}),
        (False, {"side": SELL, "symbol": OTHER, "bought": "99999"}),
        (True, {"side": SELL, "value": "5000.01"}),
        (True, {"side": SELL, "orders": 10}),
        (True, {"side": SELL, "kind": K.GRID, "caps": None}),
    ],
)
def test_what_exceeds_a_cap_is_denied(expected, case):
    assert denied(**case) is expected


@pytest.mark.parametrize("kind", [K.STOP_LOSS, K.FIRST_TAKE_PROFIT, K.TRAILING_TAKE_PROFIT])
@pytest.mark.parametrize("caps", [CAPS, None])
def test_a_sale_that_protects_is_never_capped(kind, caps):
    assert not denied("99999999", caps=caps, orders=999, kind=kind, side=SELL, symbol=OTHER)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_order_value", Decimal(99)),
        ("max_bought_a_day", Decimal("NaN")),
        ("max_orders_a_day", 0),
        ("max_orders_a_day", True),
    ],
)
def test_caps_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(SettingError, match=name):
        Caps(**{name: value})
