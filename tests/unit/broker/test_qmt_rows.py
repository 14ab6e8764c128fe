"""Rows of the terminal become our values, or are refused and counted; nothing is guessed."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from trading.broker import qmt_rows
from trading.broker.qmt import QmtBroker
from trading.domain.reports import BrokerState, Snapshot
from trading.domain.types import CHINA, Side
from trading.paper import xttrader, xttype

pytestmark = [pytest.mark.fast, pytest.mark.orders]

NOW = datetime(2023, 2, 1, 10, 0, tzinfo=CHINA)
NAN, INF = math.nan, math.inf
ORDER = {
    "order_id": 7,
    "order_sysid": "A7",
    "stock_code": "600036.SH",
    "order_type": 24,
    "order_volume": 1000,
    "price": 9.2,
    "order_status": 55,
    "traded_volume": 300,
    "order_time": int(NOW.timestamp()),
    "order_remark": "M123",
    "status_msg": "",
}
TRADE = {
    "traded_id": "T1",
    "order_id": 7,
    "order_sysid": "A7",
    "stock_code": "600036.SH",
    "order_type": 24,
    "traded_volume": 300,
    "traded_price": 9.2,
    "traded_time": int(NOW.timestamp()),
    "order_remark": "M123",
    "commission": 5.0,
}
POSITION = {
    "stock_code": "600036.SH",
    "volume": 1000,
    "can_use_volume": 700,
    "open_price": 10.0,
    "avg_price": 10.0,
    "frozen_volume": 300,
    "yesterday_volume": 1000,
    "instrument_name": "N",
}
ASSET = {"cash": 1.0, "frozen_cash": 0.0, "market_value": 2.0, "total_asset": 3.0}


def snapshot(**changes):
    """Return the snapshot and the number of refused rows when the terminal answers with these rows."""
    broker = QmtBroker(xttrader, xttype, "memory://none", 1, "8800000001")
    sent = []
    broker._trader = SimpleNamespace(
        query_account_status_async=lambda back: sent.append((back, "status")),
        query_stock_asset_async=lambda account, back: sent.append((back, "asset")),
        query_stock_positions_async=lambda account, back: sent.append((back, "positions")),
        query_stock_trades_async=lambda account, back: sent.append((back, "trades")),
        query_stock_orders_async=lambda account, back: sent.append((back, "orders")),
    )
    broker.request_snapshot(NOW)
    rows = {
        "status": [SimpleNamespace(account_id="8800000001", status=0)],
        "asset": SimpleNamespace(**ASSET),
        "positions": [SimpleNamespace(**POSITION)],
        "trades": [SimpleNamespace(**TRADE)],
        "orders": [SimpleNamespace(**ORDER)],
        **changes,
    }
    for back, name in sent:
        back(rows[name])
    [event] = broker.drain(NOW)
    assert isinstance(event.report, Snapshot)
    return event.report, broker.refused_rows


def test_a_whole_answer_is_complete():
    report, refused = snapshot()
    assert report.complete
    assert refused == 0
    assert report.orders[0].state is BrokerState.PARTIALLY_FILLED


RUBBISH = [None, NAN, INF, -INF, "", "many", object()]


@pytest.mark.parametrize("value", [*RUBBISH, -100, 0.5])
@pytest.mark.parametrize(
    ("part", "row", "field"),
    [
        ("orders", ORDER, "order_volume"),
        ("orders", ORDER, "traded_volume"),
        ("trades", TRADE, "traded_volume"),
        ("positions", POSITION, "volume"),
        ("positions", POSITION, "can_use_volume"),
    ],
)
def test_f074_a_quantity_that_is_no_number_of_shares_makes_the_list_unknown(
    part, row, field, value
):
    good, bad = SimpleNamespace(**row), SimpleNamespace(**{**row, field: value})
    report, refused = snapshot(**{part: [good, bad]})
    assert getattr(report, part) is None
    assert not report.complete
    assert refused == 1


@pytest.mark.parametrize("value", RUBBISH)
@pytest.mark.parametrize(
    ("part", "row", "field"),
    [("orders", ORDER, "price"), ("trades", TRADE, "traded_price"), ("orders", ORDER, "order_id")],
)
def test_f074_a_price_or_number_that_is_rubbish_makes_the_list_unknown(part, row, field, value):
    report, refused = snapshot(**{part: [SimpleNamespace(**{**row, field: value})]})
    assert getattr(report, part) is None
    assert refused == 1


@pytest.mark.parametrize("field", list(ASSET))
@pytest.mark.parametrize("value", RUBBISH)
def test_f074_cash_that_is_no_number_is_unknown_not_zero(field, value):
    report, refused = snapshot(asset=SimpleNamespace(**{**ASSET, field: value}))
    assert report.asset is None
    assert refused == 1


@pytest.mark.parametrize("part", ["asset", "positions", "orders", "trades"])
def test_f066_a_failed_query_is_unknown_and_no_refused_row(part):
    report, refused = snapshot(**{part: None})
    assert getattr(report, part) is None
    assert refused == 0


@pytest.mark.parametrize(
    "rows", [None, [], [SimpleNamespace(account_id="8800000001", status=None)]]
)
def test_an_account_whose_status_is_not_told_is_not_in_order(rows):
    assert not snapshot(status=rows)[0].account_ok


@pytest.mark.parametrize("code", [None, 0, 48, 49, "24", NAN])
def test_f028_a_side_that_is_neither_buy_nor_sell_is_not_guessed(code):
    assert qmt_rows.order_of({**ORDER, "order_type": code}, NOW).side is None
    assert qmt_rows.trade_of({**TRADE, "order_type": code}, NOW).side is None


@pytest.mark.parametrize(
    ("told", "kept"),
    [("refused", "refused"), ("refused\x00\x07", "refused"), ("a\ud800b", "a?b"), (None, "")],
)
def test_a_message_is_kept_as_far_as_it_is_text(told, kept):
    assert qmt_rows.order_of({**ORDER, "status_msg": told}, NOW).message == kept


def test_f028_23_buys_and_24_sells():
    assert qmt_rows.order_of({**ORDER, "order_type": 23}, NOW).side is Side.BUY
    assert qmt_rows.order_of({**ORDER, "order_type": 24}, NOW).side is Side.SELL


@pytest.mark.parametrize("status", [None, 0, 255, 58, "56", NAN])
def test_a_status_nobody_knows_is_unknown(status):
    assert qmt_rows.order_of({**ORDER, "order_status": status}, NOW).state is BrokerState.UNKNOWN


@pytest.mark.parametrize(
    ("shown", "price"),
    [
        (10.149999999999999, "10.15"),
        (9.2 + 1e-9, "9.2"),
        (0.1 + 0.2, "0.3"),
        (1.0005, "1.0005"),
        (100, "100"),
    ],
)
def test_f059_the_noise_of_a_float_ends_here(shown, price):
    assert qmt_rows.trade_of({**TRADE, "traded_price": shown}, NOW).price == Decimal(price)


def test_shares_with_the_noise_of_a_float_are_whole():
    assert qmt_rows.order_of({**ORDER, "order_volume": 1000.0000000001}, NOW).quantity == 1000


@pytest.mark.parametrize("field", ["open_price", "avg_price"])
@pytest.mark.parametrize("value", [None, NAN, INF])
def test_f069_a_cost_the_terminal_does_not_have_is_0_and_refuses_nothing(field, value):
    report, refused = snapshot(positions=[SimpleNamespace(**{**POSITION, field: value})])
    assert report.complete
    assert refused == 0


@pytest.mark.parametrize("seconds", [None, 0, -1, NAN, "?", 10**20])
def test_a_time_the_terminal_does_not_have_is_now(seconds):
    assert qmt_rows.trade_of({**TRADE, "traded_time": seconds}, NOW).time == NOW


def test_f014_a_time_of_yesterday_stays_yesterdays():
    before = NOW - timedelta(days=1)
    row = {**TRADE, "traded_time": int(before.timestamp())}
    assert qmt_rows.trade_of(row, NOW).time == before


@pytest.mark.parametrize("code", [None, "", NAN, 600036])
@pytest.mark.parametrize(
    ("part", "row"), [("orders", ORDER), ("trades", TRADE), ("positions", POSITION)]
)
def test_f012_a_row_without_a_symbol_makes_the_list_unknown(part, row, code):
    report, refused = snapshot(**{part: [SimpleNamespace(**{**row, "stock_code": code})]})
    assert getattr(report, part) is None
    assert refused == 1
