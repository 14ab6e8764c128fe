"""Two readings of an account, and whether the second confirms the first."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from trading.domain.arming import confirms
from trading.domain.reports import (
    BrokerAsset,
    BrokerOrder,
    BrokerPosition,
    BrokerState,
    BrokerTrade,
    Snapshot,
)
from trading.domain.types import CHINA, Side, Symbol

pytestmark = [pytest.mark.fast, pytest.mark.orders]

BANK, LIQUOR = Symbol("600036.SH"), Symbol("600519.SH")
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=CHINA)
ASSET = BrokerAsset(Decimal(50_000), Decimal(0), Decimal(10_000), Decimal(60_000))
ORDER = BrokerOrder(
    7, BANK, Side.SELL, 1000, Decimal("10.00"), BrokerState.PARTIALLY_FILLED, 300, NOW, "S7"
)
FILL = BrokerTrade("T1", 7, BANK, Side.SELL, 300, Decimal("10.00"), NOW, "S7")
NEXT = replace(FILL, traded_id="T2", quantity=200)
HELD, OTHER = BrokerPosition(BANK, 700, 0, frozen=700), BrokerPosition(LIQUOR, 100, 100)
FIRST = Snapshot(NOW, 1, True, ASSET, (HELD, OTHER), (ORDER,), (FILL,))
#: 200 more were sold between the two readings.
WENT_ON = replace(
    FIRST,
    positions=(replace(HELD, quantity=500, frozen=500), OTHER),
    orders=(replace(ORDER, traded_quantity=500),),
    trades=(FILL, NEXT),
)
ENDED = replace(ORDER, state=BrokerState.PARTIALLY_CANCELLED)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(FIRST, id="nothing-happened"),
        pytest.param(replace(FIRST, asset=replace(ASSET, total=Decimal(1))), id="prices-moved"),
        pytest.param(replace(FIRST, positions=(OTHER, HELD)), id="another-order-of-rows"),
        pytest.param(WENT_ON, id="an-order-went-on-filling"),
        pytest.param(
            replace(
                FIRST, orders=(ENDED,), positions=(replace(HELD, sellable=700, frozen=0), OTHER)
            ),
            id="an-order-was-cancelled",
        ),
    ],
)
def test_a_second_reading_confirms_what_only_fills_have_moved(second):
    assert confirms(FIRST, second)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(replace(WENT_ON, trades=(FILL,)), id="its-fill-is-not-shown"),
        pytest.param(replace(WENT_ON, positions=FIRST.positions), id="the-holding-lags"),
        pytest.param(replace(WENT_ON, orders=FIRST.orders), id="the-order-lags"),
        pytest.param(replace(WENT_ON, trades=(NEXT,)), id="an-old-fill-is-gone"),
        pytest.param(
            replace(WENT_ON, trades=(FILL, replace(NEXT, side=None))), id="a-fill-of-unknown-side"
        ),
        pytest.param(
            replace(WENT_ON, trades=(FILL, replace(NEXT, broker_order_id=9))),
            id="a-fill-of-an-order-nobody-shows",
        ),
        pytest.param(
            replace(FIRST, trades=(replace(FILL, quantity=200),)), id="a-fill-has-changed"
        ),
        pytest.param(replace(FIRST, positions=(HELD,)), id="a-holding-is-gone"),
        pytest.param(
            replace(FIRST, positions=(HELD, replace(OTHER, sellable=0))), id="a-row-still-loads"
        ),
        pytest.param(replace(FIRST, orders=()), id="an-order-is-gone"),
        pytest.param(
            replace(FIRST, orders=(ORDER, replace(ORDER, broker_order_id=8))), id="a-new-order"
        ),
        pytest.param(replace(FIRST, trades=None), id="a-query-failed"),
    ],
)
def test_what_no_fill_explains_confirms_nothing(second):
    assert not confirms(FIRST, second)


def test_an_order_does_not_come_alive_again():
    assert not confirms(replace(FIRST, orders=(ENDED,)), FIRST)
